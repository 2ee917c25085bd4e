"""Ledger: the database's own record of what is done, and what it was made of."""
