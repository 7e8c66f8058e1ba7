"""Tests read English, whatever language the system speaks; those of the languages choose theirs.

Hypothesis has no deadline for an example: how long one takes depends on what else the machine does.
"""

import os

from hypothesis import settings

os.environ["LANGUAGE"] = "en"

settings.register_profile("tilescope", deadline=None)
settings.load_profile("tilescope")
