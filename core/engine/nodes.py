"""Scheduler and worker of distributed without their HTTP servers: the encrypted port is the only one."""

from __future__ import annotations

from typing import Any

import distributed


class Scheduler(distributed.Scheduler):  # type: ignore[misc]
    """Serves no pages."""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Start none."""


class Worker(distributed.Worker):  # type: ignore[misc]
    """Serves no pages."""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Start none."""


Nanny = distributed.Nanny
