"""``orchestrator runs``: the history of runs."""
