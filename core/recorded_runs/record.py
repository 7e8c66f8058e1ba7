"""Makes the recorded runs that come with the program: `make recorded-runs`.

`python -m core.recorded_runs.record` makes those that are missing or stale, or whose code has changed since. With TOPIC
names it makes these anew. `--confirm TOPIC …` keeps the runs and says that they are still what their code makes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console

from core.commands.session import engine_for
from core.contracts import registry
from core.contracts.events import Finished
from core.recorded_runs.origin import Origin, origin_of_today, recorded_origins, write_origins
from core.recorded_runs.shipped import path_of, shipped_run
from core.recorded_runs.slimming import slim
from core.run_files import SavedRun, write_run_file


def changed() -> list[str]:
    """Topics whose recorded run is missing, cannot be read, or is of other parameters or code than those of today."""
    origins = recorded_origins()
    return [topic_id for topic_id in registry.TOPICS if not _is_unchanged(topic_id, origins.get(topic_id))]


def _is_unchanged(topic_id: str, origin: Origin | None) -> bool:
    saved = shipped_run(topic_id)
    is_of_defaults = saved is not None and saved.result.params == registry.topic(topic_id).params()
    return is_of_defaults and origin == origin_of_today(topic_id)


def record(topic_ids: Sequence[str]) -> None:
    """Run the topics on the CPU with their defaults, one after another, and write their files."""
    console, origins = Console(), recorded_origins()
    with engine_for("cpu") as (engine, device):
        for topic_id in topic_ids:
            topic = registry.topic(topic_id)
            console.print(f"{topic_id} …")
            started_at = datetime.now(UTC)
            run = engine.submit(topic_id, topic.params(), device)
            result = run.result()
            assert isinstance(run.terminal, Finished)
            run_s = round(run.terminal.seconds or 0.0, 2)
            path = path_of(topic_id)
            path.parent.mkdir(exist_ok=True)
            # The name of the machine is nobody's business; the environment says which processor it has.
            write_run_file(path, SavedRun(slim(result), started_at, run_s))
            origins[topic_id] = origin_of_today(topic_id)
            write_origins(origins)
            console.print(f"{topic_id}: {run_s:.1f} s, {path.stat().st_size / 1e3:,.0f} kB")


def confirm(topic_ids: Sequence[str]) -> None:
    """Say that the code of today still makes these runs."""
    write_origins(recorded_origins() | {topic_id: origin_of_today(topic_id) for topic_id in topic_ids})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.recorded_runs.record", description=__doc__)
    parser.add_argument("topics", nargs="*", choices=[[], *registry.TOPICS], metavar="TOPIC")
    parser.add_argument("--confirm", action="store_true")
    options = parser.parse_args(arguments)
    (confirm if options.confirm else record)(options.topics or changed())


if __name__ == "__main__":
    main()
