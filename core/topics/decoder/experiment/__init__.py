"""The experiment of the decoder page."""

from __future__ import annotations

from core.errors import RunFailed
from core.events import Progress
from core.topic import ExperimentRun
from core.topics.decoder.params import DecoderParams


def run(params: DecoderParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py."""
    yield Progress(0, 1, "starting")
    raise RunFailed("This experiment is still being written.")
