"""What a database is to us: names, catalog, SQL text, the mutex, and a module for each kind that we read ourselves."""
