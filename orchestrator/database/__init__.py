"""What a database is to us: names, relations, the mutex, and how each kind is looked at."""
