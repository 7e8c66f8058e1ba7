"""Which tensor of a GGUF file holds which tensor of the model that it was made of. The names are those of the package
gguf, which llama.cpp converts with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.checkpoint.gguf_files.header import Metadata
from core.checkpoint.header import StoredTensor

_SUFFIXES = (".weight", ".bias")
_EXPERT = re.compile(r"(\.experts)\.(\d{1,6})(?=\.)")
_BLOCK = re.compile(r"blk\.(\d{1,6})\.")
_HEADS = re.compile(r"blk\.(\d{1,6})\.attn_(q|k)\.weight")


@dataclass(frozen=True)
class Held:
    """Where a tensor is: the tensor of the file, the expert in it (None for a whole tensor), and how many rows a head
    has where llama.cpp may have interleaved the halves of its rotary pairs (0 where it never does)."""

    tensor: StoredTensor
    expert: int | None = None
    head_rows: int = 0


class Names:
    """The tensors of one file by the names of the original model. A file with an architecture that the package does not
    know is taken by its own names, as one that is no GGUF is."""

    def __init__(self, tensors: Mapping[str, StoredTensor], metadata: Metadata) -> None:
        self._tensors, self._metadata = tensors, metadata
        self._architecture = str(metadata.get("general.architecture", ""))
        self._map = _name_map(self._architecture, self._blocks()) if self._architecture else None

    def of(self, original: str) -> Held | None:
        """Where the tensor of this name is; None if the file does not have it."""
        if original in self._tensors:
            return Held(self._tensors[original])
        if self._map is None:
            return None
        expert = _EXPERT.search(original)
        name = self._map.get_name(original, try_suffixes=_SUFFIXES)
        if name is None and expert is not None:
            name = self._map.get_name(_EXPERT.sub(r"\1", original), try_suffixes=_SUFFIXES)
        tensor = None if name is None else self._tensors.get(name)
        if tensor is None:
            return None
        of_many = expert is not None and len(tensor.shape) == 3
        return Held(tensor, int(expert[2]) if of_many and expert else None, self._head_rows(tensor))

    def _head_rows(self, tensor: StoredTensor) -> int:
        projection = _HEADS.fullmatch(tensor.name)
        if projection is None or len(tensor.shape) != 2:
            return 0
        layer, heads = int(projection[1]), self._metadata.get(f"{self._architecture}.attention.head_count")
        if projection[2] == "k":
            heads = self._metadata.get(f"{self._architecture}.attention.head_count_kv", heads)
        if isinstance(heads, tuple):
            heads = heads[layer] if layer < len(heads) else 0
        rows = tensor.shape[0]
        fits = isinstance(heads, int) and 0 < heads <= rows and rows % (2 * heads) == 0
        return rows // heads if fits and isinstance(heads, int) else 0

    def _blocks(self) -> int:
        """The number of layers by the names of the tensors. No file has more than tensors, and the map has entries for
        each."""
        numbers = [int(block[1]) for name in self._tensors if (block := _BLOCK.match(name))]
        return min(max(numbers, default=-1) + 1, len(self._tensors))


def _name_map(architecture: str, blocks: int) -> Any:
    import gguf

    known = {name: number for number, name in gguf.MODEL_ARCH_NAMES.items()}
    return gguf.get_tensor_name_map(known[architecture], blocks) if architecture in known else None
