"""What the database itself says is done, and what it was made of."""
