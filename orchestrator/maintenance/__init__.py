"""Care for database files."""
