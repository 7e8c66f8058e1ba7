"""One page a topic."""
