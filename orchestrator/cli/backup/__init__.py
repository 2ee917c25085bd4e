"""``orchestrator backup``: copies of a workspace's databases, and the way back."""
