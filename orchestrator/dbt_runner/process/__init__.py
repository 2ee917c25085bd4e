"""The dbt process: the parent's client, and the program that runs in it."""
