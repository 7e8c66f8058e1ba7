"""A run file comes back as it was saved; whatever else a file holds, it is one sentence."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.contracts import registry
from core.contracts.params import number
from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import tr
from core.run_files import MIME_TYPE, BadRunFile, SavedRun, as_recorded, read_run_file, write_run_file
from core.run_files import document as run_document
from core.run_files.document import as_bytes
from tests.engine.kept import TOPICS, KeptParams, KeptResult, Moved
from tests.same_result import same

SAVED = SavedRun(
    KeptResult(
        params=KeptParams(seq_len=64),
        environment=Environment("cuda (NVIDIA H200)", "CUDA", {"tilescope": "1.2.0", "torch": "2.13.0"}),
        metrics={"bytes": Metric(3.5e9, "bytes", Provenance.TRACED, tr("{count} tiles", count=7))},
        noise=np.arange(12, dtype=np.float32).reshape(3, 4),
        traffic=(Moved("Q", 4096, 0.25), Moved("K", 8192, 0.5)),
    ),
    datetime(2026, 11, 28, 10, 12, 30, tzinfo=UTC),
    2.5,
    "lab-7",
)
CONTENT = as_bytes(SAVED)


class LaterParams(KeptParams):
    """With a parameter that this version does not have."""

    heads: int = number(2, minimum=1, maximum=8, label=tr("Heads"), help=tr("Heads."))


def read(path: Path, topic: str | None = None) -> SavedRun:
    return read_run_file(path, topic, TOPICS)


def sentence(path: Path, topic: str | None = None) -> str:
    with pytest.raises(BadRunFile) as raised:
        read(path, topic)
    text = str(raised.value)
    assert "\n" not in text.removesuffix(".")
    assert text.startswith(str(path))
    return text.removeprefix(f"{path} ")


def with_members(**changes: bytes | None) -> bytes:
    """The file with other members (`run_json` is run.json); None leaves one out."""
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    for name, data in changes.items():
        members[name.replace("_", ".")] = data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            if data is not None:
                file.writestr(name, data)
    return buffer.getvalue()


def header(**changes: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as file:
        return json.dumps({**json.loads(file.read("run.json")), **changes}).encode()


def with_header(**changes: Any) -> bytes:
    return with_members(run_json=header(**changes))


def with_result(**changes: Any) -> bytes:
    return with_members(result_npz=replace(SAVED.result, **changes).to_bytes())


def is_same(one: SavedRun, other: SavedRun) -> bool:
    facts = [(saved.started_at, saved.wall_s, saved.machine) for saved in (one, other)]
    return facts[0] == facts[1] and same(one.result, other.result)


def test_that_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "run.tilescope"
    write_run_file(path, SAVED)
    assert is_same(read(path), SAVED)
    environment = read(path).environment
    assert (environment, environment.versions["tilescope"]) == (SAVED.environment, "1.2.0")


def test_that_a_start_in_another_time_zone_is_the_same_moment(tmp_path: Path) -> None:
    elsewhere = SAVED.started_at.astimezone(timezone(timedelta(hours=8)))
    path = tmp_path / "run.tilescope"
    write_run_file(path, replace(SAVED, started_at=elsewhere))
    assert path.read_bytes() == CONTENT


def test_that_the_same_run_gives_the_same_bytes() -> None:
    assert as_bytes(SAVED) == CONTENT


def test_that_a_file_says_what_it_is_at_its_beginning() -> None:
    assert CONTENT[30:].startswith(b"mimetype" + MIME_TYPE.encode())


def test_that_other_programs_can_read_a_run_as_the_documentation_says(tmp_path: Path) -> None:
    path = tmp_path / "run.tilescope"
    write_run_file(path, SAVED)
    with zipfile.ZipFile(path) as file:
        head = json.loads(file.read("run.json"))
        arrays = np.load(io.BytesIO(file.read("result.npz")))
    result = json.loads(str(arrays["__result__"]))
    assert (head["topic"], head["machine"]) == ("flash", "lab-7")
    assert result["metrics"]["bytes"]["value"] == 3.5e9
    assert np.array_equal(arrays["array:" + result["noise"]["__array__"]], SAVED.result.noise)


def test_that_metrics_of_a_record_say_how_they_were_obtained() -> None:
    modelled = Metric(1.0, "", Provenance.MODELLED)
    metrics = as_recorded({**SAVED.result.metrics, "plain": Metric(1.0, "", Provenance.MEASURED), "model": modelled})
    assert {name: metric.provenance for name, metric in metrics.items()} == {
        "bytes": Provenance.RECORDED,
        "plain": Provenance.RECORDED,
        "model": Provenance.MODELLED,
    }
    assert (str(metrics["bytes"].note), str(metrics["plain"].note)) == ("traced; 7 tiles", "measured")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (lambda: b"", "is no saved run: choose a file that"),
        (lambda: b'{"format": "tilescope-recording"}', "is no saved run: choose a file that"),
        (lambda: SAVED.result.to_bytes(), "is no saved run: choose a file that"),
        (lambda: CONTENT[:-40], "is damaged and cannot be opened"),
        (lambda: with_members(result_npz=None), "is damaged and cannot be opened"),
        (lambda: with_members(result_npz=b"PK"), "is damaged and cannot be opened"),
        (lambda: with_members(run_json=b"[1]"), "is damaged and cannot be opened"),
        (lambda: with_members(run_json=b"[" * 60_000), "is damaged and cannot be opened"),
        (lambda: with_header(wall_s=-1), "is damaged and cannot be opened"),
        (lambda: with_header(wall_s=float("nan")), "is damaged and cannot be opened"),
        (lambda: with_header(started_at="0001-01-01T00:00:00+14:00"), "is damaged and cannot be opened"),
        (lambda: with_header(started_at="2026-11-28T10:12:30"), "is damaged and cannot be opened"),
        (lambda: with_header(topic="masks"), "is damaged and cannot be opened"),
        (lambda: with_header(version=2), "was saved by a newer version of Tilescope (file version 2, and this"),
        (lambda: with_header(version=0), "is damaged and cannot be opened"),
        (lambda: with_header(topic="moe"), "is a run of the topic 'moe', which this version of Tilescope does not"),
        (lambda: with_result(environment=Environment("", "")), "does not say where it was run"),
        (lambda: with_result(params=KeptParams.model_construct(seq_len=-4)), "is damaged and cannot be opened"),
        (lambda: with_members(run_json=b" " * (65 << 10)), "would unpack to more than the"),
    ],
)
def test_that_a_bad_file_is_one_sentence(content: Callable[[], bytes], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "run.tilescope"
    path.write_bytes(content())
    assert sentence(path).startswith(expected)


def test_that_a_run_of_another_topic_is_told_from_the_one_that_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "run.tilescope"
    path.write_bytes(CONTENT)
    assert sentence(path, "masks") == "is a run of 'flash', not of 'masks': open it on its own page."
    assert is_same(read(path, "flash"), SAVED)


def test_that_a_run_of_another_version_that_does_not_fit_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "run.tilescope"
    later = replace(SAVED.result, params=LaterParams()).to_bytes()
    path.write_bytes(with_members(result_npz=later))
    assert sentence(path).startswith("is damaged")
    path.write_bytes(with_members(result_npz=later, run_json=header(written_by="9.9.9")))
    assert "open it with the version that saved it (9.9.9)" in sentence(path)


def test_that_what_is_missing_or_no_regular_file_is_one_sentence(tmp_path: Path) -> None:
    assert sentence(tmp_path / "none.tilescope") == "cannot be read (it does not exist): choose another file."
    assert sentence(tmp_path).startswith("cannot be read (it is")


def test_that_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(3):
            file.writestr(f"array:{number}.npy", bytes(1 << 20))
    monkeypatch.setattr(run_document, "MAX_UNPACKED_BYTES", 2 << 20)
    path = tmp_path / "run.tilescope"
    path.write_bytes(with_members(result_npz=bomb.getvalue()))
    assert path.stat().st_size < 10_000
    assert sentence(path).startswith("would unpack to more than the")


def test_that_an_array_that_claims_to_be_huge_is_damage(tmp_path: Path) -> None:
    arrays = io.BytesIO()
    magic = np.lib.format.magic(1, 0)
    claim = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117) + b"\n"
    with zipfile.ZipFile(arrays, "w") as file:
        file.writestr("array:huge.npy", magic + len(claim).to_bytes(2, "little") + claim)
    path = tmp_path / "run.tilescope"
    path.write_bytes(with_members(result_npz=arrays.getvalue()))
    assert sentence(path).startswith("is damaged")


def test_that_more_members_than_a_run_has_are_not_even_listed(tmp_path: Path) -> None:
    path = tmp_path / "run.tilescope"
    path.write_bytes(CONTENT + b"PK\x01\x02" * 30_000)
    assert sentence(path).startswith("would unpack to more than the")


def test_that_objects_in_a_file_are_never_unpickled(tmp_path: Path) -> None:
    arrays = io.BytesIO()
    np.savez(arrays, __result__=np.array([print], dtype=object))
    path = tmp_path / "run.tilescope"
    path.write_bytes(with_members(result_npz=arrays.getvalue()))
    assert sentence(path).startswith("is damaged")


def test_that_a_run_without_an_environment_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "run.tilescope"
    with pytest.raises(BadRunFile, match="without an environment cannot be saved"):
        write_run_file(path, replace(SAVED, result=KeptResult(params=KeptParams())))
    assert not path.exists()


def test_that_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadRunFile, match=r"run\.tilescope \(it does not exist\): choose another place\.$"):
        write_run_file(tmp_path / "none" / "run.tilescope", SAVED)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(1, 255)), min_size=1, max_size=4),
    length=st.none() | st.integers(0, len(CONTENT)),
)
def test_that_damaged_bytes_never_give_another_run(
    flips: list[tuple[int, int]], length: int | None, tmp_path: Path
) -> None:
    """What is read is the run that was saved, or it is one sentence; flips in what nobody reads do no harm."""
    data = bytearray(CONTENT[:length])
    for place, mask in flips:
        if place < len(data):
            data[place] ^= mask
    path = tmp_path / "run.tilescope"
    path.write_bytes(data)
    with suppress(BadRunFile):
        assert is_same(read(path), SAVED)


@pytest.mark.parametrize(
    ("topic_id", "given", "cleared"),
    [
        ("quantization", {"report": "/home/me/.profile", "checkpoint": "/models/a"}, {"report": ""}),
        ("training", {"folder": "/home/me"}, {"folder": ""}),
        ("kernel-lab", {"file": "\\\\host\\share\\a.py"}, {"file": ""}),
        ("kernel-lab", {"file": "/home/me/a.py"}, {}),
    ],
)
def test_that_a_file_from_elsewhere_names_no_place_to_write_to_and_no_network(
    topic_id: str, given: dict[str, str], cleared: dict[str, str]
) -> None:
    topic = registry.topic(topic_id)
    params = topic.params.parse(given)
    assert topic.from_elsewhere(params) == params.changed(**cleared)


def test_that_every_place_that_a_run_writes_to_is_a_path() -> None:
    for topic_id in registry.TOPICS:
        topic = registry.topic(topic_id)
        assert set(topic.written_params) <= set(topic.path_params)
