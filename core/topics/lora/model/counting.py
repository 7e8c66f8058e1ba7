"""How many parameters LoRA trains in a public model, by its rank. Modelled: from the shapes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.model_presets import GPT_3, Architecture

PAPER_RANK, PAPER_KINDS = 4, ("q_proj", "v_proj")
"""Hu et al. 2021 (arXiv 2106.09685), section 4.2: GPT-3 175B, rank 4, query and value projections only."""

PAPER_TIMES = 10_000.0
PAPER_CHECKPOINT_BYTES = (350e9, 35e6)
BYTES_A_PARAMETER = 2
"""In 16 bits, as GPT-3's checkpoint of 350 GB has them."""


@dataclass(frozen=True)
class Counted:
    """A public model adapted with LoRA. `trainable` parameters of `parameters`."""

    name: str
    rank: int
    kinds: tuple[str, ...]
    parameters: int
    trainable: int

    @property
    def share(self) -> float:
        return self.trainable / self.parameters

    @property
    def reduction(self) -> float:
        """How many times fewer parameters are trained."""
        return self.parameters / self.trainable

    @property
    def checkpoint_bytes(self) -> int:
        """Of the adapter in 16 bits."""
        return BYTES_A_PARAMETER * self.trainable


def lora_parameters(architecture: Architecture, kinds: Iterable[str], rank: int) -> int:
    """Of B [out, rank] and A [rank, in] for every matrix of those kinds."""
    shapes = architecture.linear_shapes
    return sum(architecture.copies(kind) * rank * sum(shapes[kind]) for kind in kinds)


def counted(architecture: Architecture, kinds: Iterable[str], rank: int) -> Counted:
    kinds = tuple(kinds)
    return Counted(architecture.name, rank, kinds, architecture.parameters, lora_parameters(architecture, kinds, rank))


def gpt_3() -> Counted:
    """The paper's case."""
    return counted(GPT_3, PAPER_KINDS, PAPER_RANK)


def against_rank(architecture: Architecture, kinds: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Ranks 1, 2, 4 ... up to the smaller side of the smallest matrix, int64 [ranks], and trainable parameters."""
    kinds = tuple(kinds)
    smallest = min(min(architecture.linear_shapes[kind]) for kind in kinds)
    ranks = 2 ** np.arange(int(np.log2(smallest)) + 1)
    return ranks, np.array([lora_parameters(architecture, kinds, int(rank)) for rank in ranks])
