"""Sweeps: many scenarios, values and seeds of one simulation, each a member with a database of its own."""
