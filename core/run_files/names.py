"""What saved runs are called."""

from __future__ import annotations

from core.contracts.text import tr

SUFFIX = ".tilescope"
MIME_TYPE = "application/x-tilescope-run"
KIND_NAME = tr("Tilescope run")
