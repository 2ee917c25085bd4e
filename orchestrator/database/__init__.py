"""Databases as we see them: names, catalog, SQL text, the mutex, and a module for each kind that we read ourselves."""
