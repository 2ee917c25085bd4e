"""Years, stages and hooks: the way of a run."""
