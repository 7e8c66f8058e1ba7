"""The outputs of an implementation of attention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kernels.attention.tiling import Tiling


@dataclass(frozen=True)
class Timeline:
    """Which SM ran which program of the flash kernel, and when: one row per program, in launch order (x fastest).

    Times are read from the GPU's global timer, in ns. `q_block`, `head` and `batch` identify what the program computed.
    """

    sm: np.ndarray
    start_ns: np.ndarray
    end_ns: np.ndarray
    q_block: np.ndarray
    head: np.ndarray
    batch: np.ndarray


@dataclass(frozen=True)
class AttentionOutput:
    """The outputs of one call. Tensors are on the device of the inputs.

    out       [batch, heads, query_len, head_dim], in the dtype of q (float64 for the reference)
    lse       natural log-sum-exp of the scaled scores [batch, heads, query_len]: float64 for the reference, float32
              for triton-flash, which always writes it; None for the others
    s         scaled and masked scores [batch, heads, query_len, key_len]: triton-standard only
    p         probabilities, like s: triton-standard and torch-naive
    tiling    how the Triton kernels were launched, and how triton-flash copied its tiles
    timeline  triton-flash on an NVIDIA GPU, if requested
    """

    out: torch.Tensor
    lse: torch.Tensor | None = None
    s: torch.Tensor | None = None
    p: torch.Tensor | None = None
    tiling: Tiling | None = None
    timeline: Timeline | None = None
