"""A plan or a result of flash-attention in the terms of the plots. Renames and regroups; computes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.comparison import ImplResult, impl_results
from core.contracts.result import Result
from core.topics.flash_attention.model import Plan
from core.topics.flash_attention.model.softmax import row_softmax
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.payload import TENSORS
from gui.charts.series import Series
from gui.charts.tiles import TileGrid
from gui.charts.traffic_rows import TensorBytes
from gui.pages.flash_attention.hardware_bar import MemoryLevels
from gui.pages.flash_attention.raster import AddressRaster, Band
from gui.pages.flash_attention.softmax_state import RowState
from gui.pages.flash_attention.sram_view import Resident, Store
from gui.pages.flash_attention.timeline import Launch

KERNELS = (("standard", "Standard"), ("flash", "Flash"))
_STANDARD_INK, _FLASH_INK = 4, 0
_STORE_NAMES = {"shared memory": "Shared memory", "registers": "Registers"}
_COLOUR_OF_PIECE = {"S/P": "S", "acc": "O", "m, l": "LSE"}


def memory_levels(plan: Plan) -> MemoryLevels:
    facts = plan.hardware
    return MemoryLevels(
        gpu=facts.gpu,
        hbm_bytes=facts.hbm_bytes,
        hbm_bytes_per_s=facts.hbm_bytes_per_s,
        sram_bytes=facts.sram_bytes,
        sram_bytes_per_s=facts.sram_bytes_per_s,
        sms=facts.sms,
        sram_per_sm_bytes=facts.sram_bytes_per_sm,
        source=facts.source,
    )


def schedule_of(plan: Plan, result: Result | None) -> np.ndarray:
    """int32 [steps, 3] of (q_block, iteration, kv_block): the traced launch order where there is one."""
    if result is not None and "schedule" in result.arrays:
        return result.arrays["schedule"][:, 1:4]
    return plan.schedule


def tile_grid(plan: Plan, schedule: np.ndarray) -> TileGrid:
    params = plan.params
    return TileGrid.from_tiles(
        plan.tiles, schedule[:, [0, 2]], params.block_q, params.block_kv, params.seq_len, params.key_len
    )


def stores(plan: Plan, fresh: Iterable[str]) -> tuple[Store, ...]:
    """Shared memory and registers of one SM; `fresh` names the pieces loaded in this step."""
    params, limits = plan.params, {"shared memory": plan.sram.shared_limit_bytes}
    limits["registers"] = plan.sram.register_limit_bytes
    dtypes = {"shared memory": params.dtype, "registers": "fp32"}
    new = frozenset(fresh)
    return tuple(
        Store(
            _STORE_NAMES[place],
            limit,
            tuple(
                Resident(
                    name=piece.name,
                    detail=f"{' × '.join(map(str, piece.shape))} {dtypes[place]}",
                    bytes=piece.bytes,
                    tensor=_COLOUR_OF_PIECE.get(piece.name, piece.name),
                    fresh=piece.name in new,
                )
                for piece in plan.sram.pieces
                if piece.place == place
            ),
        )
        for place, limit in limits.items()
    )


def modelled_row(params: FlashAttentionParams, row: int) -> RowState:
    """The online softmax of a query row from the model. -inf (no key seen yet) becomes no value."""
    state = row_softmax(params, row)
    return RowState(row, np.where(np.isfinite(state.maximum), state.maximum, np.nan), state.total, state.accumulator)


def traced_row(result: Result, row: int) -> RowState | None:
    """The same from the kernel's own m, l and acc; None where the run did not keep them."""
    arrays = result.arrays
    if "softmax.max" not in arrays or row >= arrays["softmax.max"].shape[0]:
        return None
    maximum = arrays["softmax.max"][row]
    whole, norm = arrays.get("softmax.acc"), arrays.get("softmax.acc_norm")
    return RowState(
        row,
        np.where(np.isfinite(maximum), maximum, np.nan),
        arrays["softmax.sum"][row],
        None if whole is None else whole[row],
        None if norm is None else norm[row],
    )


def modelled_traffic(plan: Plan) -> list[TensorBytes]:
    return [TensorBytes(row.kernel, row.tensor, row.read_bytes, row.written_bytes) for row in plan.traffic]


