"""A topic whose experiment kills the process that imports it."""

from __future__ import annotations

from dataclasses import replace

from tests.engine import trouble

TOPIC = replace(trouble.TOPIC, id="fatal", experiment="tests.engine.fatal.experiment:run")
