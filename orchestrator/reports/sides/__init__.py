"""Scenarios, runs and sweep groups side by side: found by name, read, and compared by year."""
