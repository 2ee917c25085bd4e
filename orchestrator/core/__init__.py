"""Errors, events, clocks and other things that everything stands on; imports nothing of ours."""
