"""Attention: the reference, the standard three passes, and flash."""
