"""The matrices that get adapters, their shapes, and the resulting parameter counts.

For the small model, for a model folder (from its headers) and for public models (from their published shapes).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.checkpoint.names import NO_LAYER, layer_and_kind
from core.checkpoint.opening import open_checkpoint
from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.language_model.model_config import STANDARD, ModelConfig
from core.language_model.target_modules import ALL, EMBEDDING, HEAD, check_target_modules, matches_target
from core.model_presets import GPT_3, Architecture
from core.paths import expanded
from core.topics.lora.params import LoraParams

PAPER_RANK, PAPER_KINDS = 4, ("q_proj", "v_proj")
"""Hu et al. 2021 (arXiv 2106.09685), section 4.2: GPT-3 175B, rank 4, query and value projections only."""

PAPER_TIMES = 10_000.0
PAPER_CHECKPOINT_BYTES = (350e9, 35e6)
_EXPERT = re.compile(r"\.experts\.\d+\.")
_ROUTERS = ("gate", "router")
"""Names of the routers of a mixture of experts, which are no linear layers in transformers."""

BYTES_PER_PARAMETER = 2
"""16 bits per parameter, as in GPT-3's checkpoint of 350 GB."""


@dataclass(frozen=True)
class Matrix:
    """A linear layer inside the blocks: W is [rows, columns] = [out, in]. `layer` is -1 if the name has no layer."""

    name: str
    layer: int
    kind: str
    rows: int
    columns: int

    @property
    def smaller_side(self) -> int:
        return min(self.rows, self.columns)

    def lora_parameters(self, rank: int) -> int:
        """The number of parameters of B [rows, rank] and A [rank, columns]."""
        return rank * (self.rows + self.columns)

    def adalora_parameters(self, rank: int) -> int:
        """The number of parameters of P, Q and the singular values between them."""
        return rank * (self.rows + self.columns + 1)


def matrix_from_name(name: str, rows: int, columns: int) -> Matrix:
    """The matrix of a linear layer by its full name in the model, such as 'model.layers.0.self_attn.q_proj'."""
    layer, _ = layer_and_kind(f"{name}.weight")
    return Matrix(name, layer, name.rsplit(".", 1)[-1], rows, columns)


def small_model_head(config: ModelConfig = STANDARD) -> Matrix:
    """The output head of the small model, which is tied to its embedding."""
    return Matrix(HEAD, NO_LAYER, HEAD, config.vocabulary, config.hidden)


def small_model_matrices(config: ModelConfig = STANDARD) -> list[Matrix]:
    """The matrices of the small model, in the model's order."""
    hidden, intermediate = config.hidden, config.intermediate
    shapes = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (hidden, hidden),
        "self_attn.v_proj": (hidden, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (intermediate, hidden),
        "mlp.up_proj": (intermediate, hidden),
        "mlp.down_proj": (hidden, intermediate),
    }
    return [
        matrix_from_name(f"model.layers.{layer}.{name}", rows, columns)
        for layer in range(config.layers)
        for name, (rows, columns) in shapes.items()
    ]


@dataclass(frozen=True)
class FolderMatrices:
    """What the headers of a model folder hold: `matrices` inside the layers, the output `head` (None if it is unknown)
    and the shares of all parameters that fused `experts` have, by the end of their names."""

    matrices: tuple[Matrix, ...]
    head: Matrix | None
    experts: Mapping[str, float]


