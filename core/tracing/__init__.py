"""Executes a kernel's TTIR for all programs at once and records every access."""
