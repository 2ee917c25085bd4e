"""What people and programs are shown, as data."""
