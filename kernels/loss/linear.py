"""One call of the fused linear cross-entropy, as its kernels get it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kernels.launching import device_target, sm_count
from kernels.loss.options import LossOptions
from kernels.loss.tiling import (
    Backward,
    LinearTiling,
    choose_logits_tiling,
    choose_on_chip_tiling,
    choose_product_tiling,
)


@dataclass(frozen=True)
class LinearCall:
    """hidden [n, width], weight [vocabulary, width], bias [vocabulary] or None, labels [n].

    order   int32 [n]: all rows, those that are targets first
    count   int32 [1]: how many are targets
    """

    hidden: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    labels: torch.Tensor
    order: torch.Tensor
    count: torch.Tensor
    options: LossOptions
    backward: Backward

    @property
    def rows(self) -> int:
        return self.hidden.shape[0]

    @property
    def width(self) -> int:
        return self.hidden.shape[1]

    @property
    def vocabulary(self) -> int:
        return self.weight.shape[0]

    @property
    def on_chip(self) -> bool:
        return self.backward is Backward.ON_CHIP

    @property
    def target(self) -> str | None:
        return device_target(self.hidden.device)

    @property
    def sm_count(self) -> int:
        return sm_count(self.hidden.device)

    @property
    def tiling(self) -> LinearTiling:
        """The tiling of the kernels that compute logits."""
        element_bytes, target = self.hidden.element_size(), self.target
        if self.on_chip:
            return choose_on_chip_tiling(width=self.width, element_bytes=element_bytes, target=target)
        return choose_logits_tiling(element_bytes=element_bytes, target=target)

    @property
    def weight_tiling(self) -> LinearTiling:
        """The tiling of the kernel that keeps the weight's gradient on chip."""
        return choose_on_chip_tiling(
            width=self.width, element_bytes=self.hidden.element_size(), target=self.target, of_weight=True
        )

    @property
    def product_tiling(self) -> LinearTiling:
        """The tiling of the products with the gradient of a chunk."""
        return choose_product_tiling(element_bytes=self.hidden.element_size(), target=self.target)

    @property
    def strides(self) -> tuple[int, int, int, int]:
        return (*self.hidden.stride(), *self.weight.stride())  # type: ignore[return-value]


@dataclass(frozen=True)
class Gradients:
    """The gradients to write, contiguous or not; None is not requested. That of the bias comes with the weight's."""

    hidden: torch.Tensor | None
    weight: torch.Tensor | None
    bias: torch.Tensor | None
