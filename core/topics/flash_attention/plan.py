"""The whole model in one call: from the parameters to everything that the page draws before a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, sentences, tr
from core.format import quantity
from core.hardware.gpus import Gpu
from core.hardware.gpus import gpu as find_gpu
from core.hardware.host import host_facts
from core.hardware.roofline import Roofline, roofline
from core.masks import TileClass
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.softmax import RowSoftmax, row_softmax
from core.topics.flash_attention.tiles import (
    ForwardFlops,
    IoComplexity,
    flash_traffic,
    forward_flops,
    io_complexity,
    launch_order,
    standard_traffic,
    tile_classes,
    total_bytes,
)
from core.trace.kernel_traffic import TensorTraffic

KERNELS = ("standard", "flash")
TENSORS = ("Q", "K", "V", "S", "P", "O", "LSE")
"""In the order in which all pictures stack them."""
REGISTER_FILE_BYTES = {"nvidia": 256 * 1024, "amd": 512 * 1024}
"""Vector registers of one SM (64 Ki of 4 bytes: CUDA C++ Programming Guide, technical specifications per compute
capability, 5.0 to 10.0) or of one CU (four SIMDs of 128 KiB: AMD CDNA3 ISA)."""
TRACE_BUDGET_BYTES = 1 << 30
"""How much memory the tracer may use for intermediate tiles."""
_START_S = 3.0
_SECONDS_PER_SCORE = 6e-7
"""On two CPU cores: one tenth for tracing, the rest for the float64 reference and PyTorch's attention."""
_FLOAT64, _FLOAT32 = 8, 4
_SHARE_OF_FREE_MEMORY = 0.8
_MAX_EMULATION_S = 600.0


