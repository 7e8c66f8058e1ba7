"""A finished run with what is known of where and when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from core.contracts.errors import TilescopeError
from core.contracts.result import Environment, Metric, Provenance, Result
from core.contracts.text import tr


@dataclass(frozen=True)
class SavedRun:
    """A result, when its run started (in UTC), how long it took, and the name of its machine: '' if not recorded.

    `file` is the path that the user opened it from, so that it can be opened again; '' for other runs. `ships` marks a
    run that comes with the program. Both are no part of what a file stores.
    """

    result: Result
    started_at: datetime
    wall_s: float
    machine: str = ""
    file: str = ""
    ships: bool = False

    @property
    def topic(self) -> str:
        """The id of the topic that was run."""
        return self.result.topic

    @property
    def environment(self) -> Environment:
        """The device, how kernels ran on it, and the versions of the libraries."""
        return self.result.environment

    def check_topic(self, topic_id: str) -> None:
        """Raises TilescopeError where it is a run of another topic."""
        if self.topic != topic_id:
            raise TilescopeError(
                tr(
                    "This is a run of {found}: it cannot be shown on the page {page}.",
                    found=self.topic,
                    page=topic_id,
                )
            )


def as_recorded(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """The metrics of a run as recorded ones; how each was obtained then is in its note. Modelled ones stay."""
    return {name: _recorded(metric) if metric.provenance.is_of_a_run else metric for name, metric in metrics.items()}


def _recorded(metric: Metric) -> Metric:
    was = metric.provenance.label
    note = tr("{provenance}; {note}", provenance=was, note=metric.note) if metric.note else was
    return replace(metric, provenance=Provenance.RECORDED, note=note)
