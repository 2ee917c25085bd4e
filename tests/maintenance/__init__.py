"""Tests of the care for databases."""
