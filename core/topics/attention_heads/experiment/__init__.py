"""Runs the experiments of the topic."""
