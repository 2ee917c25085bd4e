"""Assistants: what people say becomes a proposal of values, which the configuration's own loader checks."""
