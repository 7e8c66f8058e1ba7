"""The whole model in one call: parameters in, everything that the page draws before a run out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.hardware.gpus import gpu as find_gpu
from core.hardware.roofline import Roofline, roofline
from core.topics.flash_attention.model.cost import RunCost, run_cost
from core.topics.flash_attention.model.flops import ForwardFlops, forward_flops
from core.topics.flash_attention.model.hardware import MemoryFacts, memory_facts
from core.topics.flash_attention.model.io_complexity import IoComplexity, io_complexity
from core.topics.flash_attention.model.sram import SramUse, sram_use
from core.topics.flash_attention.model.tiles import launch_order, tile_classes
from core.topics.flash_attention.model.traffic import TensorTraffic, flash_traffic, standard_traffic, total_bytes
from core.topics.flash_attention.params import FlashAttentionParams


@dataclass(frozen=True)
class Plan:
    """What the two kernels will do, computed from the parameters alone. Every number here is modelled.

    `tiles` uint8 [q_blocks, kv_blocks]: 0 skipped, 1 full, 2 partial (see tiles.py).
    `traffic` one row per kernel ('standard', 'flash') and tensor, bytes of the whole launch.
    `roofline` by kernel name.
    """

    params: FlashAttentionParams
    tiles: NDArray[np.uint8]
    hardware: MemoryFacts
    sram: SramUse
    traffic: tuple[TensorTraffic, ...]
    flops: ForwardFlops
    roofline: dict[str, Roofline]
    io: IoComplexity
    cost: RunCost

    @cached_property
    def schedule(self) -> NDArray[np.int32]:
        """Launch order of one head: int32 [steps, 3] of (q_block, iteration, kv_block). Computed when first asked."""
        return launch_order(self.tiles, self.params.causal)

    @property
    def fits(self) -> bool:
        """Whether one program's tiles fit the chosen GPU; `sram.sentence` says why not."""
        return self.sram.fits

    def hbm_bytes(self, kernel: str) -> int:
        """Bytes read and written by 'standard' or 'flash'."""
        return total_bytes(self.traffic, kernel)


def plan(params: FlashAttentionParams) -> Plan:
    """The plan of `params`. Pure; never raises for params that validated (a tile too large gives `fits` False)."""
    gpu = find_gpu(params.gpu)
    tiles = tile_classes(params.seq_len, params.key_len, params.block_q, params.block_kv, params.causal)
    traffic = (*standard_traffic(params, tiles), *flash_traffic(params, tiles))
    flops = forward_flops(params, tiles)
    hardware = memory_facts(gpu)
    return Plan(
        params=params,
        tiles=tiles,
        hardware=hardware,
        sram=sram_use(params, gpu),
        traffic=traffic,
        flops=flops,
        roofline={
            "standard": roofline(flops.standard_tiles, total_bytes(traffic, "standard"), gpu, params.dtype),
            "flash": roofline(flops.flash_tiles, total_bytes(traffic, "flash"), gpu, params.dtype),
        },
        io=io_complexity(params, hardware.sram_bytes_per_sm),
        cost=run_cost(params),
    )
