"""What a Jinja template reads and does."""
