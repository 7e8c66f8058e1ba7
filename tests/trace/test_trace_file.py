"""A trace survives being saved and opened; a file that is not a trace is refused with one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from core.trace.file import decode, encode, load, save
from core.trace.record import Launch
from core.trace.traffic import traffic
from tests.interpreter.traced_cases import CASES
from tests.trace.random_launches import decorated, launches


def assert_same(launch: Launch, expected: Launch) -> None:
    for name in (
        "function",
        "file",
        "first_line",
        "source",
        "ttir",
        "grid",
        "buffers",
        "config",
        "faults",
        "printed",
        "product_flops",
    ):
        assert getattr(launch, name) == getattr(expected, name)
    assert list(launch.watched) == list(expected.watched)
    for name, watched in expected.watched.items():
        np.testing.assert_array_equal(launch.watched[name].programs, watched.programs)
        np.testing.assert_array_equal(launch.watched[name].values, watched.values)
        assert launch.watched[name].truncated == watched.truncated
    assert len(launch.accesses) == len(expected.accesses)
    for a, b in zip(launch.accesses, expected.accesses, strict=True):
        for name in ("kind", "buffer", "file", "line", "iteration", "shape", "element_bytes", "order"):
            assert getattr(a, name) == getattr(b, name)
        np.testing.assert_array_equal(a.programs, b.programs)
        np.testing.assert_array_equal(a.offsets(), b.offsets())
        np.testing.assert_array_equal(a.active(), b.active())
        assert (a.mask is None) == (b.mask is None)


def sentence_of(call: Callable[[], object]) -> str:
    """What `call` was refused with, or what it would have been: harmless damage is read as it is."""
    try:
        call()
    except TilescopeError as error:
        return str(error)
    return "The trace is damaged, but not where it matters."


@given(st.lists(launches(), max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_that_encoding_and_decoding_give_the_trace_back(traced: list[Launch]) -> None:
    traced = [decorated(launch) for launch in traced]
    rows, arrays = encode(traced)
    assert all(isinstance(value, str | int | bool) for row in rows for value in row.values())
    for decoded, expected in zip(decode(json.loads(json.dumps(rows)), arrays), traced, strict=True):
        assert_same(decoded, expected)


def test_that_faults_of_older_files_keep_their_english_sentence() -> None:
    launch = decorated(Launch("kernel", "a.py", 1, "", "", (1, 1, 1), (), ()))
    rows, arrays = encode([launch])
    older = [{name: value for name, value in row.items() if name != "text" or row["row"] != "fault"} for row in rows]
    (opened,) = decode(older, arrays)
    assert [str(fault.sentence) for fault in opened.faults] == [str(fault.sentence) for fault in launch.faults]


@pytest.mark.parametrize("case", ["matmul", "ragged_sum", "gather", "branch"])
def test_that_a_saved_trace_opens_again(case: str, tmp_path: Path) -> None:
    with intercept(watch=("acc",)) as tracer:
        CASES[case]()
    save(tmp_path / "trace.npz", tracer.launches)
    opened = load(tmp_path / "trace.npz")
    for a, b in zip(opened, tracer.launches, strict=True):
        assert_same(a, b)
        assert traffic(a) == traffic(b)
        assert a.trace_bytes() <= 2 * b.trace_bytes() + 1024


def test_that_shared_arrays_are_written_once() -> None:
    with intercept() as tracer:
        CASES["matmul"]()
    (launch,) = tracer.launches
    _, arrays = encode([launch])
    assert arrays["numbers"].size * 8 <= launch.trace_bytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("trace") / "trace.npz"
    with intercept() as tracer:
        CASES["add"]()
    save(path, tracer.launches)
    return path.read_bytes()


@given(data=st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_a_damaged_file_gets_one_sentence(data: st.DataObject, written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    damaged = bytearray(written)
    for position in data.draw(st.lists(st.integers(0, len(written) - 1), min_size=1, max_size=4)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, len(written)))])
    sentence = sentence_of(lambda: load(path))
    assert sentence.endswith(".")
    assert "\n" not in sentence


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_that_wrong_numbers_in_a_trace_get_one_sentence(data: st.DataObject) -> None:
    launch = data.draw(launches())
    rows, arrays = encode([launch])
    name = data.draw(st.sampled_from(["accesses", "terms", "conditions", "arrays", "sizes"]))
    if not arrays[name].size:
        return
    arrays[name].flat[data.draw(st.integers(0, arrays[name].size - 1))] = data.draw(st.integers(-3, 40))

    def read() -> None:
        for access in decode(rows, arrays)[0].accesses:
            access.offsets()
            access.active()

    assert sentence_of(read).startswith("The trace is damaged")


def test_that_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    text, archive, newer = tmp_path / "notes.txt", tmp_path / "other.npz", tmp_path / "newer.npz"
    text.write_text("not a trace")
    np.savez(archive, x=np.zeros(3))
    np.savez(newer, __tilescope_trace__=np.array(json.dumps({"version": 2, "rows": []})))
    for path, sentence in (
        (text, "is not a trace"),
        (archive, "is not a trace"),
        (newer, "format 2"),
        (tmp_path / "absent.npz", "could not be opened"),
        (tmp_path, "could not be opened"),
    ):
        with pytest.raises(TilescopeError, match=sentence):
            load(path)
    with pytest.raises(TilescopeError, match="could not be written"):
        save(tmp_path / "no" / "such" / "folder.npz", [])
