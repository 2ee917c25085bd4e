"""Listeners that tell other programs of a run: lineage, notifications, traces. Each is an extra, imported on use."""
