"""A recording comes back as it was written; whatever else a file holds, it is one sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.recordings.document import BadRecording, as_bytes, read, write
from tests.recordings.runs import CPU, point, run, timed, usual


def sentence(path: Path) -> str:
    with pytest.raises(BadRecording) as raised:
        read(path)
    return str(raised.value)


def test_that_a_recording_comes_back_as_it_was_written(tmp_path: Path) -> None:
    runs = (usual(), run(point(7, timed("a", 2.0)), device=CPU, family="file", file="mine.py", file_sha256="ab" * 32))
    path = tmp_path / "run.json"

    write(path, runs)

    assert read(path).runs == runs


def test_that_a_recording_is_plain_json_that_names_its_format(tmp_path: Path) -> None:
    document = json.loads(as_bytes([usual()]))

    assert (document["format"], document["version"]) == ("tilescope-recording", 1)
    first = document["runs"][0]
    assert first["device"]["driver"] == "570.1"
    assert len(first["points"][0]["outcomes"][0]["time_ms_samples"]) == 20
    assert first["points"][2]["out_of_memory"] is True


def test_that_an_older_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write(path, [usual()])
    if os.geteuid() == 0:
        folder = tmp_path / "none"
        with pytest.raises(BadRecording, match=r"run\.json cannot be written \(it does not exist\)"):
            write(folder / "run.json", [usual()])
    assert read(path).runs == (usual(),)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1, 2]", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}', b'{"format": "other"}']
)
def test_that_another_file_is_no_recording(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)

    assert sentence(path) == (
        f"{path} is no recording: choose a JSON file that `python main.py bench --record` or the compare page wrote."
    )


def test_that_a_missing_file_a_folder_and_a_huge_one_are_said(tmp_path: Path) -> None:
    assert "it does not exist" in sentence(tmp_path / "none.json")
    assert "cannot be read" in sentence(tmp_path)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(65 << 20)
    assert "it is larger than 67.1 MB" in sentence(huge)


@pytest.mark.parametrize("version", [0, 2, "1", None, "x" * 1000])
def test_that_another_version_is_said(version: object, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**json.loads(as_bytes([usual()])), "version": version}))

    text = sentence(path)

    assert "is a recording of version" in text
    assert "this program reads version 1" in text
    assert len(text) < 400


def spoilt(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = json.loads(as_bytes([usual()]))
    change(document["runs"][0])
    return dict(document)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda run: run.pop("device"), "runs.0.device"),
        (lambda run: run["device"].update(kind="tpu"), "runs.0.device.kind"),
        (lambda run: run["points"][0]["outcomes"][0].update(time_ms="fast"), "runs.0.points.0.outcomes.0.time_ms"),
        (lambda run: run["points"][0]["outcomes"][0].update(label=7), "runs.0.points.0.outcomes.0.label"),
        (lambda run: run["points"][0]["outcomes"][0].update(time_ms=-1.0), "a time in runs.0 is not positive"),
        (lambda run: run["points"][0]["outcomes"][0].update(time_ms_samples=[0.0]), "a time in runs.0 is not positive"),
        (lambda run: run["points"][0]["outcomes"][0].update(passed=False), "a result that did not pass its check"),
        (lambda run: run.update(points={"a": 1}), "runs.0.points"),
    ],
)
def test_that_damage_is_named_where_it_is(
    change: Callable[[dict[str, Any]], object], place: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(spoilt(change)))

    text = sentence(path)

    assert f"{path} is damaged: " in text
    assert place in text


def test_that_a_recording_of_a_newer_program_with_more_fields_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(spoilt(lambda run: run.update(mood="good"))))

    assert read(path).runs == (usual(),)


def test_that_the_documentation_names_every_field() -> None:
    described = (Path(__file__).resolve().parents[2] / "docs/recordings.md").read_text()
    document = json.loads(as_bytes([usual()]))

    def names(value: object) -> set[str]:
        if isinstance(value, dict):
            open_names = {"case", "values", "versions"}
            return {*value, *(name for key, each in value.items() if key not in open_names for name in names(each))}
        return {name for each in value for name in names(each)} if isinstance(value, list) else set()

    missing = {name for name in names(document) if f"`{name}`" not in described}
    assert missing == set()
