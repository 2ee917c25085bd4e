"""Backups of every database of a workspace, and the way back."""
