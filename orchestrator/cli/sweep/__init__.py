"""``orchestrator sweep``: many members of one simulation at once."""
