"""Opens a checkpoint: a safetensors or GGUF file, the shards of an index, or a model folder. Headers only, no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.checkpoint.gguf_files.header import Metadata, read_gguf
from core.checkpoint.header import (
    MAX_TENSORS,
    Shard,
    StoredTensor,
    pickle_refused,
    read_header,
    too_many_tensors,
    unreadable,
)
from core.checkpoint.incomplete import all_parts, are_missing, how_to_get, missing_parts, part_alone, unfinished
from core.checkpoint.quantized.finding import find_quantized, is_scale
from core.checkpoint.quantized.layouts import QuantizedWeight
from core.checkpoint.stored_types import Packed
from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, sentences, tr
from core.files import read_regular
from core.paths import expanded

_SUFFIX, _INDEX_SUFFIX, _GGUF = ".safetensors", ".safetensors.index.json", ".gguf"
_SINGLE_FILE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PICKLE_INDICES = tuple(f"{suffix}.index.json" for suffix in _PICKLES)
_MAX_INDEX_BYTES = 100_000_000

Files = tuple[list[Path], dict[str, str]]
"""The files to read, and if there is an index, the file name of each tensor."""


@dataclass(frozen=True)
class Checkpoint:
    """What the headers say. `tensors` are in the order of their bytes, shard by shard. `missing` names the other parts
    of a split checkpoint, if `path` is a single part and they are not beside it. `quantized` are the weights that are
    quantized already. `metadata` is that of a GGUF file; of the first one, if there are several."""

    path: Path
    shards: tuple[Shard, ...]
    tensors: tuple[StoredTensor, ...]
    missing: tuple[str, ...] = ()
    quantized: tuple[QuantizedWeight, ...] = ()
    metadata: Metadata = field(default_factory=dict)

    @property
    def incomplete(self) -> Text:
        """Which parts of a split checkpoint are missing, and how to get them; empty if nothing is."""
        return part_alone(self.path, self.missing) if self.missing else EMPTY

    @cached_property
    def measured(self) -> tuple[StoredTensor, ...]:
        """The tensors that a report measures."""
        return tuple(tensor for tensor in self.tensors if not tensor.skipped)

    @cached_property
    def skipped(self) -> tuple[StoredTensor, ...]:
        """The tensors that a report does not measure; each says why."""
        return tuple(tensor for tensor in self.tensors if tensor.skipped)

    @property
    def identity(self) -> str:
        """Identifies the checkpoint independently of its path: 24 hexadecimal digits."""
        return hashlib.sha256(" ".join(shard.identity for shard in self.shards).encode()).hexdigest()[:24]


def open_checkpoint(path: str | Path, field: str | None = None) -> Checkpoint:
    """Read the headers, and no weights. Raises InvalidParams for the parameter `field` if `path` is no checkpoint, is
    damaged or incomplete, or could run code (a pickle)."""
    path = expanded(path, field)
    try:
        files, listed = _files(path, field)
    except OSError as error:
        raise unreadable(path, error, field) from error
    shards: list[Shard] = []
    tensors: dict[str, StoredTensor] = {}
    metadata: Metadata = {}
    for file in files:
        if file.suffix.lower() == _GGUF:
            shard_tensors, of_file = read_gguf(file, field)
            metadata = metadata or of_file
        else:
            shard_tensors = read_header(file, field)
        if len(tensors) + len(shard_tensors) > MAX_TENSORS:
            raise too_many_tensors(path, field)
        _add(tensors, shard_tensors, path, field)
        shards += [tensor.shard for tensor in shard_tensors[:1]]
    for name, file_name in listed.items():
        if name not in tensors or tensors[name].shard.path.name != file_name:
            raise InvalidParams(
                tr(
                    "{file} does not hold {tensor}, which the index of {checkpoint} lists: download the file again.",
                    file=file_name,
                    tensor=name,
                    checkpoint=str(path),
                ),
                field,
            )
    if not tensors:
        raise InvalidParams(tr("{checkpoint} holds no tensors: open another checkpoint.", checkpoint=str(path)), field)
    missing = missing_parts(path) if path.is_file() else ()
    quantized = find_quantized(tensors)
    marked = tuple(_with_packed_marked(tensors, quantized))
    return Checkpoint(path, tuple(shards), marked, missing, quantized, metadata)


def _with_packed_marked(
    tensors: Mapping[str, StoredTensor], quantized: Sequence[QuantizedWeight]
) -> Iterator[StoredTensor]:
    """Mark the tensors that hold codes or scales of quantized weights: they are no weights themselves."""
    marks = {part.name: Packed.SCALES for weight in quantized for part in weight.parts.values()}
    marks |= {weight.codes.name: Packed.CODES for weight in quantized}
    for name, tensor in tensors.items():
        mark = marks.get(name, Packed.NOTHING)
        if mark is Packed.NOTHING and is_scale(name, beside_quantized=bool(quantized)):
            mark = Packed.SCALES
        yield tensor if mark is Packed.NOTHING else replace(tensor, packed=mark)


def _add(
    tensors: dict[str, StoredTensor], shard_tensors: Sequence[StoredTensor], path: Path, field: str | None
) -> None:
    for tensor in shard_tensors:
        if tensor.name in tensors:
            first, second = tensors[tensor.name].shard.path.name, tensor.shard.path.name
            raise InvalidParams(
                tr(
                    "{tensor} is in both {first} and {second}: open the index or a single file, not {checkpoint}.",
                    tensor=tensor.name,
                    first=first,
                    second=second,
                    checkpoint=str(path),
                ),
                field,
            )
        tensors[tensor.name] = tensor


def _files(path: Path, field: str | None) -> Files:
    if path.is_dir():
        return _files_of_folder(path, field)
    if not path.exists():
        raise FileNotFoundError(path)
    if path.name.endswith(_INDEX_SUFFIX):
        return _files_of_index(path, field)
    if path.suffix.lower() in _PICKLES or path.name.endswith(_PICKLE_INDICES):
        raise pickle_refused(path, field)
    if path.suffix.lower() == _GGUF and path.is_file():
        return (all_parts(path) if not missing_parts(path) else [path]), {}
    if path.suffix.lower() != _SUFFIX or not path.is_file():
        raise InvalidParams(
            tr(
                "{file} is not a checkpoint: open a {suffix} file, a *{index_suffix}, a {gguf} file or a model folder.",
                file=str(path),
                suffix=_SUFFIX,
                index_suffix=_INDEX_SUFFIX,
                gguf=_GGUF,
            ),
            field,
        )
    return [path], {}


def _files_of_folder(folder: Path, field: str | None) -> Files:
    """The files of the folder's index; without an index, model.safetensors; without that, every safetensors file;
    without any, the only GGUF file."""
    names = sorted(entry.name for entry in folder.iterdir())
    indices = [name for name in names if name.endswith(_INDEX_SUFFIX)]
    if _INDEX in indices or (len(indices) == 1 and _SINGLE_FILE not in names):
        return _files_of_index(folder / (_INDEX if _INDEX in indices else indices[0]), field)
    if _SINGLE_FILE in names:
        return [folder / _SINGLE_FILE], {}
    files = [folder / name for name in names if name.endswith(_SUFFIX)]
    pickles = [name for name in names if Path(name).suffix in _PICKLES and not name.startswith("training_args")]
    if not files and (gguf_files := [name for name in names if Path(name).suffix.lower() == _GGUF]):
        return _files_of_gguf_folder(folder, gguf_files, field)
    if not files and pickles:
        raise pickle_refused(folder / pickles[0], field)
    if not files:
        text = tr(
            "{folder} holds no {suffix} or {gguf} file: open a model folder that does.",
            folder=str(folder),
            suffix=_SUFFIX,
            gguf=_GGUF,
        )
        raise InvalidParams(sentences(text, unfinished(names)), field)
    if absent := sorted({name for file in files for name in missing_parts(file)}):
        raise InvalidParams(are_missing(folder, absent), field)
    return files, {}


def _files_of_gguf_folder(folder: Path, names: Sequence[str], field: str | None) -> Files:
    """The only file, or the parts of the only split file: each file of such a folder is usually a whole model."""
    files = all_parts(folder / names[0])
    if {file.name for file in files} != set(names) and not missing_parts(folder / names[0]):
        text = tr(
            "{folder} holds {count} GGUF files, such as {file}: give one of them.",
            folder=str(folder),
            count=len(names),
            file=names[0],
        )
        raise InvalidParams(text, field)
    if absent := missing_parts(folder / names[0]):
        raise InvalidParams(are_missing(folder, absent), field)
    return files, {}


def _files_of_index(index: Path, field: str | None) -> Files:
    """The shards that an index names. Each exists and is in the same folder as the index."""
    data = read_regular(index, _MAX_INDEX_BYTES)
    if data.count(b":") > MAX_TENSORS + 1_000:
        raise too_many_tensors(index, field)
    try:
        weight_map: Any = json.loads(data)["weight_map"]
        names = sorted({str(name) for name in weight_map.values()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = tr(
            "{file} is not an index of shards (JSON with a weight_map): download it again, or open the shards.",
            file=str(index),
        )
        raise InvalidParams(text, field) from error
    pickles = [name for name in names if Path(name).suffix.lower() in _PICKLES]
    if pickles:
        raise pickle_refused(index.parent / pickles[0], field)
    strange = [name for name in names if Path(name).name != name]
    if strange:
        text = tr(
            "{index} names {file}, which is not in its folder: move the shards into the folder of the index.",
            index=str(index),
            file=strange[0],
        )
        raise InvalidParams(text, field)
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        raise InvalidParams(_missing_shards(index, absent), field)
    return [index.parent / name for name in names], weight_map


def _missing_shards(index: Path, names: Sequence[str]) -> Text:
    if len(names) == 1:
        needs = tr(
            "{index} needs {file}, which is missing: download it, or open a single shard.",
            index=str(index),
            file=names[0],
        )
    else:
        needs = tr(
            "{index} needs {file} and {others:,} more, which are missing: download them, or open a single shard.",
            index=str(index),
            file=names[0],
            others=len(names) - 1,
        )
    return sentences(needs, how_to_get([index.parent / name for name in names]))