@dataclass(frozen=True)
class SramPiece:
    """One tile that a program holds on chip; `tensor` is the tensor it belongs to or is accumulated into."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    tensor: str


@dataclass(frozen=True)
class SramStore:
    """One kind of memory of an SM, such as shared memory, and its pieces in order."""

    name: Text
    capacity_bytes: int
    pieces: tuple[SramPiece, ...]

    @property
    def used_bytes(self) -> int:
        return sum(piece.bytes for piece in self.pieces)


@dataclass(frozen=True)
class SramUse:
    """The working set of one program, without the extra K and V copies of software pipelining. Modelled.

    `objection` says why it does not fit and what to change, and is empty if it fits; `field` is the parameter.
    """

    shared: SramStore
    registers: SramStore
    objection: Text = EMPTY
    field: str | None = None

    @property
    def stores(self) -> tuple[SramStore, SramStore]:
        return self.shared, self.registers

    @property
    def fits(self) -> bool:
        return not self.objection


@dataclass(frozen=True)
class RunCost:
    """Peak bytes of host memory (`score_bytes` of them for S and P of standard attention), seconds on two cores."""

    score_bytes: int
    peak_bytes: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Plan:
    """What the two kernels do, computed from the parameters alone. Every number here is modelled.

    `tiles` uint8 [q_blocks, kv_blocks] of core.masks.TileClass.
    `traffic` one row per kernel ('standard', 'flash') and tensor, bytes of the whole launch.
    `roofline` by kernel name.
    """

    params: FlashAttentionParams
    tiles: NDArray[np.uint8]
    gpu: Gpu
    sram: SramUse
    traffic: tuple[TensorTraffic, ...]
    flops: ForwardFlops
    roofline: dict[str, Roofline]
    io: IoComplexity
    cost: RunCost

    @cached_property
    def schedule(self) -> NDArray[np.int32]:
        """Launch order of one head: int32 [steps, 3] of (q_block, iteration, kv_block). Computed on first use."""
        return launch_order(self.tiles, self.params.causal)

    def row_softmax(self, row: int) -> RowSoftmax:
        """The online softmax of a query row of batch 0, head 0, on the inputs of the experiment.

        It costs a matrix-vector product over the keys: with a slider, call it when the slider rests.
        """
        return row_softmax(self.params, row)

    @property
    def fits(self) -> bool:
        """Whether one program's tiles fit the chosen GPU; `sram.objection` says why not."""
        return self.sram.fits

    @property
    def padding_bytes(self) -> int:
        """Bytes on chip that hold padding of the head, per program."""
        padding = self.params.tile_dim - self.params.head_dim
        pieces = (piece for store in self.sram.stores for piece in store.pieces)
        return sum(piece.bytes * padding // self.params.tile_dim for piece in pieces if piece.tensor in "QKVO")

    @property
    def idle_q_blocks(self) -> int:
        """Tiles of queries that visit no tile of keys."""
        return int(np.count_nonzero((self.tiles == TileClass.EMPTY).all(axis=1)))

    def hbm_bytes(self, kernel: str) -> int:
        """Bytes read and written by 'standard' or 'flash'."""
        return total_bytes(self.traffic, kernel)


def plan(params: FlashAttentionParams) -> Plan:
    """The plan of `params`. Pure; never raises for params that validated (if a tile is too large, `fits` is False)."""
    gpu = find_gpu(params.gpu)
    tiles = tile_classes(params.seq_len, params.key_len, params.block_q, params.block_kv, params.causal)
    traffic = (*standard_traffic(params, tiles), *flash_traffic(params, tiles))
    flops = forward_flops(params, tiles)
    return Plan(
        params=params,
        tiles=tiles,
        gpu=gpu,
        sram=sram_use(params, gpu),
        traffic=traffic,
        flops=flops,
        roofline={
            "standard": roofline(flops.standard_tiles, total_bytes(traffic, "standard"), gpu, params.dtype),
            "flash": roofline(flops.flash_tiles, total_bytes(traffic, "flash"), gpu, params.dtype),
        },
        io=io_complexity(params, gpu.sram_bytes_per_sm),
        cost=run_cost(params),
    )


def sram_use(params: FlashAttentionParams, gpu: Gpu) -> SramUse:
    """Q, K, V in the inputs' type (shared memory); S/P, acc, m and l in fp32 (registers). Tiles are padded."""
    rows, columns, width = params.block_q, params.block_kv, params.tile_dim

    def piece(name: str, shape: tuple[int, int], dtype: str, tensor: str) -> SramPiece:
        element = params.element_bytes if dtype == params.dtype else _FLOAT32
        return SramPiece(name, shape, dtype, shape[0] * shape[1] * element, tensor)

    shared = (
        piece("Q", (rows, width), params.dtype, "Q"),
        piece("K", (columns, width), params.dtype, "K"),
        piece("V", (columns, width), params.dtype, "V"),
    )
    registers = (
        piece("S/P", (rows, columns), "fp32", "S"),
        piece("acc", (rows, width), "fp32", "O"),
        piece("m, l", (2, rows), "fp32", "LSE"),
    )
    register_limit = REGISTER_FILE_BYTES.get(gpu.vendor, REGISTER_FILE_BYTES["nvidia"])
    use = SramUse(
        SramStore(tr("Shared memory"), gpu.shared_memory_per_block_bytes, shared),
        SramStore(tr("Registers"), register_limit, registers),
    )
    objection, field = _objection(params, gpu, use)
    return replace(use, objection=objection, field=field)


def run_cost(params: FlashAttentionParams) -> RunCost:
    """The largest phase: tracing with S and P, plain PyTorch with four score matrices, or the float64 reference."""
    element = params.element_bytes
    heads = params.batch * params.heads
    rows = 2 * heads * params.seq_len + 2 * params.batch * params.kv_heads * params.key_len
    tensor_bytes = rows * params.head_dim * (element + _FLOAT32 + _FLOAT64)
    scores = heads * params.seq_len * params.key_len
    score_bytes = 2 * element * scores
    one_head = params.seq_len * params.key_len
    phases = (score_bytes + TRACE_BUDGET_BYTES, 2 * score_bytes, 4 * _FLOAT64 * one_head)
    return RunCost(score_bytes, tensor_bytes + max(phases), _START_S + scores * _SECONDS_PER_SCORE)


def check(params: FlashAttentionParams, available_bytes: int | None = None) -> None:
    """Raises InvalidParams for tiles larger than the GPU's SRAM, and for a run too large or too slow for this host.

    `available_bytes` is the free memory to assume; None asks the host (a container's limit included).
    """
    planned = plan(params)
    if not planned.fits:
        raise InvalidParams(planned.sram.objection, planned.sram.field)
    free = host_facts().available_memory_bytes if available_bytes is None else available_bytes
    cost = planned.cost
    if cost.peak_bytes > _SHARE_OF_FREE_MEMORY * free:
        raise InvalidParams(
            sentences(
                tr(
                    "This run would need about {needed} of memory, {scores} of it for S and P of standard attention, "
                    "but only {free} are free.",
                    needed=quantity(cost.peak_bytes, "bytes"),
                    scores=quantity(cost.score_bytes, "bytes"),
                    free=quantity(free, "bytes"),
                ),
                _advice(planned),
            ),
            _heaviest(params),
        )
    if cost.seconds > _MAX_EMULATION_S:
        raise InvalidParams(
            sentences(
                tr(
                    "This run would take about {seconds:,.0f} s on a CPU, and the limit is {limit:g} s.",
                    seconds=cost.seconds,
                    limit=_MAX_EMULATION_S,
                ),
                _advice(planned),
            ),
            _heaviest(params),
        )


def _heaviest(params: FlashAttentionParams) -> str:
    """The parameter that saves most when lowered."""
    if params.seq_len * params.key_len > 1024 * 1024 or params.batch * params.heads == 1:
        return "seq_len"
    return "batch" if params.batch > params.heads else "heads"


def _advice(planned: Plan) -> Text:
    field = _heaviest(planned.params)
    value = getattr(planned.params, field)
    if field == "seq_len" and not planned.params.kv_len:
        return tr("Lower {field} from {value}: half the value needs a quarter as much.", field=field, value=value)
    return tr("Lower {field} from {value}: half the value needs half as much.", field=field, value=value)


def _objection(params: FlashAttentionParams, gpu: Gpu, use: SramUse) -> tuple[Text, str | None]:
    """Why the pieces do not fit, and the parameter to change; EMPTY and None if they fit."""
    shared, registers = use.shared, use.registers
    larger = "block_q" if params.block_q >= params.block_kv else "block_kv"
    tiles = {"block_q": params.block_q, "block_kv": params.block_kv, "head_dim": params.head_dim}
    if shared.used_bytes > shared.capacity_bytes:
        text = tr(
            "Tiles of block_q = {block_q} x block_kv = {block_kv} at head_dim = {head_dim} in {dtype} need {needed} of "
            "shared memory, but the {gpu} has {capacity} per block: lower {field}, or use a 16-bit precision.",
            **tiles,
            dtype=params.dtype,
            needed=_kib(shared.used_bytes),
            gpu=gpu.name,
            capacity=_kib(shared.capacity_bytes),
            field=larger,
        )
        return text, larger
    if registers.used_bytes > registers.capacity_bytes:
        text = tr(
            "Tiles of block_q = {block_q} x block_kv = {block_kv} at head_dim = {head_dim} need {needed} of registers, "
            "but an SM of the {gpu} has {capacity}: lower {field}.",
            **tiles,
            needed=_kib(registers.used_bytes),
            gpu=gpu.name,
            capacity=_kib(registers.capacity_bytes),
            field=larger,
        )
        return text, larger
    return EMPTY, None


def _kib(count: int) -> str:
    """SRAM sizes are powers of two: '163 KiB'."""
    return f"{count / 1024:g} KiB"
