"""Reports for people who decide: one file that opens anywhere, made of a comparison and of what the history knows."""
