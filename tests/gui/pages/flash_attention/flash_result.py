"""A result of flash-attention without running anything: the accesses of both kernels written out by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from core.comparison import ImplResult
from core.contracts.result import Environment, LineTraffic, Metric, Provenance
from core.contracts.text import Text
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import Plan, plan
from core.topics.flash_attention.result import FlashAttentionResult, GpuTimeline, SoftmaxStates, SweepStep
from core.topics.flash_attention.softmax import row_softmax
from core.trace.affine import from_array
from core.trace.file import EncodedTrace
from core.trace.kernel_traffic import TensorTraffic
from core.trace.record import Access, Buffer, Launch

Touch = tuple[str, int, int, bool]
"""Tensor, first byte, last byte (exclusive), is a write."""
FILE = "kernels/attention/triton/flash.py"
FLASH_K_LINE, FLASH_V_LINE, FLASH_Q_LINE, FLASH_O_LINE = 66, 74, 128, 160
_LINES = {"Q": FLASH_Q_LINE, "K": FLASH_K_LINE, "V": FLASH_V_LINE, "O": FLASH_O_LINE, "LSE": FLASH_O_LINE + 2}
_TENSORS = {"standard": ("Q", "K", "V", "S", "P", "O"), "flash": ("Q", "K", "V", "O", "LSE")}


def flash_result(params: FlashAttentionParams, *, gpu: bool = False, accumulator: bool = True) -> FlashAttentionResult:
    """What the experiment returns for `params`, one head traced; with `gpu` also times and a timeline."""
    planned = plan(params)
    standard = [_launch(params, name, _TENSORS["standard"], list(programs)) for name, programs in _standard(params)]
    flash = _launch(params, "flash_fwd", _TENSORS["flash"], list(_flash(params, planned)))
    return FlashAttentionResult(
        params=params,
        environment=Environment("cuda (test)" if gpu else "cpu", "test"),
        metrics={"flash.S_bytes": Metric(0.0, "bytes", Provenance.TRACED)},
        schedule=_launch_order(planned),
        softmax=_softmax(params, planned, accumulator),
        traces={"standard": EncodedTrace.of(standard), "flash": EncodedTrace.of([flash])},
        timeline=_timeline(planned) if gpu else None,
        traffic=tuple(
            TensorTraffic(
                row.kernel, f"{row.kernel}_fwd", row.tensor, row.read_bytes, row.written_bytes, row.unique_bytes
            )
            for row in planned.traffic
        ),
        lines=_lines(),
        comparison=_comparison(gpu),
        sweep=(SweepStep(128, 128, 500, 100),),
    )


def old_archive(result: FlashAttentionResult) -> bytes:
    """The result as it was stored before results were typed: arrays and tables by name, maps in place of traces."""
    states, ones = result.softmax, np.ones((4, 4), np.uint32)
    arrays = {
        "schedule": result.schedule,
        "softmax.max": states.maximum,
        "softmax.sum": states.total,
        "softmax.acc": states.accumulator,
        "softmax.acc_norm": states.accumulator_norm,
        "address.flash.read": ones,
        "address.flash.write": ones,
        "address.flash.program_edges": np.array([0.0, 1.0]),
    }
    if result.timeline is not None:
        arrays |= {f"timeline.{name}": array for name, array in vars(result.timeline).items()}
    tables: dict[str, Any] = {
        name: [_as_stored(row) for row in getattr(result, name)]
        for name in ("traffic", "lines", "sources", "comparison", "sweep")
    }
    figure = {"kernel": "flash", "quantity": "HBM", "unit": "GB", "published": 4.4, "modelled": 4.41}
    term = {"kernel": "flash", "quantity": "HBM", "phase": "forward", "what": "line 2", "count": 1.0}
    tables |= {
        "bands": [{"kernel": "flash", "tensor": "Q", "first_byte": 0, "last_byte": 9}],
        "address_axes": [{"kernel": "flash", "accesses": 1, "bytes": 10}],
        "paper": [{**figure, "deviation_percent": 0.2, "assumptions": "Algorithms 1 and 4", "headline": True}],
        "paper_terms": [{**term, "of": "N×d matrix (fp16)", "amount": 134217728.0}],
    }
    header = {
        "topic": result.topic,
        "params": result.params_json,
        "environment": {"device": "cpu", "backend": "test", "versions": {}},
        "metrics": {name: _as_stored(metric) for name, metric in result.metrics.items()},
        "tables": tables,
    }
    buffer = io.BytesIO()
    kept = {f"array:{name}": array for name, array in arrays.items() if array is not None}
    np.savez_compressed(buffer, __result__=np.array(json.dumps(header)), **kept)
    return buffer.getvalue()


def _as_stored(row: Any) -> dict[str, Any]:
    """The fields of a row; texts were strings."""
    return {name: str(value) if isinstance(value, Text) else value for name, value in vars(row).items()}


def _launch(
    params: FlashAttentionParams, function: str, tensors: tuple[str, ...], programs: list[list[Touch]]
) -> Launch:
    """The touches of each program, in turn; what several programs do in the same way is one access."""
    sizes = _sizes(params, tensors)
    places, address = {}, 4096
    for tensor, size in sizes.items():
        places[tensor], address = address, address + size
    width = {tensor: 4 if tensor == "LSE" or params.dtype == "fp32" else 2 for tensor in tensors}
    buffers = tuple(Buffer(tensor, params.dtype, width[tensor], size, places[tensor]) for tensor, size in sizes.items())
    alike: dict[tuple[int, str, bool, int], list[tuple[int, int]]] = {}
    for program, touches in enumerate(programs):
        for order, (tensor, first, last, write) in enumerate(touches):
            alike.setdefault((order, tensor, write, last - first), []).append((program, first))
    accesses = []
    for (order, tensor, write, size), lanes in sorted(alike.items()):
        elements, line = size // width[tensor], _LINES[tensor] if function == "flash_fwd" else 21
        first = np.array([first for _, first in lanes])[:, None] // width[tensor]
        offset = from_array(first + np.arange(elements)[None, :], 1)
        ids = np.array([program for program, _ in lanes])
        buffer = tensors.index(tensor)
        accesses.append(
            Access(
                "store" if write else "load",
                buffer,
                FILE,
                line,
                (),
                ids,
                (elements,),
                offset,
                None,
                width[tensor],
                order,
            )
        )
    return Launch(function, FILE, 1, "", "", (len(programs), 1, 1), buffers, tuple(accesses))


def _timeline(planned: Plan) -> GpuTimeline:
    rng, params = np.random.default_rng(0), planned.params
    count = planned.tiles.shape[0] * params.heads * params.batch
    start = (np.arange(count) // 108) * 12.0 + rng.random(count)
    none = np.zeros(count, np.int32)
    sm = (np.arange(count) % 108).astype(np.int32)
    return GpuTimeline(sm, start, start + 8 + 3 * rng.random(count), q_block=none, head=none, batch=none)


def _launch_order(planned: Plan) -> np.ndarray:
    """The plan's schedule from the last Q block to the first, as a causal launch runs it, unlike the plan."""
    blocks = sorted(set(planned.schedule[:, 0].tolist()), reverse=True)
    rows = np.concatenate([planned.schedule[planned.schedule[:, 0] == block] for block in blocks])
    return np.column_stack([np.arange(len(rows), dtype=np.int32), rows])


