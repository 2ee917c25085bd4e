"""dbt itself: its command, connection, events, answers and errors."""
