"""What may be configured: the schema, its layers, where a value came from, and the words of its errors."""