def traced_traffic(result: Result) -> list[TensorBytes]:
    """One entry a kernel and tensor: the functions of a kernel added up."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for row in result.tables.get("traffic", []):
        read, written = sums.get((row["kernel"], row["tensor"]), (0, 0))
        sums[row["kernel"], row["tensor"]] = (read + row["read_bytes"], written + row["written_bytes"])
    kernels = [kernel for kernel, _ in KERNELS]
    in_order = sorted(sums.items(), key=lambda item: (kernels.index(item[0][0]), _place(item[0][1])))
    return [TensorBytes(kernel, tensor, *moved) for (kernel, tensor), moved in in_order]


def curves_by_length(plan: Plan, result: Result | None) -> tuple[Series, ...]:
    """The modelled curves, and the traced bytes at the lengths that the run swept (given for one head) on them."""
    io = plan.io
    curves = (
        Series("standard Θ(Nd + N²)", io.lengths, io.standard_by_length, _STANDARD_INK),
        Series("flash Θ(N²d²/M)", io.lengths, io.flash_by_length, _FLASH_INK),
    )
    sweep = [] if result is None else result.tables.get("sweep", [])
    if not sweep:
        return curves
    heads = plan.params.batch * plan.params.heads
    lengths = np.array([row["seq_len"] for row in sweep], dtype=np.float64)
    standard, flash = (np.array([row[f"{name}_bytes"] for row in sweep], dtype=np.float64) for name, _ in KERNELS)
    return (
        *curves,
        Series("standard, traced", lengths, heads * standard, _STANDARD_INK, "marks"),
        Series("flash, traced", lengths, heads * flash, _FLASH_INK, "marks"),
    )


def curves_by_sram(plan: Plan) -> tuple[Series, Series]:
    io = plan.io
    return (
        Series("standard Θ(Nd + N²)", io.sram_bytes, io.standard_by_sram, _STANDARD_INK),
        Series("flash Θ(N²d²/M)", io.sram_bytes, io.flash_by_sram, _FLASH_INK),
    )


def rasters(result: Result) -> list[tuple[str, AddressRaster]]:
    """The address maps that the run traced, standard before flash."""
    arrays, found = result.arrays, []
    axes = {row["kernel"]: row for row in result.tables.get("address_axes", [])}
    for kernel, title in KERNELS:
        if f"address.{kernel}.read" not in arrays or kernel not in axes:
            continue
        bands = tuple(
            Band(row["tensor"], row["first_byte"], row["last_byte"])
            for row in result.tables.get("bands", [])
            if row["kernel"] == kernel
        )
        raster = AddressRaster(
            title=title,
            reads=arrays[f"address.{kernel}.read"],
            writes=arrays[f"address.{kernel}.write"],
            bands=bands,
            accesses=axes[kernel]["accesses"],
            total_bytes=axes[kernel]["bytes"],
            program_edges=arrays[f"address.{kernel}.program_edges"],
        )
        found.append((kernel, raster))
    return found


def implementations(result: Result | None) -> list[ImplResult]:
    """Those that a run compared."""
    return [] if result is None else impl_results(result.tables.get("comparison", []))


def launch(result: Result) -> Launch | None:
    """The measured schedule, where a GPU ran it."""
    arrays = result.arrays
    if "timeline.sm" not in arrays:
        return None
    return Launch(arrays["timeline.sm"], arrays["timeline.start_us"], arrays["timeline.end_us"])


def load_line(result: Result | None, tensor: str) -> tuple[str | None, int | None]:
    """(function, line) of the flash kernel that loads (or else stores) most of a tensor; Nones where not traced."""
    rows = [] if result is None else result.tables.get("lines", [])
    mine = [row for row in rows if row["kernel"] == "flash" and row["tensor"] == tensor]
    mine = mine or [row for row in rows if row["tensor"] == tensor]
    if not mine:
        return None, None
    most = max(mine, key=lambda row: (row["op"] == "load", row["bytes"]))
    return most["function"], most["line"]


def tensor_of_line(result: Result | None, function: str, line: int) -> str | None:
    """The tensor that a source line loads or stores, or None."""
    rows = [] if result is None else result.tables.get("lines", [])
    return next((row["tensor"] for row in rows if row["function"] == function and row["line"] == line), None)


def _place(tensor: str) -> int:
    """Where a tensor stands in every stack and legend; one that is not known comes last."""
    return TENSORS.index(tensor) if tensor in TENSORS else len(TENSORS)
