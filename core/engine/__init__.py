"""Runs experiments in worker processes."""
