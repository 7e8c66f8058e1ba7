"""The error of other versions of a checkpoint's weights: those of a quantized file of the same model, and those that
the package gguf makes of the weights. Measured per tensor, row by row, on all cores.

A block of GGUF lies within a row. A tensor whose rows are no whole blocks has no such version; llama.cpp gives it
another type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from core.checkpoint.errors import snr_db
from core.checkpoint.gguf_files import types
from core.checkpoint.gguf_files.naming import Held, Names
from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import cores
from core.checkpoint.names import layer_and_kind
from core.checkpoint.opening import Checkpoint
from core.checkpoint.quantized.floats import Floats
from core.checkpoint.quantized.reading import rows_of
from core.checkpoint.report import shape_text
from core.checkpoint.roles import Role, weight_rows
from core.contracts.result import number_or_none
from core.contracts.text import EMPTY, Text, tr

FILE, PACKAGE = "file", "gguf"
"""Where a version comes from: a file of the user, or the package gguf."""

_PART_ELEMENTS = 1 << 19
_NOT_THE_SAME = 0.5  # of the power: quantized weights are far closer, other weights are at about 2

Version = Callable[[int, int, Floats], Floats]
"""The rows from the first to before the second number as a version has them, given those of the original."""

OnPart = Callable[[int], None]
"""Called with the number of weights compared since the last call; may raise to stop."""


@dataclass(frozen=True)
class VersionErrors:
    """A tensor of the checkpoint against another version of it. `source` is FILE or PACKAGE, `format` a type of GGUF or
    the format of the file, `other` the tensor's name in the file.

    Errors are None where nothing was compared; `why` says why. Powers are sums over the weights that are numbers in
    both, and `lost` counts the others. `rearranged` says that rows were brought into the order of the original.
    """

    tensor: str
    layer: int
    kind: str
    shape: str
    role: str
    elements: int
    source: str
    format: str
    other: str = ""
    bits_per_weight: float | None = None
    snr_db: float | None = None
    relative_rmse: float | None = None
    max_abs_error: float | None = None
    signal_power: float = 0.0
    error_power: float = 0.0
    lost: int = 0
    rearranged: bool = False
    why: Text = EMPTY


@dataclass(frozen=True)
class VersionTotals:
    """The weight matrices of one version in one format, added up; `format` is '' for all formats of a file."""

    source: str
    format: str
    tensors: int
    elements: int
    bits_per_weight: float
    snr_db: float | None
    relative_rmse: float | None
    max_abs_error: float
    lost: int
    worst_tensor: str


@dataclass(frozen=True)
class Sums:
    power: float = 0.0
    error: float = 0.0
    largest: float = 0.0
    lost: int = 0

    def __add__(self, other: Sums) -> Sums:
        largest = max(self.largest, other.largest)
        return Sums(self.power + other.power, self.error + other.error, largest, self.lost + other.lost)

    @classmethod
    def of(cls, original: Floats, version: Floats) -> Sums:
        known = np.isfinite(original) & np.isfinite(version)
        lost = known.size - int(np.count_nonzero(known))
        weights, errors = original.astype(np.float64), version.astype(np.float64)
        if lost:
            weights, errors = np.where(known, weights, 0), np.where(known, errors, 0)
        errors -= weights
        largest = float(np.abs(errors).max(initial=0))
        return cls(float(np.vdot(weights, weights)), float(np.vdot(errors, errors)), largest, lost)


def compared(
    original: Checkpoint, file: Checkpoint | None, type_names: Sequence[str], on_part: OnPart
) -> Iterator[VersionErrors]:
    """Every tensor that a report measures against its version in `file`, whose weights are restored, and against each
    of the types of GGUF. Raises FileChanged."""
    names = None if file is None else Names({tensor.name: tensor for tensor in file.tensors}, file.metadata)
    with ThreadPoolExecutor(cores(), thread_name_prefix="comparing") as pool:
        for tensor in original.measured:
            rows = _Rows(tensor, pool, on_part)
            if names is not None:
                yield _against_file(rows, names.of(tensor.name))
            if type_names and len(tensor.shape) > 1:  # vectors stay in float32
                yield from _against_types(rows, type_names)


def compared_weights(weights: Floats, type_names: Sequence[str], tensor: StoredTensor) -> list[VersionErrors]:
    """The errors of types of GGUF on weights in memory, as many as fill whole blocks, in the name of `tensor`."""
    rows = []
    for name in type_names:
        block = types.block_type(name)
        assert block is not None
        blocks = weights[: len(weights) - len(weights) % block.block].reshape(-1, block.block)
        if len(blocks):
            sums = Sums.of(blocks, types.restored(types.quantized(blocks, name), name))
            rows.append(_row(tensor, PACKAGE, name, sums, block.bits_per_weight))
    return rows


def version_totals(rows: Sequence[VersionErrors]) -> tuple[VersionTotals, ...]:
    """Per source and format, and before the formats of a file all of them together. They count the weight matrices, or
    whatever there is where there is none."""
    groups: dict[tuple[str, str], list[VersionErrors]] = {}
    for row in (row for row in rows if not row.why):
        if row.source == FILE:
            groups.setdefault((FILE, ""), []).append(row)
        groups.setdefault((row.source, row.format), []).append(row)
    counted = {key: weight_rows(group) for key, group in groups.items()}
    matrices = any(row.role == Role.MATRIX for row in rows if not row.why)
    shown = {key: group for key, group in counted.items() if not matrices or group[0].role == Role.MATRIX}
    return tuple(_total(source, name, group) for (source, name), group in shown.items())


class _Rows:
    """The rows of one original tensor, read part by part, each compared with the versions of these rows."""

    def __init__(self, tensor: StoredTensor, pool: ThreadPoolExecutor, on_part: OnPart) -> None:
        self.tensor = tensor
        self.columns = tensor.shape[-1] if tensor.shape else 1
        self.count = tensor.elements // self.columns
        self.read = rows_of(tensor)
        self._pool, self._on_part = pool, on_part

    def compare(self, versions: Sequence[Version], multiple: int = 1) -> list[Sums]:
        """The sums of each version; parts begin at a multiple of so many rows."""
        step = max(1, _PART_ELEMENTS // self.columns // multiple) * multiple

        def part(begin: int) -> list[Sums]:
            end = min(begin + step, self.count)
            original = self.read(begin, end)
            return [Sums.of(original, version(begin, end, original)) for version in versions]

        totals, begins = [Sums() for _ in versions], range(0, self.count, step)
        for begin, sums in zip(begins, self._pool.map(part, begins), strict=True):
            totals = [total + more for total, more in zip(totals, sums, strict=True)]
            self._on_part((min(begin + step, self.count) - begin) * self.columns)
        return totals


def _against_types(rows: _Rows, type_names: Sequence[str]) -> Iterator[VersionErrors]:
    blocks = {name: block for name in type_names if (block := types.block_type(name)) is not None}
    fitting = [name for name, block in blocks.items() if rows.columns % block.block == 0]
    measured = dict(zip(fitting, rows.compare([_by_package(name) for name in fitting]), strict=True)) if fitting else {}
    for name, block in blocks.items():
        if name in measured:
            yield _row(rows.tensor, PACKAGE, name, measured[name], block.bits_per_weight)
        else:
            why = tr(
                "its rows of {columns:,} weights are no whole blocks of {block}",
                columns=rows.columns,
                block=block.block,
            )
            yield _row(rows.tensor, PACKAGE, name, None, None, why=why)


def _by_package(name: str) -> Version:
    return lambda begin, end, original: types.restored(types.quantized(original, name), name)


def _against_file(rows: _Rows, held: Held | None) -> VersionErrors:
    tensor = rows.tensor
    if held is None:
        return _row(tensor, FILE, "", None, None, why=tr("the file has no tensor of this name"))
    other = held.tensor
    bits = 8 * other.bytes / other.elements if other.elements else None

    def row(sums: Sums | None = None, why: Text = EMPTY, rearranged: bool = False) -> VersionErrors:
        return _row(tensor, FILE, other.dtype, sums, bits, other=other.name, rearranged=rearranged, why=why)

    if other.skipped:
        return row(why=other.skipped)
    experts = 1 if held.expert is None else other.shape[0]
    fits = other.shape[-1:] == tensor.shape[-1:] and other.elements == experts * tensor.elements
    if not fits or (held.expert is not None and held.expert >= experts):
        return row(why=tr("the file has it as {shape}", shape=shape_text(other)))
    read, first = rows_of(other), (held.expert or 0) * rows.count
    plain: Version = lambda begin, end, _: read(first + begin, first + end)  # noqa: E731
    version, rearranged = _in_order(rows, plain, held.head_rows)
    (sums,) = rows.compare([version], held.head_rows or 1)
    if sums.power and sums.error > _NOT_THE_SAME * sums.power:
        why = tr(
            "the file has other weights there: the error is {share:.0%} of their power", share=sums.error / sums.power
        )
        return row(why=why)
    return row(sums, rearranged=rearranged)


def _in_order(rows: _Rows, version: Version, head_rows: int) -> tuple[Version, bool]:
    """The version with its rows in the order of the original, and whether they had another one.

    llama.cpp interleaves the two halves of each head of a Llama model (`permute` of its converter), and not those of
    others. The first head tells which order a file has.
    """
    if not head_rows:
        return version, False

    def reordered(begin: int, end: int, original: Floats) -> Floats:
        read = version(begin, end, original)
        return read.reshape(-1, head_rows // 2, 2, rows.columns).swapaxes(1, 2).reshape(read.shape)

    original = rows.read(0, head_rows)
    as_stored, changed = (Sums.of(original, each(0, head_rows, original)).error for each in (version, reordered))
    return (reordered, True) if changed < as_stored else (version, False)


def _row(
    tensor: StoredTensor,
    source: str,
    format_id: str,
    sums: Sums | None,
    bits: float | None,
    *,
    other: str = "",
    rearranged: bool = False,
    why: Text = EMPTY,
) -> VersionErrors:
    layer, kind = layer_and_kind(tensor.name)
    about = (tensor.name, layer, kind, shape_text(tensor), tensor.role.value, tensor.elements, source, format_id, other)
    if sums is None:
        return VersionErrors(*about, bits_per_weight=bits, why=why)
    return VersionErrors(
        *about,
        bits_per_weight=bits,
        snr_db=number_or_none(snr_db(sums.power, sums.error)),
        relative_rmse=math.sqrt(sums.error / sums.power) if sums.power else None,
        max_abs_error=sums.largest,
        signal_power=sums.power,
        error_power=sums.error,
        lost=sums.lost,
        rearranged=rearranged,
    )


def _total(source: str, format_id: str, rows: Sequence[VersionErrors]) -> VersionTotals:
    power, error = sum(row.signal_power for row in rows), sum(row.error_power for row in rows)
    elements = sum(row.elements for row in rows)
    worst = min((row for row in rows if row.snr_db is not None), key=lambda row: row.snr_db or 0, default=None)
    return VersionTotals(
        source,
        format_id,
        len(rows),
        elements,
        sum((row.bits_per_weight or 0) * row.elements for row in rows) / elements,
        number_or_none(snr_db(power, error)),
        math.sqrt(error / power) if power else None,
        max(row.max_abs_error or 0 for row in rows),
        sum(row.lost for row in rows),
        "" if worst is None else worst.tensor,
    )
