"""Analysis of Jinja templates: what they read and do."""
