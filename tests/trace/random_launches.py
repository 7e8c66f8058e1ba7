"""Launches of any shape: random tiles, structured offsets and masks, over a few small tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st

from core.contracts.text import verbatim
from core.trace.affine import Affine, Term
from core.trace.mask import Condition, Mask, Predicate, both, compare, from_array
from core.trace.record import Access, Buffer, Fault, Launch, Watched

ELEMENTS = 600
"""Elements per buffer; offsets stay inside."""

SHAPES = ((), (1,), (5,), (8,), (3, 4), (4, 2), (2, 3, 2))


DTYPES = {1: "int8", 2: "float16", 4: "float32", 8: "int64"}


@st.composite
def offsets(draw: st.DrawFn, lanes: int, shape: tuple[int, ...]) -> int | Affine:
    """A constant plus a few terms; some are progressions, some any numbers."""
    rank = len(shape)
    terms = []
    for axes in draw(st.sets(st.integers(1, (1 << (rank + 1)) - 1), max_size=3)):
        dims = [size if axes >> axis & 1 else 1 for axis, size in enumerate((lanes, *shape))]
        if math.prod(dims) == 1:
            continue
        exact = sum(1 << axis for axis, size in enumerate(dims) if size != 1)
        if any(term.axes == exact for term in terms):
            continue
        if draw(st.booleans()) and math.prod(dims) == max(dims):
            array = np.arange(max(dims)).reshape(dims) * draw(st.integers(1, 8))
        else:
            numbers = draw(st.lists(st.integers(0, 60), min_size=math.prod(dims), max_size=math.prod(dims)))
            array = np.array(numbers).reshape(dims)
        array = array.astype(np.int64)
        terms.append(Term(exact, array, int(array.min()), int(array.max())))
    constant = draw(st.integers(0, 60))
    return Affine(rank, constant, tuple(terms)) if terms else constant


@st.composite
def masks(draw: st.DrawFn, lanes: int, shape: tuple[int, ...]) -> Mask | None:
    predicate: Predicate = True
    for _ in range(draw(st.integers(0, 2))):
        offset = draw(offsets(lanes, shape))
        predicate = both(
            predicate, compare(draw(st.sampled_from(["lt", "ge", "ne"])), offset, draw(st.integers(0, 80)))
        )
    if draw(st.integers(0, 3)) == 0:
        size = lanes * math.prod(shape)
        bits = draw(st.lists(st.booleans(), min_size=size, max_size=size))
        predicate = both(predicate, from_array(np.array(bits).reshape(lanes, *shape)))
    if predicate is False:
        return Mask((Condition("array", None, np.zeros((1,) * (len(shape) + 1), dtype=np.bool_)),))
    return predicate if isinstance(predicate, Mask) else None


@st.composite
def launches(draw: st.DrawFn, kinds: tuple[str, ...] = ("load", "store", "atomic")) -> Launch:
    grid = draw(st.sampled_from([(1, 1, 1), (4, 1, 1), (3, 2, 1), (2, 1, 2)]))
    programs = math.prod(grid)
    sizes = draw(st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=3))
    buffers = tuple(
        Buffer(f"p{i}_ptr", DTYPES[size], size, ELEMENTS * size, 1 << 20 + i, (ELEMENTS,), (1,))
        for i, size in enumerate(sizes)
    )
    accesses = []
    for order in range(draw(st.integers(0, 5))):
        ids = sorted(draw(st.sets(st.integers(0, programs - 1), min_size=1)), reverse=draw(st.booleans()))
        shape = draw(st.sampled_from(SHAPES))
        buffer = draw(st.integers(0, len(buffers) - 1))
        accesses.append(
            Access(
                kind=draw(st.sampled_from(kinds)),  # type: ignore[arg-type]
                buffer=buffer,
                file=draw(st.sampled_from(["a.py", "b.py"])),
                line=draw(st.integers(1, 4)),
                iteration=tuple(draw(st.lists(st.integers(0, 3), max_size=2))),
                programs=np.array(ids, dtype=np.int64),
                shape=shape,
                offset=draw(offsets(len(ids), shape)),
                mask=draw(masks(len(ids), shape)),
                element_bytes=buffers[buffer].element_bytes,
                order=order,
            )
        )
    return Launch("kernel", "a.py", 3, "def kernel(): ...", "tt.func", grid, buffers, tuple(accesses))


def decorated(launch: Launch) -> Launch:
    """The same launch with a fault, a configuration, a watched variable and a count of FLOPs."""
    outside = verbatim("Program 1 reads past the end.")
    place = {"iteration": (2, 0), "element": (5,), "repair": verbatim("Mask the access.")}
    faults = (
        Fault(
            kind="out of bounds",
            access="load",
            buffer=0,
            file="a.py",
            line=2,
            program=1,
            index=700,
            count=3,
            sentence=outside,
            **place,  # type: ignore[arg-type]
        ),
        Fault(
            kind="division by zero",
            file="a.py",
            line=3,
            program=1,
            count=1,
            sentence=verbatim("Program 1 divides by 0."),
            value="7",
        ),
        Fault(
            kind="equal stores",
            access="store",
            buffer=0,
            file="a.py",
            line=4,
            program=1,
            index=0,
            count=8,
            sentence=outside,
            severity="remark",
            other_program=2,
            other_line=4,
        ),
    )
    watched = Watched("acc", np.array([0, 2]), np.array([[[1.0]], [[np.nan]]], dtype=np.float32), True)
    return Launch(
        **{
            **vars(launch),
            "faults": faults,
            "config": "BLOCK=16",
            "printed": ("pid 0",),
            "watched": {"acc": watched},
            "product_flops": 1 << 40,
        }
    )


def elements(launch: Launch) -> Iterator[tuple[Access, int, int]]:
    """Access, program and byte offset from the buffer's start of each element, program after program, in order."""
    for program in range(launch.programs):
        for access in launch.accesses:
            for lane in np.flatnonzero(access.programs == program):
                keep = access.active()[lane].reshape(-1)
                for offset in access.offsets()[lane].reshape(-1)[keep]:
                    yield access, program, int(offset) * access.element_bytes
