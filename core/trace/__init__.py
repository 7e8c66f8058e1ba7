"""Traces and their analysis. numpy only, so that the window can read what a worker executed."""
