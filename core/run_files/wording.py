"""Where and when a saved run was made, in words."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from core.contracts.text import Text, listed, tr, verbatim
from core.format import quantity
from core.wording import backend

if TYPE_CHECKING:
    from core.run_files.saved_run import SavedRun


def environment_wordings(saved: SavedRun) -> tuple[Text, ...]:
    """One line that says it all, and shorter ones."""
    place, time = _place(saved), started(saved)
    facts: dict[str, Text | str] = {"place": place, "backend": backend(saved.environment), "time": time}
    if saved.ships:
        return (
            tr(
                "Recorded on {place}, {backend}, at {time}, beside other programs: its times are no benchmark. Run "
                "(F5) replaces it with a run of this machine.",
                **facts,
            ),
            tr("Recorded on {place} at {time}, beside other programs: its times are no benchmark.", **facts),
            place_and_time(saved),
            verbatim(saved.environment.device),
        )
    return (
        tr(
            "Recorded on {place}, {backend}, at {time} with {versions}. Run (F5) replaces it with a run of this "
            "machine.",
            **facts,
            versions=versions_of(saved),
        ),
        tr("Recorded on {place}, {backend}, at {time}. Run (F5) replaces it with a run of this machine.", **facts),
        place_and_time(saved),
        verbatim(saved.environment.device),
    )


def place_and_time(saved: SavedRun) -> Text:
    """Where and when, and that it is a recorded run."""
    return tr("Recorded on {place} at {time}", place=_place(saved), time=started(saved))


def environment_lines(saved: SavedRun) -> Text:
    """Everything that is known of where and when the run was made, one fact per line."""
    facts = [
        tr("Device: {device}", device=saved.environment.device),
        tr("Machine: {machine}", machine=saved.machine) if saved.machine else None,
        tr("Kernels: {backend}", backend=backend(saved.environment)),
        tr("Started: {time}", time=started(saved)),
        tr("Duration: {seconds}", seconds=quantity(saved.wall_s, "s")),
        tr("Versions: {versions}", versions=versions_of(saved)),
        tr("Other programs ran beside it: its times are no benchmark.") if saved.ships else None,
    ]
    return _lines([fact for fact in facts if fact is not None])


def started(saved: SavedRun) -> str:
    """When the run started, in UTC: the reader may be in another time zone than the machine."""
    return saved.started_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def versions_of(saved: SavedRun) -> Text:
    """The libraries of the run with their versions."""
    return listed(f"{name} {version}" for name, version in saved.environment.versions.items())


def _place(saved: SavedRun) -> Text:
    device = verbatim(saved.environment.device)
    if not saved.machine:
        return device
    return tr("{machine}: {device}", machine=saved.machine, device=device)


def _lines(texts: list[Text]) -> Text:
    lines = texts[-1]
    for text in reversed(texts[:-1]):
        lines = Text("{first}\n{rest}", (("first", text), ("rest", lines)))
    return lines
