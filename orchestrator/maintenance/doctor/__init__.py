"""Examination of everything that a run depends on."""
