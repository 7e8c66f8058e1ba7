"""Demos in the window: playing one, and recording one by doing it."""
