"""Reports: everything that people and programs are shown, as data."""
