"""Recordings of what dbt sent: when they may be sent again, and how."""
