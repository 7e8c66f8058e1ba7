"""The whole model in one call: parameters in, everything that the page draws before a run out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from core.contracts.errors import InvalidParams
from core.format import format_quantity
from core.hardware.host import host_facts
from core.masks import Layout, Mask, TileClass, parse, rasterise, row_counts, visible
from core.masks.cost import Cost, Tiling, cost, tiling
from core.masks.presets import PRESETS, Preset
from core.masks.presets import preset as find_preset
from core.masks.symmetry import Symmetry, symmetry
from core.topics.masks.mask_warnings import MaskWarning, mask_warnings
from core.topics.masks.params import MasksParams
from core.topics.masks.positions import Positions, positions

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
_THUMBNAIL_PX = 68
_SHARE_OF_FREE_MEMORY = 0.8
_TRACE_BUDGET_BYTES = 1 << 30
_MAX_RUN_S = 600.0
_SECONDS_PER_SCORE = 6e-7
"""On two CPU cores, four implementations and the float64 reference together."""
_SCORE_MATRICES = 4
"""What plain PyTorch and an uncompiled FlexAttention hold at once, in float32."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The mask over its tokens, computed from the parameters alone. Every number here is modelled.

    `mask` is what `params.expression` (or the preset) says and `expression` its normal form. `positions.layouts` has
    one layout per sequence; `layout`, `tiling` and `row_counts` int64 [query_len] are those of the sequence shown,
    `cost` is that of the whole batch. `warnings` say what is odd about the combination.
    """

    params: MasksParams
    preset: Preset
    mask: Mask
    positions: Positions
    sequence: int
    tilings: tuple[Tiling, ...]
    row_counts: NDArray[np.int64]
    cost: Cost
    warnings: tuple[MaskWarning, ...]

    @property
    def expression(self) -> str:
        return str(self.mask)

    @property
    def layout(self) -> Layout:
        """The sequence shown."""
        return self.positions.layouts[self.sequence]

    @property
    def tiling(self) -> Tiling:
        """The tiles of the sequence shown: counts and classes [q_blocks, kv_blocks]."""
        return self.tilings[self.sequence]

    @property
    def is_cross(self) -> bool:
        return self.positions.is_cross

    @cached_property
    def schedule(self) -> NDArray[np.int32]:
        """The tiles of the sequence shown as a kernel visits them, int32 [steps, 3] of (q_block, iteration, kv_block).

        Rows of tiles from the first on, in each the full tiles before the partial ones, empty ones never. What the
        kernel really did is in the result of a run.
        """
        return visiting_order(self.tiling.classes)

    def raster(
        self, row_range: tuple[int, int], col_range: tuple[int, int], width: int, height: int
    ) -> NDArray[np.float32]:
        """The visible share under each pixel of a part of the sequence shown: see core.masks.rasterise."""
        return rasterise(self.mask, self.layout, row_range, col_range, width, height)

    @property
    def thumbnails(self) -> tuple[tuple[Preset, NDArray[np.float32]], ...]:
        """Every preset on its own text: visible shares 0 to 1, float32 [height, width]."""
        return _thumbnails()

    def mirrored(self) -> Symmetry:
        """The sequence shown against its transpose. Counts every cell: call it beside the GUI thread."""
        return symmetry(self.mask, self.layout)

    def cells(self, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Single cells of the sequence shown: bool [len(rows), len(cols)]."""
        return visible(self.mask, self.layout, rows, cols)


def plan(params: MasksParams) -> Plan:
    """The plan of `params`. Pure; never raises for params that validated."""
    preset = find_preset(params.preset)
    batch = positions(params, preset)
    mask = parse(params.expression) if params.expression.strip() else preset.mask(batch.stretch)
    sequence = min(params.sequence, len(batch.layouts) - 1)
    tilings = tuple(tiling(mask, layout, params.block_q, params.block_kv) for layout in batch.layouts)
    counts = row_counts(mask, batch.layouts[sequence])
    total = cost(
        batch.layouts,
        tilings,
        heads=params.heads,
        head_dim=params.head_dim,
        element_bytes=ELEMENT_BYTES[params.dtype],
    )
    return Plan(
        params=params,
        preset=preset,
        mask=mask,
        positions=batch,
        sequence=sequence,
        tilings=tilings,
        row_counts=counts,
        cost=total,
        warnings=mask_warnings(params, mask, batch, sequence, counts, total),
    )


@cache
def _thumbnails() -> tuple[tuple[Preset, NDArray[np.float32]], ...]:
    plans = [plan(MasksParams(preset=preset.id)) for preset in PRESETS]
    return tuple(
        (made.preset, made.raster((0, made.layout.query_len), (0, made.layout.key_len), _THUMBNAIL_PX, _THUMBNAIL_PX))
        for made in plans
    )


def visiting_order(classes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """int32 [steps, 3] of (q_block, iteration, kv_block): full tiles before partial ones in each row of tiles."""
    steps = []
    for q_block, row in enumerate(classes):
        columns = np.concatenate([np.flatnonzero(row == kind) for kind in (TileClass.FULL, TileClass.PARTIAL)])
        steps.append(np.stack([np.full_like(columns, q_block), np.arange(columns.size), columns], axis=1))
    return np.concatenate(steps).astype(np.int32) if steps else np.zeros((0, 3), dtype=np.int32)


def check(params: MasksParams, available_bytes: int | None = None) -> None:
    """Raises InvalidParams for a run that is too large or too long for this host.

    `available_bytes` is the free memory to reckon with; None asks the host (a container's limit included).
    """
    scores = plan(params).cost.cells * params.heads
    needed = 4 * _SCORE_MATRICES * scores + _TRACE_BUDGET_BYTES
    free = host_facts().available_memory_bytes if available_bytes is None else available_bytes
    advice = "lower heads, the lengths or the batch; the picture needs no run"
    if needed > _SHARE_OF_FREE_MEMORY * free:
        raise InvalidParams(
            f"This run would need about {format_quantity(needed, 'bytes')} of memory for the scores of plain PyTorch, "
            f"and {format_quantity(free, 'bytes')} are free: {advice}.",
            "heads",
        )
    if scores * _SECONDS_PER_SCORE > _MAX_RUN_S:
        raise InvalidParams(
            f"This run would take about {scores * _SECONDS_PER_SCORE:,.0f} s on a CPU, and {_MAX_RUN_S:g} s is the "
            f"longest that is started: {advice}.",
            "heads",
        )