def _softmax(params: FlashAttentionParams, planned: Plan, accumulator: bool) -> SoftmaxStates:
    shape = (params.seq_len, planned.tiles.shape[1])
    maximum, total = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    acc = np.full((*shape, params.head_dim), np.nan, np.float32)
    for row in range(params.seq_len):
        state = row_softmax(params, row)
        seen = slice(0, state.maximum.size)
        maximum[row, seen], total[row, seen], acc[row, seen] = state.maximum, state.total, state.accumulator
    norm = None if accumulator else np.linalg.norm(acc, axis=2)
    return SoftmaxStates(maximum, total, acc if accumulator else None, norm)


def _sizes(params: FlashAttentionParams, tensors: tuple[str, ...]) -> dict[str, int]:
    element = 4 if params.dtype == "fp32" else 2
    rows, columns, width = params.seq_len, params.key_len, params.head_dim
    sizes = {"Q": rows * width, "K": columns * width, "V": columns * width, "O": rows * width, "S": rows * columns}
    return {t: rows * 4 if t == "LSE" else sizes["S" if t == "P" else t] * element for t in tensors}


def _tile(params: FlashAttentionParams, tensor: str, block: int, rows: int) -> tuple[str, int, int]:
    """Rows of a tile as a byte range; a tile of S or P covers whole rows."""
    element = 4 if params.dtype == "fp32" else 2
    width = {"S": params.key_len * element, "P": params.key_len * element, "LSE": 4}
    row_bytes = width.get(tensor, params.head_dim * element)
    length = params.key_len if tensor in ("K", "V") else params.seq_len
    return tensor, block * rows * row_bytes, min(length, (block + 1) * rows) * row_bytes


