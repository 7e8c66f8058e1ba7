"""The configuration of distributed, which connects to a scheduler that Tilescope did not start.

Only the thread of the engine imports distributed, and only when it is given the address of a scheduler.
"""

from __future__ import annotations

from typing import Any

_CONFIG: dict[str, Any] = {
    # Never rerun an experiment whose worker died: the crash is the outcome.
    "distributed.scheduler.allowed-failures": 0,
    # A kernel may hold the GIL for minutes. The user decides with Cancel whether that is too long.
    "distributed.scheduler.worker-ttl": None,
    "distributed.deploy.lost-worker-timeout": "1 day",
    # By default the nanny limits torch to one thread, even in the environment of this process.
    "distributed.nanny.pre-spawn-environ": {
        "OMP_NUM_THREADS": None,
        "MKL_NUM_THREADS": None,
        "OPENBLAS_NUM_THREADS": None,
        "MALLOC_TRIM_THRESHOLD_": None,
    },
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.nvml": False,
    "distributed.admin.system-monitor.interval": "10s",
}


def import_distributed() -> Any:
    """Import and configure distributed. Its settings are process-wide; nothing else in Tilescope uses it."""
    import dask

    dask.config.set(_CONFIG)
    dask.config.set({"distributed.logging": _silent_logging()})
    import distributed

    return distributed


def _silent_logging() -> dict[str, Any]:
    """Discards the logs of distributed: what matters becomes an event, and stdout and stderr belong to the CLI."""
    names = ("distributed", "tornado", "bokeh", "asyncio")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"nowhere": {"class": "logging.NullHandler"}},
        "loggers": {name: {"level": "CRITICAL", "handlers": ["nowhere"], "propagate": False} for name in names},
    }
