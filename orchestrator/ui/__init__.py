"""The web interface, and the assistants that turn words into scenarios."""
