"""Damaged traces, results, events and messages: read back, or refused as the reader promises."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from core.contracts.errors import TilescopeError
from core.contracts.events import Failed, Finished, Progress, Started
from core.contracts.text import tr, verbatim
from core.engine import frames, wire
from core.trace.affine import Affine, Term
from core.trace.file import load, save
from core.trace.mask import Condition, Mask
from core.trace.record import Access, Buffer, Fault, Launch, Watched
from core.trace.traffic import traffic
from tests.engine.kept import KeptResult
from tests.robustness.attempt import Attempt
from tests.robustness.checkpoints import Bomb
from tests.robustness.damage import damaged, damaged_tree
from tests.robustness.histories import result_of

_TRACE_HEADER, _RESULT_HEADER = "__tilescope_trace__", "__result__"


def attempts(number: int, rng: Random, folder: Path) -> Attempt:
    """A file of a trace every second time; else a result, an event or a message."""
    return (_trace, _result, _trace, _event, _trace, _message)[number % 6](rng, folder)


def _trace(rng: Random, folder: Path) -> Attempt:
    path = folder / "trace.npz"
    path.write_bytes(_damaged_archive(_trace_bytes(), _TRACE_HEADER, rng, folder))

    def work() -> None:
        for launch in load(path):
            traffic([launch])

    return Attempt("trace", work, (TilescopeError,))


def _result(rng: Random, folder: Path) -> Attempt:
    data = _damaged_archive(result_of(1).to_bytes(), _RESULT_HEADER, rng, folder)
    return Attempt("result", lambda: KeptResult.from_bytes(data), (ValueError, TilescopeError))


def _event(rng: Random, folder: Path) -> Attempt:
    event = rng.choice(
        [
            Finished(result_of(2)),
            Progress(1, 2, tr("counting")),
            Started("worker", "cpu"),
            Failed(tr("{a} is wrong", a=tr("this"))),
        ]
    )
    line, newline, rest = wire.pack(event).partition(b"\n")
    if rng.random() < 0.5:
        data = json.dumps(damaged_tree(json.loads(line), rng)).encode() + newline + rest
    else:
        data = damaged(line + newline + rest, rng)
    return Attempt("event", lambda: str(wire.unpack(data, KeptResult)), (ValueError, TilescopeError))


def _message(rng: Random, folder: Path) -> Attempt:
    prefix, head, *rest = frames.pack({"kind": "event", "run": "x"}, [b"abc", bytes(5_000)])
    if rng.random() < 0.5:
        head = json.dumps(damaged_tree(json.loads(head), rng)).encode()
        prefix = len(head).to_bytes(8, "big")
        data = prefix + head + b"".join(rest)
    else:
        data = damaged(prefix + head + b"".join(rest), rng)
    stream = io.BytesIO(data)

    def read_exactly(size: int) -> bytes:
        found = stream.read(size)
        if len(found) < size:
            raise EOFError
        return found

    return Attempt("message", lambda: frames.read(read_exactly), (ValueError, EOFError))


def _damaged_archive(data: bytes, header: str, rng: Random, folder: Path) -> bytes:
    """An .npz whose bytes, header or arrays are damaged; or that unpacks to gigabytes, or holds a pickle."""
    way = rng.choice(["bytes", "bytes", "header", "header", "header", "arrays", "arrays", "objects", "bomb", "members"])
    if way == "bytes":
        return damaged(data, rng)
    with np.load(io.BytesIO(data)) as archive:
        members: dict[str, Any] = {name: archive[name] for name in archive.files}
    names = [name for name in members if name != header]
    if way == "header":
        members[header] = np.array(json.dumps(damaged_tree(json.loads(str(members[header])), rng)))
    elif way == "arrays":
        for name in rng.sample(names, rng.randint(1, len(names))):
            members[name] = _other_array(members[name], rng)
    elif way == "objects":
        members[rng.choice([header, *names])] = np.array([Bomb(folder / "executed")], dtype=object)
    elif way == "members":
        members = {name: members[name] for name in rng.sample(list(members), rng.randrange(len(members)))}
        members |= {rng.choice(["../x", "", "a" * 300, "\x1b"]): np.zeros(3)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **members)
    if way == "bomb":
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file, file.open("bomb.npy", "w") as member:
            shape = rng.choice([1 << 28, 1 << 33, 1 << 60])
            text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape},), }}".ljust(117) + "\n"
            member.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode())
            for _ in range(rng.choice([1, 64])):
                member.write(bytes(1 << 22))
    return buffer.getvalue()


def _other_array(array: np.ndarray, rng: Random) -> np.ndarray:
    way = rng.randrange(6)
    if way == 0:
        return array[: rng.randrange(len(array) + 1)] if array.ndim else array
    if way == 1:
        return array.astype(rng.choice(["f8", "c16", "U8", "M8[s]", "u1", "?"]))
    if way == 2:
        return array.reshape(-1, 1)
    if way == 3:
        return np.zeros(rng.choice([(), (0,), (3, 3), (0, 10**9)]))
    changed = array.copy()
    if changed.size and changed.dtype.kind in "iu":
        flat = changed.reshape(-1)
        for _ in range(3):
            value = rng.choice([-1, 2**31, 2**62, -(2**62), 10**6, 0])
            flat[rng.randrange(len(flat))] = np.array(value).astype(changed.dtype)
    return changed


@cache
def _trace_bytes() -> bytes:
    lanes = np.arange(4, dtype=np.int64)
    offset = Affine(1, 3, (Term(1, lanes.reshape(4, 1) * 8, 0, 24), Term(2, np.arange(8).reshape(1, 8), 0, 7)))
    mask = Mask((Condition("array", None, np.arange(32).reshape(4, 8) % 3 > 0),))
    accesses = tuple(
        Access(kind, buffer, "a.py", 2 + buffer, (buffer,), lanes, (8,), offset, mask if buffer else None, 4, buffer)
        for buffer, kind in enumerate(("load", "store", "atomic"))
    )
    launch = Launch(
        "kernel", "a.py", 3, "def kernel(): ...", "tt.func", (4, 1, 1),
        tuple(Buffer(f"p{i}_ptr", "float32", 4, 2400, 1 << 20 + i, (600,), (1,)) for i in range(3)), accesses,
        faults=(
            Fault(
                kind="out of bounds", access="load", buffer=0, file="a.py", line=2, program=1, index=700, count=3,
                sentence=verbatim("Program 1 reads past the end."),
            ),
        ),
        watched={"acc": Watched("acc", np.array([0, 2]), np.ones((2, 3, 4), dtype=np.float32))},
        config="BLOCK=16", printed=("pid 0",),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.npz"
        save(path, [launch])
        return path.read_bytes()
