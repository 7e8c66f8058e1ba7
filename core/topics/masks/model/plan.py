"""The whole model in one call: parameters in, everything that the page draws before a run out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.masks import Layout, Mask, TileClass, parse, rasterise, row_counts, visible
from core.masks.cost import Cost, Tiling, cost, tiling
from core.masks.presets import Preset
from core.masks.presets import preset as find_preset
from core.topics.masks.model.mask_warnings import Remark, remarks
from core.topics.masks.model.positions import Positions, positions
from core.topics.masks.params import MasksParams

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}


@dataclass(frozen=True, eq=False)
class Plan:
    """The mask over its tokens, computed from the parameters alone. Every number here is modelled.

    `mask` is what `params.expression` (or the preset) says and `expression` its normal form. `positions.layouts` has
    one layout a sequence; `layout`, `tiling` and `row_counts` int64 [query_len] are those of the sequence shown,
    `cost` is that of the whole batch. `remarks` say what is odd about the combination.
    """

    params: MasksParams
    preset: Preset
    mask: Mask
    positions: Positions
    sequence: int
    tilings: tuple[Tiling, ...]
    row_counts: NDArray[np.int64]
    cost: Cost
    remarks: tuple[Remark, ...]

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

    def cells(self, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Single cells of the sequence shown: bool [len(rows), len(cols)]."""
        return visible(self.mask, self.layout, rows, cols)


def plan(params: MasksParams) -> Plan:
    """The plan of `params`. Pure; never raises for params that validated."""
    preset = find_preset(params.preset)
    found = positions(params, preset)
    mask = parse(params.expression) if params.expression.strip() else preset.mask(found.stretch)
    sequence = min(params.sequence, len(found.layouts) - 1)
    tilings = tuple(tiling(mask, layout, params.block_q, params.block_kv) for layout in found.layouts)
    counts = row_counts(mask, found.layouts[sequence])
    total = cost(
        found.layouts,
        tilings,
        heads=params.heads,
        head_dim=params.head_dim,
        element_bytes=ELEMENT_BYTES[params.dtype],
    )
    return Plan(
        params=params,
        preset=preset,
        mask=mask,
        positions=found,
        sequence=sequence,
        tilings=tilings,
        row_counts=counts,
        cost=total,
        remarks=remarks(params, mask, found, sequence, counts, total),
    )


def visiting_order(classes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """int32 [steps, 3] of (q_block, iteration, kv_block): full tiles before partial ones in each row of tiles."""
    steps = []
    for q_block, row in enumerate(classes):
        columns = np.concatenate([np.flatnonzero(row == kind) for kind in (TileClass.FULL, TileClass.PARTIAL)])
        steps.append(np.stack([np.full_like(columns, q_block), np.arange(columns.size), columns], axis=1))
    return np.concatenate(steps).astype(np.int32) if steps else np.zeros((0, 3), dtype=np.int32)
