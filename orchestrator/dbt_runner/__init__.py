"""One warm dbt process and the facts of its project."""
