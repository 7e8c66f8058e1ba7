"""A small matrix of the page's weights for the Triton kernels, with whole blocks in every row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from core.checkpoint.opening import Checkpoint
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.sampling import draw_weights, representative_tensor, sample_of

ROWS, MIN_COLUMNS = 64, 256


@dataclass(frozen=True)
class Matrix:
    """Weights bf16 [ROWS, columns] on a device. `is_repeated` says that there were too few weights, which repeat."""

    weight: torch.Tensor
    is_repeated: bool

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """The same weights as float32 [elements]; made on first use, since timing does not need them."""
        return self.weight.float().cpu().numpy().ravel()

    @property
    def device(self) -> torch.device:
        return self.weight.device


def matrix_of(
    params: QuantizationParams, checkpoint: Checkpoint | None, device: str, rows: int = ROWS, columns: int = 0
) -> Matrix:
    """The first weights of the representative tensor, or of the drawn one. Raises FileChanged."""
    columns = max(columns or MIN_COLUMNS, params.block_size)
    elements = rows * columns
    if checkpoint is None:
        values = draw_weights(params, params.blocks * params.block_size)[:elements]
    else:
        values = sample_of(representative_tensor(checkpoint), elements)
    weight = torch.from_numpy(np.resize(values, (rows, columns))).to(torch.bfloat16)
    # A weight of another dtype may overflow bf16.
    weight = torch.nan_to_num(weight, nan=0.0)
    return Matrix(weight.to(device), len(values) < elements)
