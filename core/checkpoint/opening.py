"""A checkpoint on disk: one safetensors file, the shards of an index, or a model folder. Headers only, no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.checkpoint.header import Shard, StoredTensor, pickled, read_header, unreadable
from core.checkpoint.names import quantized_tensor_of
from core.checkpoint.stored_types import MEASURED
from core.contracts.errors import InvalidParams
from core.paths import expanded

_SUFFIX, _INDEX_SUFFIX = ".safetensors", ".safetensors.index.json"
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PICKLE_INDICES = tuple(f"{suffix}.index.json" for suffix in _PICKLES)
_LARGEST_INDEX_BYTES = 100_000_000

Found = tuple[list[Path], dict[str, str]]
"""Files to read, and the file of each tensor where an index lists them."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything the headers say. `tensors` in the order in which their bytes lie, shard by shard."""

    path: Path
    shards: tuple[Shard, ...]
    tensors: tuple[StoredTensor, ...]

    @property
    def measured(self) -> tuple[StoredTensor, ...]:
        """The tensors that a report measures."""
        return tuple(tensor for tensor in self.tensors if not tensor.skipped)

    @property
    def skipped(self) -> tuple[StoredTensor, ...]:
        """Those that it does not; each says why."""
        return tuple(tensor for tensor in self.tensors if tensor.skipped)

    @property
    def identity(self) -> str:
        """What the checkpoint is known by, wherever it lies: 24 hexadecimal digits."""
        return hashlib.sha256(" ".join(shard.identity for shard in self.shards).encode()).hexdigest()[:24]


def open_checkpoint(path: str | Path, field: str | None = None) -> Checkpoint:
    """Reads headers, and no weights. Raises InvalidParams for the parameter `field`, with one sentence, for whatever
    is no checkpoint, is damaged or incomplete, or would run code (pickles)."""
    given = expanded(path, field)
    try:
        files, listed = _files(given, field)
    except OSError as error:
        raise unreadable(given, error, field) from error
    shards: list[Shard] = []
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        shard_tensors = read_header(file, field)
        _add(tensors, shard_tensors, given, field)
        shards += [tensor.shard for tensor in shard_tensors[:1]]
    for name, file_name in listed.items():
        if name not in tensors or tensors[name].shard.path.name != file_name:
            raise InvalidParams(
                f"{file_name} lacks {name}, which the index in {given} says it holds: download it again.", field
            )
    if not tensors:
        raise InvalidParams(f"{given} holds no tensors: give a checkpoint that does.", field)
    return Checkpoint(given, tuple(shards), tuple(_with_scales_marked(tensors)))


def _with_scales_marked(tensors: Mapping[str, StoredTensor]) -> Iterator[StoredTensor]:
    """Floating-point tensors that are scales of a layer quantized already are no weights."""
    for name, tensor in tensors.items():
        codes = tensors.get(quantized_tensor_of(name))
        scales = codes is not None and codes.dtype not in MEASURED
        yield replace(tensor, scales_codes=True) if scales else tensor


def _add(
    tensors: dict[str, StoredTensor], shard_tensors: Sequence[StoredTensor], given: Path, field: str | None
) -> None:
    for tensor in shard_tensors:
        if tensor.name in tensors:
            first, second = tensors[tensor.name].shard.path.name, tensor.shard.path.name
            raise InvalidParams(
                f"{tensor.name} is both in {first} and in {second}: give the index, or one file, not {given}.", field
            )
        tensors[tensor.name] = tensor


def _files(given: Path, field: str | None) -> Found:
    if given.is_dir():
        return _files_of_folder(given, field)
    if not given.exists():
        raise FileNotFoundError(given)
    if given.name.endswith(_INDEX_SUFFIX):
        return _files_of_index(given, field)
    if given.suffix.lower() in _PICKLES or given.name.endswith(_PICKLE_INDICES):
        raise pickled(given, field)
    if given.suffix.lower() != _SUFFIX or not given.is_file():
        raise InvalidParams(
            f"{given} is not a checkpoint: give a {_SUFFIX} file, a *{_INDEX_SUFFIX} or a model folder.", field
        )
    return [given], {}


def _files_of_folder(folder: Path, field: str | None) -> Found:
    """What the folder's own index says; without one model.safetensors; without that every safetensors file."""
    names = sorted(entry.name for entry in folder.iterdir())
    indices = [name for name in names if name.endswith(_INDEX_SUFFIX)]
    if _INDEX in indices or (len(indices) == 1 and _WHOLE not in names):
        return _files_of_index(folder / (_INDEX if _INDEX in indices else indices[0]), field)
    if _WHOLE in names:
        return [folder / _WHOLE], {}
    files = [folder / name for name in names if name.endswith(_SUFFIX)]
    pickles = [name for name in names if Path(name).suffix in _PICKLES and not name.startswith("training_args")]
    if not files and pickles:
        raise pickled(folder / pickles[0], field)
    if not files:
        raise InvalidParams(f"{folder} holds no {_SUFFIX} file: give the folder of a model saved as such.", field)
    return files, {}


def _files_of_index(index: Path, field: str | None) -> Found:
    """The shards that an index names, each known to exist and to lie beside it."""
    if index.stat().st_size > _LARGEST_INDEX_BYTES:
        raise InvalidParams(f"{index} is too large for an index: give the one that belongs to the shards.", field)
    try:
        weight_map: Any = json.loads(index.read_bytes())["weight_map"]
        names = sorted({str(name) for name in weight_map.values()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidParams(
            f"{index} is no index of shards (JSON with a weight_map): download it again, or open the shards.", field
        ) from error
    pickles = [name for name in names if Path(name).suffix.lower() in _PICKLES]
    if pickles:
        raise pickled(index.parent / pickles[0], field)
    strange = [name for name in names if Path(name).name != name]
    if strange:
        raise InvalidParams(
            f"{index} names {strange[0]}, which does not lie beside it: put the shards into its folder.", field
        )
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        others = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise InvalidParams(
            f"{index} needs {absent[0]}{others}, which is missing: download it, or open a single shard.", field
        )
    return [index.parent / name for name in names], weight_map
