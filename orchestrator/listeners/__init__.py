"""Watchers of events: they may not steer."""
