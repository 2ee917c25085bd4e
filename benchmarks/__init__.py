"""Whole processes measured side by side; ``python -m benchmarks --list`` names the cases."""
