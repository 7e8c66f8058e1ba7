"""A folder of recordings: filtered by device, family, implementation and date; damaged files are named and skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.recordings import folder
from core.recordings.document import BadRecording, write
from core.recordings.folder import Filter, entries, kept
from tests.recordings.runs import CPU, usual


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    write(tmp_path / "a.json", [usual(), usual(1, device=CPU, recorded_at="2025-07-02T08:00:00+00:00")])
    (tmp_path / "older").mkdir()
    write(tmp_path / "older" / "b.json", [usual(2, recorded_at="2024-12-31T23:59:59+00:00", family="decode")])
    (tmp_path / "damaged.json").write_text("{")
    (tmp_path / "notes.txt").write_text("no recording, and not looked at")
    return tmp_path


def test_that_every_run_below_a_folder_is_found_and_what_is_damaged_is_said(recorded: Path) -> None:
    found = list(entries(recorded))

    assert [entry.path.name for entry in found] == ["a.json", "a.json", "damaged.json", "b.json"]
    assert [entry.run is None for entry in found] == [False, False, True, False]
    assert "is no recording" in str(found[2].problem)


@pytest.mark.parametrize(
    ("chosen", "days"),
    [
        (Filter(), ["2025-06-01", "2025-07-02", "2024-12-31"]),
        (Filter(device="h200"), ["2025-06-01", "2024-12-31"]),
        (Filter(device="EPYC"), ["2025-07-02"]),
        (Filter(family="decode"), ["2024-12-31"]),
        (Filter(impl="FLASH"), ["2025-06-01", "2025-07-02", "2024-12-31"]),
        (Filter(impl="peft"), []),
        (Filter(since="2025-06-02"), ["2025-07-02"]),
        (Filter(until="2025-06-01"), ["2025-06-01", "2024-12-31"]),
        (Filter(until="2025-06"), ["2025-06-01", "2024-12-31"]),
        (Filter(since="2025", until="2025"), ["2025-06-01", "2025-07-02"]),
    ],
)
def test_that_a_filter_keeps_what_it_names(recorded: Path, chosen: Filter, days: list[str]) -> None:
    found = [entry.run for entry in kept(entries(recorded), chosen)]

    assert [run.recorded_at[:10] for run in found if run is not None] == days
    assert sum(run is None for run in found) == 1  # the damaged one is said whatever is asked for


def test_that_one_file_is_a_folder_of_its_runs(recorded: Path) -> None:
    assert next(entry.run for entry in entries(recorded / "a.json")) == usual()
    with pytest.raises(BadRecording):
        list(entries(recorded / "damaged.json"))


def test_that_a_folder_with_too_many_files_says_so(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MOST_FILES", 1)

    *_, last = entries(recorded)

    assert str(last.problem) == f"{recorded} has more than 1 files: the others were skipped."