def folder_matrices(path: str) -> FolderMatrices:
    """The matrices of a model folder, from its safetensors headers. Weights of single experts are no matrices here:
    transformers stacks them into one 3-D parameter per layer.

    Raises InvalidParams if the folder has no readable safetensors file.
    """
    checkpoint = open_checkpoint(expanded(path, "model"), "model")
    total = sum(math.prod(tensor.shape) for tensor in checkpoint.measured)
    matrices: list[Matrix] = []
    experts: dict[str, float] = {}
    heads: dict[str, Matrix] = {}
    for tensor in checkpoint.measured:
        name, (layer, kind) = tensor.name.removesuffix(".weight"), layer_and_kind(tensor.name)
        single = _EXPERT.search(kind)
        if layer >= 0 and (single or (len(tensor.shape) == 3 and "experts" in kind)):
            end = _EXPERT.sub(".experts.", kind)
            experts[end] = experts.get(end, 0.0) + math.prod(tensor.shape) / total
        elif len(tensor.shape) == 2:
            matrix = Matrix(name, layer, name.rsplit(".", 1)[-1], tensor.shape[0], tensor.shape[1])
            if layer >= 0:
                matrices.append(matrix)
            else:
                heads[matrix.kind] = matrix
    if experts:
        matrices = [matrix for matrix in matrices if matrix.kind not in _ROUTERS]
    head = heads.get(HEAD) or heads.get(EMBEDDING)  # a file holds a tied weight once
    return FolderMatrices(tuple(matrices), None if head is None else replace(head, name=HEAD, kind=HEAD), experts)


def adapted_matrices(
    matrices: Sequence[Matrix],
    targets: Iterable[str],
    head: Matrix | None = None,
    experts: Mapping[str, float] | None = None,
) -> list[Matrix]:
    """The matrices that the targets name, in order; the head only by its own name. Raises InvalidParams, which lists
    the existing kinds, if a target matches no matrix or none is given."""
    names = tuple(targets)
    if ALL in names:
        return list(matrices)
    matrices = [*matrices, *([] if head is None else [head])]
    check_target_modules(names, [matrix.name for matrix in matrices], experts=experts)
    return [matrix for matrix in matrices if any(matches_target(matrix.name, target) for target in names)]


def check_ranks(params: LoraParams, matrices: Sequence[Matrix]) -> None:
    """Raises InvalidParams for a rank above the smaller side of an adapted matrix."""
    smallest = min(matrices, key=lambda matrix: matrix.smaller_side)
    for field in ("target_r", "init_r"):
        rank = getattr(params, field)
        if rank > smallest.smaller_side:
            raise InvalidParams(
                tr(
                    "{field} = {rank} is too large for the matrix {name} of {rows} x {columns}: its rank is at most "
                    "{largest}, so use {largest} or less.",
                    field=field,
                    rank=rank,
                    name=smallest.name,
                    rows=smallest.rows,
                    columns=smallest.columns,
                    largest=smallest.smaller_side,
                ),
                field,
            )


@dataclass(frozen=True)
class LoraCounts:
    """A public model adapted with LoRA: `trainable` of its `parameters` are trained."""

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
        """The number of parameters divided by the number of trainable ones."""
        return self.parameters / self.trainable

    @property
    def checkpoint_bytes(self) -> int:
        """The size of the adapter in 16 bits."""
        return BYTES_PER_PARAMETER * self.trainable


def lora_parameters(architecture: Architecture, kinds: Iterable[str], rank: int) -> int:
    """The number of parameters of B [out, rank] and A [rank, in] for all matrices of these kinds."""
    shapes = architecture.linear_shapes
    return sum(architecture.copies(kind) * rank * sum(shapes[kind]) for kind in kinds)


def lora_counts(architecture: Architecture, kinds: Iterable[str], rank: int) -> LoraCounts:
    kinds = tuple(kinds)
    return LoraCounts(
        architecture.name, rank, kinds, architecture.parameters, lora_parameters(architecture, kinds, rank)
    )


def gpt_3() -> LoraCounts:
    """The example of the LoRA paper: GPT-3 with rank 4 on Wq and Wv."""
    return lora_counts(GPT_3, PAPER_KINDS, PAPER_RANK)


def trainable_by_rank(architecture: Architecture, kinds: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Ranks 1, 2, 4 ... up to the smaller side of the smallest matrix, and trainable parameters, int64 [ranks] each."""
    kinds = tuple(kinds)
    smallest = min(min(architecture.linear_shapes[kind]) for kind in kinds)
    ranks = 2 ** np.arange(int(np.log2(smallest)) + 1)
    return ranks, np.array([lora_parameters(architecture, kinds, int(rank)) for rank in ranks])
