"""Tells from a tensor's name and shape what it does in a model. Only weight matrices are quantized in practice, so only
they count in headlines.

A norm of ones is restored almost exactly and has far more power than a matrix: added up with the matrices it would hide
their error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, TypeVar

from core.contracts.text import Text, tr, tr_in


class Role(StrEnum):
    MATRIX = "matrix"
    EMBEDDING = "embedding"
    ROUTER = "router"
    NORM = "norm"
    BIAS = "bias"
    OTHER = "other"


ROLE_LABELS: Mapping[str, Text] = {
    Role.MATRIX: tr("weight matrices"),
    Role.EMBEDDING: tr("embeddings and output head"),
    Role.ROUTER: tr("routers"),
    Role.NORM: tr("norms"),
    Role.BIAS: tr("biases"),
    Role.OTHER: tr_in("tensors", "others"),
}
"""The names of the roles, by id."""

_EMBEDDINGS = re.compile(
    r"(.*_)?(embed|embeds|embedding|embeddings|embd)(_\w+)?|wte|wpe|lm_head|embed_out|output|shared|relative_attention_bias"
)
"""'output' is the head in the names of Llama's own files and of GGUF; 'shared' is the embedding of T5."""

_NORM = re.compile(r"(.*_)?(norm|layernorm|rmsnorm|batchnorm|ln|bn)(_?\d+|_\w+)?|(rms|layer|group|batch)?norm\w*")
_ROUTER = re.compile(r"router|shared_expert_gate|wg|ffn_gate_inp|gate")
_SUFFIXES = ("weight", "bias")


class _Row(Protocol):
    @property
    def role(self) -> str: ...


R = TypeVar("R", bound=_Row)


@lru_cache(maxsize=1 << 18)
def role_of(name: str, shape: tuple[int, ...]) -> Role:
    """The role of a tensor. A name that says nothing is a weight matrix if it has two dimensions above 1."""
    parts = [part for part in name.lower().split(".") if part]
    if parts and parts[-1].endswith("bias") and parts[-1] != "relative_attention_bias":
        return Role.BIAS
    path = [part for part in parts if part not in _SUFFIXES]
    last = path[-1] if path else ""
    is_matrix = sum(size > 1 for size in shape) >= 2
    if _NORM.fullmatch(last) or (not is_matrix and any(map(_NORM.fullmatch, path))):
        return Role.NORM
    if _EMBEDDINGS.fullmatch(last) and len(shape) == 2:
        return Role.EMBEDDING
    # A dense layer may be called a gate as well. A router has a row per expert, and far fewer rows than columns.
    if "router" in path or (_ROUTER.fullmatch(last) and len(shape) == 2 and shape[0] < shape[1]):
        return Role.ROUTER
    return Role.MATRIX if is_matrix else Role.OTHER


def weight_rows(rows: Sequence[R]) -> Sequence[R]:
    """The rows of weight matrices; all rows if there is no weight matrix among them."""
    return [row for row in rows if row.role == Role.MATRIX] or rows
