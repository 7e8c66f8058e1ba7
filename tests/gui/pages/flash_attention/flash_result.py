"""A result of flash-attention without running anything: the accesses of both kernels written out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from core.contracts.result import Environment, Metric, Provenance, Result
from core.topics.flash_attention.model import Plan, plan
from core.topics.flash_attention.model.softmax import row_softmax
from core.topics.flash_attention.params import FlashAttentionParams

Access = tuple[str, int, int, bool]
"""Tensor, first byte, last byte (exclusive), is a write."""
_HEIGHT, _WIDTH = 256, 512
FLASH_K_LINE, FLASH_V_LINE, FLASH_Q_LINE, FLASH_O_LINE = 66, 74, 128, 160


def flash_result(params: FlashAttentionParams, *, gpu: bool = False, accumulator: bool = True) -> Result:
    """What the experiment returns for `params`, one head traced; with `gpu` also times and a timeline."""
    made = plan(params)
    arrays: dict[str, np.ndarray] = {"schedule": _launch_order(made)}
    arrays |= _softmax(params, made, accumulator)
    tables: dict[str, list[dict[str, Any]]] = {"bands": [], "address_axes": []}
    for kernel, programs in (("standard", list(_standard(params))), ("flash", list(_flash(params, made)))):
        sizes = _sizes(params, ("Q", "K", "V", "S", "P", "O") if kernel == "standard" else ("Q", "K", "V", "O", "LSE"))
        arrays |= _raster(kernel, programs, sizes)
        first = 0
        for tensor, size in sizes.items():
            last = first + size - 1
            tables["bands"].append({"kernel": kernel, "tensor": tensor, "first_byte": first, "last_byte": last})
            first += size
        accesses = sum(len(program) for program in programs)
        tables["address_axes"].append({"kernel": kernel, "accesses": accesses, "bytes": first})
    if gpu:
        rng = np.random.default_rng(0)
        count = made.tiles.shape[0] * params.heads * params.batch
        start = (np.arange(count) // 108) * 12.0 + rng.random(count)
        arrays["timeline.sm"] = (np.arange(count) % 108).astype(np.int32)
        arrays["timeline.start_us"], arrays["timeline.end_us"] = start, start + 8 + 3 * rng.random(count)
    tables["traffic"] = [
        {"kernel": row.kernel, "function": f"{row.kernel}_fwd", "tensor": row.tensor, "read_bytes": row.read_bytes,
         "written_bytes": row.written_bytes, "unique_bytes": row.unique_bytes}
        for row in made.traffic
    ]  # fmt: skip
    tables["lines"] = _lines()
    tables["comparison"] = _comparison(gpu)
    tables["sources"] = []
    return Result(
        topic="flash-attention",
        params=params.model_dump(mode="json"),
        environment=Environment("cuda (test)" if gpu else "cpu", "test"),
        metrics={"flash.S_bytes": Metric(0.0, "bytes", Provenance.TRACED)},
        arrays=arrays,
        tables=tables,
    )


def _launch_order(made: Plan) -> np.ndarray:
    """The plan's schedule from the last Q block to the first, as a causal launch has it, so that it differs."""
    blocks = sorted(set(made.schedule[:, 0].tolist()), reverse=True)
    rows = np.concatenate([made.schedule[made.schedule[:, 0] == block] for block in blocks])
    return np.column_stack([np.arange(len(rows), dtype=np.int32), rows])


def _softmax(params: FlashAttentionParams, made: Plan, accumulator: bool) -> dict[str, np.ndarray]:
    shape = (params.seq_len, made.tiles.shape[1])
    maximum, total = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    acc = np.full((*shape, params.head_dim), np.nan, np.float32)
    for row in range(params.seq_len):
        state = row_softmax(params, row)
        seen = slice(0, state.maximum.size)
        maximum[row, seen], total[row, seen], acc[row, seen] = state.maximum, state.total, state.accumulator
    kept = {"softmax.acc": acc} if accumulator else {"softmax.acc_norm": np.linalg.norm(acc, axis=2)}
    return {"softmax.max": maximum, "softmax.sum": total, **kept}


def _sizes(params: FlashAttentionParams, tensors: tuple[str, ...]) -> dict[str, int]:
    element = 4 if params.dtype == "fp32" else 2
    rows, columns, width = params.seq_len, params.key_len, params.head_dim
    sizes = {"Q": rows * width, "K": columns * width, "V": columns * width, "O": rows * width, "S": rows * columns}
    return {t: rows * 4 if t == "LSE" else sizes["S" if t == "P" else t] * element for t in tensors}


def _tile(params: FlashAttentionParams, tensor: str, block: int, rows: int) -> tuple[str, int, int]:
    """Rows of a tile as a byte range; a tile of S or P takes its rows whole."""
    element = 4 if params.dtype == "fp32" else 2
    width = {"S": params.key_len * element, "P": params.key_len * element, "LSE": 4}
    row_bytes = width.get(tensor, params.head_dim * element)
    length = params.key_len if tensor in ("K", "V") else params.seq_len
    return tensor, block * rows * row_bytes, min(length, (block + 1) * rows) * row_bytes