def _flash(params: FlashAttentionParams, planned: Plan) -> Iterator[list[Touch]]:
    for q_block in reversed(range(planned.tiles.shape[0])):
        program = [(*_tile(params, "Q", q_block, params.block_q), False)]
        for kv_block in np.flatnonzero(planned.tiles[q_block]):
            program += [(*_tile(params, tensor, int(kv_block), params.block_kv), False) for tensor in "KV"]
        program += [(*_tile(params, tensor, q_block, params.block_q), True) for tensor in ("O", "LSE")]
        yield program


def _standard(params: FlashAttentionParams) -> Iterator[tuple[str, list[list[Touch]]]]:
    """The programs of each of the three kernels."""
    q_blocks, kv_blocks = -(-params.seq_len // params.block_q), -(-params.key_len // params.block_kv)
    rows, columns = range(q_blocks), range(kv_blocks)

    def part(tensor: str, q_block: int, kv_block: int, write: bool) -> Touch:
        name, first, last = _tile(params, tensor, q_block, params.block_q)
        size = (last - first) // kv_blocks // 4 * 4
        return name, first + size * kv_block, first + size * (kv_block + 1), write

    def tile(tensor: str, block: int, write: bool = False) -> Touch:
        return (*_tile(params, tensor, block, params.block_kv if tensor in "KV" else params.block_q), write)

    yield (
        "scores_fwd",
        [[tile("Q", row), tile("K", column), part("S", row, column, True)] for row in rows for column in columns],
    )
    yield "softmax_fwd", [[tile("S", row), tile("P", row, True)] for row in rows]
    yield (
        "output_fwd",
        [
            [
                *(touch for column in columns for touch in (part("P", row, column, False), tile("V", column))),
                tile("O", row, True),
            ]
            for row in rows
        ],
    )


def _lines() -> tuple[LineTraffic, ...]:
    rows = (
        ("flash", "flash_fwd", FLASH_Q_LINE, "load", "Q"),
        ("flash", "flash_fwd", FLASH_K_LINE, "load", "K"),
        ("flash", "flash_fwd", FLASH_V_LINE, "load", "V"),
        ("flash", "flash_fwd", FLASH_O_LINE, "store", "O"),
        ("standard", "scores_fwd", 21, "store", "S"),
    )
    return tuple(
        LineTraffic(kernel, function, FILE, line, op, tensor, 100, 1000, 0.0)
        for kernel, function, line, op, tensor in rows
    )


def _comparison(gpu: bool) -> tuple[ImplResult, ...]:
    rng = np.random.default_rng(1)
    here = "cuda" if gpu else "cpu"
    missing = "sdpa-cudnn needs an NVIDIA GPU, but this is a ROCm build of PyTorch."
    rows = (
        ("torch-naive", "PyTorch, three operations", here, 12.3, 2.1e-4),
        ("triton-standard", "Triton standard, three kernels", here if gpu else "emulated", 9.4, 2.3e-4),
        ("triton-flash", "Triton flash", here if gpu else "emulated", 2.1, 1.3e-4),
        ("sdpa-math", "PyTorch SDPA, math", here, 8.3, 1.9e-4),
        ("sdpa-flash", "PyTorch SDPA, flash", here, 4.3, 1.2e-4),
        ("sdpa-efficient", "PyTorch SDPA, memory-efficient", "unavailable", None, None),
        ("sdpa-cudnn", "PyTorch SDPA, cuDNN", "unavailable", None, None),
    )
    return tuple(
        ImplResult(
            impl,
            Text(label),
            runs_on,
            Text(missing if runs_on == "unavailable" else ""),
            time_ms=time,
            time_ms_samples=() if time is None else tuple((time * (0.97 + 0.1 * rng.random(10))).tolist()),
            max_abs_error=None if error is None else error * 8,
            rms_error=error,
            allowed_rms_error=None if error is None else 4.2e-4,
            passed=None if error is None else True,
        )
        for impl, label, runs_on, time, error in rows
    )
