"""The topics, one folder each."""
