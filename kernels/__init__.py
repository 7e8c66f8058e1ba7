"""Triton kernels, their launchers and their references. Knows neither core nor gui."""
