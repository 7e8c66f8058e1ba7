"""The runs that come with the program: the default run of every page, recorded on the machine that each file names.

A page shows its recorded run, marked as one, until it has a run of this machine. `make recorded-runs` makes them.
"""

from core.recorded_runs.shipped import FOLDER, path_of, shipped_run

__all__ = ["FOLDER", "path_of", "shipped_run"]
