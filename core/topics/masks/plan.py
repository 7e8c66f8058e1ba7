"""The whole model in one call: from the parameters to everything that the page draws before a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.contracts.errors import InvalidParams
from core.contracts.result import Message
from core.contracts.text import tr
from core.format import quantity
from core.hardware.host import host_facts
from core.masks import Layout, Mask, TileClass, parse, rasterise, row_counts, visible
from core.masks.cost import Cost, Tiling, cost, tiling
from core.masks.flash_attn_code import flash_attn_call
from core.masks.position_ids import Counting, position_ids
from core.masks.presets import PRESETS, Preset
from core.masks.presets import preset as find_preset
from core.masks.source_code import flex_mask_mod, torch_bool_tensor, transformers_mask
from core.masks.symmetry import Symmetry, symmetry
from core.topics.masks.mask_warnings import mask_warnings
from core.topics.masks.params import MasksParams
from core.topics.masks.position_warnings import countings_of
from core.topics.masks.positions import Positions, positions
from core.topics.masks.remark import MaskWarning
from core.topics.masks.result import MasksResult

CODE_TARGETS = ("FlexAttention", "SDPA", "flash-attn", "transformers")
"""The libraries for which the mask is written as code."""
ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
_THUMBNAIL_PX = 68
_SHARE_OF_FREE_MEMORY = 0.8
_TRACE_BUDGET_BYTES = 1 << 30
_MAX_RUN_S = 600.0
_SECONDS_PER_SCORE = 6e-7
"""On two CPU cores, for four implementations and the float64 reference together."""
_SCORE_MATRICES = 4
"""Score matrices that plain PyTorch and uncompiled FlexAttention hold at once, in float32."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The mask over its tokens, computed from the parameters alone. Every number here is modelled.

    `mask` is parsed from `params.expression` (or the preset); `expression` is its normal form. `positions.layouts` has
    one layout per sequence; `layout`, `tiling` and `row_counts` int64 [query_len] refer to the sequence shown, `cost`
    to the whole batch. `warnings` describe anything unusual about the combination.
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

        Rows of tiles in order; within a row the full tiles come before the partial ones, and empty tiles are skipped.
        The order of the real kernel is in the result of a run.
        """
        return visiting_order(self.tiling.classes)

    def raster(
        self, row_range: tuple[int, int], col_range: tuple[int, int], width: int, height: int
    ) -> NDArray[np.float32]:
        """The visible share under each pixel of a region of the sequence shown: see core.masks.rasterise."""
        return rasterise(self.mask, self.layout, row_range, col_range, width, height)

    @property
    def thumbnails(self) -> tuple[tuple[Preset, NDArray[np.float32]], ...]:
        """Every preset on its own text: visible shares 0 to 1, float32 [height, width]."""
        return _thumbnails()

    @property
    def position_ids(self) -> dict[Counting, NDArray[np.int32]]:
        """Of the keys of the sequence shown, int32 [key_len] by way of counting; {} in cross-attention."""
        layout = self.layout
        return {way: position_ids(layout.keys, way) for way in countings_of(self.positions, layout)}

    @property
    def code(self) -> dict[str, str]:
        """The mask as source code, for each of CODE_TARGETS."""
        layouts = self.positions.layouts
        texts = (
            flex_mask_mod(self.mask, layouts, self.tiling.block_q, self.tiling.block_kv),
            torch_bool_tensor(self.mask, layouts),
            flash_attn_call(self.mask, layouts),
            transformers_mask(self.mask, layouts),
        )
        return dict(zip(CODE_TARGETS, texts, strict=True))

    def mirrored(self) -> Symmetry:
        """The sequence shown against its transpose. Counts every cell: call it off the GUI thread."""
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


def remarks(params: MasksParams) -> tuple[Message, ...]:
    """The warnings of the plan, as the command line prints them."""
    return tuple(warning.message for warning in plan(params).warnings)


def json_details(result: MasksResult) -> dict[str, Any]:
    """What the page shows besides the numbers of a run: position ids of the sequence shown, and the mask as code."""
    planned = plan(result.params)
    ids = {str(way): row.tolist() for way, row in planned.position_ids.items()}
    return {"position_ids": ids, "code": planned.code}


@cache
def _thumbnails() -> tuple[tuple[Preset, NDArray[np.float32]], ...]:
    plans = [plan(MasksParams(preset=preset.id)) for preset in PRESETS]
    return tuple(
        (each.preset, each.raster((0, each.layout.query_len), (0, each.layout.key_len), _THUMBNAIL_PX, _THUMBNAIL_PX))
        for each in plans
    )


def visiting_order(classes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """int32 [steps, 3] of (q_block, iteration, kv_block): full tiles before partial ones in each row of tiles."""
    full = classes == TileClass.FULL
    q_blocks, kv_blocks = np.nonzero(full | (classes == TileClass.PARTIAL))
    order = np.lexsort((kv_blocks, ~full[q_blocks, kv_blocks], q_blocks))
    q_blocks, kv_blocks = q_blocks[order], kv_blocks[order]
    iterations = np.arange(order.size) - np.searchsorted(q_blocks, q_blocks)
    return np.stack([q_blocks, iterations, kv_blocks], axis=1).astype(np.int32)


def score_count(params: MasksParams) -> int:
    """Scores of all heads and sequences: what the work of a run grows with."""
    layouts = positions(params, find_preset(params.preset)).layouts
    return params.heads * sum(layout.query_len * layout.key_len for layout in layouts)


def check(params: MasksParams, available_bytes: int | None = None) -> None:
    """Raises InvalidParams for a run that is too large or too slow for this host.

    `available_bytes` is the free memory to assume; None asks the host (a container's limit included).
    """
    scores = score_count(params)
    needed = 4 * _SCORE_MATRICES * scores + _TRACE_BUDGET_BYTES
    free = host_facts().available_memory_bytes if available_bytes is None else available_bytes
    if needed > _SHARE_OF_FREE_MEMORY * free:
        raise InvalidParams(
            tr(
                "This run would need about {needed} of memory for the scores of plain PyTorch, but only {free} "
                "are free: lower heads, the lengths or the batch size. The plots need no run.",
                needed=quantity(needed, "bytes"),
                free=quantity(free, "bytes"),
            ),
            "heads",
        )
    if scores * _SECONDS_PER_SCORE > _MAX_RUN_S:
        raise InvalidParams(
            tr(
                "This run would take about {seconds:,.0f} s on a CPU, and the limit is {limit:g} s: lower "
                "heads, the lengths or the batch size. The plots need no run.",
                seconds=scores * _SECONDS_PER_SCORE,
                limit=_MAX_RUN_S,
            ),
            "heads",
        )
