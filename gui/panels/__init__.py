"""Reusable furniture."""
