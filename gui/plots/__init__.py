"""Reusable pictures."""