def _flash(params: FlashAttentionParams, made: Plan) -> Iterator[list[Access]]:
    for q_block in reversed(range(made.tiles.shape[0])):
        program = [(*_tile(params, "Q", q_block, params.block_q), False)]
        for kv_block in np.flatnonzero(made.tiles[q_block]):
            program += [(*_tile(params, tensor, int(kv_block), params.block_kv), False) for tensor in "KV"]
        program += [(*_tile(params, tensor, q_block, params.block_q), True) for tensor in ("O", "LSE")]
        yield program


def _standard(params: FlashAttentionParams) -> Iterator[list[Access]]:
    q_blocks, kv_blocks = -(-params.seq_len // params.block_q), -(-params.key_len // params.block_kv)
    for q_block in range(q_blocks):
        for kv_block in range(kv_blocks):
            scores, first, last = _tile(params, "S", q_block, params.block_q)
            yield [
                (*_tile(params, "Q", q_block, params.block_q), False),
                (*_tile(params, "K", kv_block, params.block_kv), False),
                (scores, first + (last - first) * kv_block // kv_blocks,
                 first + (last - first) * (kv_block + 1) // kv_blocks, True),
            ]  # fmt: skip
    for q_block in range(q_blocks):
        yield [
            (*_tile(params, "S", q_block, params.block_q), False),
            (*_tile(params, "P", q_block, params.block_q), True),
        ]
    for q_block in range(q_blocks):
        program = []
        for kv_block in range(kv_blocks):
            tensor, first, last = _tile(params, "P", q_block, params.block_q)
            program += [
                (tensor, first + (last - first) * kv_block // kv_blocks,
                 first + (last - first) * (kv_block + 1) // kv_blocks, False),
                (*_tile(params, "V", kv_block, params.block_kv), False),
            ]  # fmt: skip
        yield [*program, (*_tile(params, "O", q_block, params.block_q), True)]


def _raster(kernel: str, programs: list[list[Access]], sizes: dict[str, int]) -> dict[str, np.ndarray]:
    starts = np.cumsum([0, *sizes.values()])
    base = dict(zip(sizes, starts.tolist(), strict=False))
    counts = {write: np.zeros((_HEIGHT, _WIDTH), np.uint32) for write in (False, True)}
    edges = np.cumsum([0, *(len(program) for program in programs)]).astype(np.float64)
    scale_y, scale_x = _HEIGHT / starts[-1], _WIDTH / edges[-1]
    x = 0
    for program in programs:
        for tensor, first, last, write in program:
            top, bottom = int((base[tensor] + first) * scale_y), int(np.ceil((base[tensor] + last) * scale_y))
            counts[write][top:bottom, int(x * scale_x) : max(int(x * scale_x) + 1, int((x + 1) * scale_x))] += 1
            x += 1
    return {
        f"address.{kernel}.read": counts[False],
        f"address.{kernel}.write": counts[True],
        f"address.{kernel}.program_edges": edges,
    }


def _lines() -> list[dict[str, Any]]:
    rows = (
        ("flash", "flash_fwd", FLASH_Q_LINE, "load", "Q"),
        ("flash", "flash_fwd", FLASH_K_LINE, "load", "K"),
        ("flash", "flash_fwd", FLASH_V_LINE, "load", "V"),
        ("flash", "flash_fwd", FLASH_O_LINE, "store", "O"),
        ("standard", "scores_fwd", 21, "store", "S"),
    )
    return [
        {"kernel": kernel, "function": function, "file": "kernels/attention/flash.py", "line": line, "op": op,
         "tensor": tensor, "accesses": 100, "bytes": 1000, "masked_share": 0.0}
        for kernel, function, line, op, tensor in rows
    ]  # fmt: skip


def _comparison(gpu: bool) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    here = "cuda" if gpu else "cpu"
    missing = "cuDNN's attention needs an NVIDIA GPU of compute capability 8.0 or newer."
    rows = (
        ("torch-naive", "PyTorch, naive", here, 12.3, 2.1e-4),
        ("triton-standard", "Triton, standard", here if gpu else "emulated", 9.4, 2.3e-4),
        ("triton-flash", "Triton, flash", here if gpu else "emulated", 2.1, 1.3e-4),
        ("sdpa-math", "SDPA, math", here, 8.3, 1.9e-4),
        ("sdpa-flash", "SDPA, flash", here, 4.3, 1.2e-4),
        ("sdpa-efficient", "SDPA, efficient", "unavailable", None, None),
        ("sdpa-cudnn", "SDPA, cuDNN", "unavailable", None, None),
    )
    return [
        {"impl": impl, "label": label, "runs_on": runs_on, "reason": missing if runs_on == "unavailable" else None,
         "time_ms": time, "time_ms_samples": None if time is None else (time * (0.97 + 0.1 * rng.random(10))).tolist(),
         "tflops": None, "peak_memory_bytes": None, "max_abs_error": None if error is None else error * 8,
         "rms_error": error, "allowed_rms_error": None if error is None else 4.2e-4,
         "passed": None if error is None else True}
        for impl, label, runs_on, time, error in rows
    ]  # fmt: skip
