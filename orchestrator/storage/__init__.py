"""The history of runs: who ran what, when, how long and how it ended."""
