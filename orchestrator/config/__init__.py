"""The configuration: its schema and layers, where each value came from, and the words of its errors."""
