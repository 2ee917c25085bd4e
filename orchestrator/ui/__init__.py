"""The web interface: pages that show what reports and the run history say. Needs the extra ``ui``."""
