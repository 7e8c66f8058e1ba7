"""`show FILE`: the numbers and claims of a saved run, with where it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from rich.console import Console

from core.commands.run import as_document, print_tables
from core.commands.wrapping import wrapped
from core.contracts import registry
from core.contracts.params import Params
from core.contracts.text import Text, tr
from core.paths import expanded
from core.run_files import BadRunFile, SavedRun, as_recorded, damaged, read_run_file
from core.run_files.wording import environment_lines


def show_file(path: Path, *, as_json: bool) -> int:
    """Print a saved run as `run` prints one, with where it was made. Returns the exit code; raises TilescopeError for a
    file that is none."""
    saved = read_run_file(expanded(path))
    topic = registry.topic(saved.topic)
    try:
        findings = [(claim, claim.test(saved.result)) for claim in topic.claims]
    except Exception as error:  # values that fit their types, and that no run gives
        raise BadRunFile(damaged(path)) from error
    shown = replace(saved.result, metrics=as_recorded(saved.result.metrics))
    if as_json:
        document = {**as_document(shown, findings), **topic.json_details(saved.result), "recorded": _record(saved)}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    console = Console()
    console.print(str(tr("A recorded run: nothing was run now.")), style="bold")
    facts = str(environment_lines(saved)).splitlines()
    for fact in (*facts, str(tr("Parameters: {params}", params=changed_params(saved.result.params)))):
        for line in wrapped(fact, console.width):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print()
    print_tables(topic, shown, findings)
    return 0


def changed_params(params: Params) -> Text | str:
    """The parameters that differ from the defaults, as `--set` takes them."""
    defaults = type(params)().model_dump(mode="json")
    changed = [f"{name}={value}" for name, value in params.model_dump(mode="json").items() if defaults[name] != value]
    return " ".join(changed) or tr("defaults")


def _record(saved: SavedRun) -> dict[str, str | float]:
    started = saved.started_at.astimezone(UTC).isoformat()
    return {"started_at": started, "wall_s": saved.wall_s, "machine": saved.machine}
