"""Compare a database with what a run needs, and build what is not ready."""
