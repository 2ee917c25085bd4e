"""A project taken over: what is found in it, the configuration that is proposed, and the examples that ship."""
