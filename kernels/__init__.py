"""Triton kernels, their launchers and their references. Imports neither core nor gui."""
