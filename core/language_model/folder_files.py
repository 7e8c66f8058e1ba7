"""Checks a model folder by its files alone. No torch; safetensors reads only headers."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.checkpoint.header import MAX_TENSORS, read_header
from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr, tr_plural
from core.files import NotRegular, TooLarge, read_object, reason_of
from core.hardware.host import host_facts
from core.language_model.dtypes import DTYPE_BYTES, FLOAT32
from core.language_model.folder_config import MAX_CONFIG_BYTES, least_parameters, size_problem
from core.paths import expanded

_CONFIG, _WEIGHTS, _INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
_ADAPTER = "adapter_config.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.bin.index.json")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_MAX_INDEX_BYTES = 64 << 20
_MAX_TEXT_BYTES = 512 << 20
"""Of a tokenizer's file. Public ones have up to 40 MB."""

_MAX_FILES = 10_000
"""Of the folder. The largest public models have a few hundred shards."""

_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf")


@dataclass(frozen=True)
class FolderFiles:
    """A complete folder. `config` is config.json, `weights` are the weight files in order, and `parameters` is the
    number of values in them. `field` is the parameter that later errors name."""

    folder: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]
    parameters: int
    field: str | None

    def error(self, text: Text) -> InvalidParams:
        """The error for the parameter that names this folder."""
        return InvalidParams(text, self.field)


def inspect(path: str | Path, field: str | None = None) -> FolderFiles:
    """Raises InvalidParams with one sentence unless the folder has a configuration with possible sizes, a tokenizer and
    complete safetensors weights. Nothing is opened that is not a regular file, so it cannot wait."""
    folder = expanded(path, field)
    _check_folder(folder, field)
    _check_entries(folder, field)
    if (folder / _ADAPTER).exists() and not (folder / _CONFIG).exists():
        raise InvalidParams(
            tr(
                "The model folder {folder} holds an adapter but no model: merge the adapter into its model and save "
                "the result.",
                folder=str(folder),
            ),
            field,
        )
    config = _config(folder, field)
    if "quantization_config" in config:
        raise InvalidParams(
            tr(
                "The model folder {folder} holds weights that are already quantized: use the unquantized model.",
                folder=str(folder),
            ),
            field,
        )
    if (folder / _ADAPTER).exists():
        raise InvalidParams(
            tr(
                "The model folder {folder} holds an adapter next to its model: move {file} elsewhere.",
                file=_ADAPTER,
                folder=str(folder),
            ),
            field,
        )
    weights, expected = _weights(folder, field)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise InvalidParams(
            tr(
                "The model folder {folder} has no tokenizer (tokenizer.json): copy it from the source of the model.",
                folder=str(folder),
            ),
            field,
        )
    sizes: dict[str, int] = {}
    for file in weights:
        sizes.update(_sizes(folder, file, field))
    absent = sorted(expected - set(sizes))
    if absent:
        raise InvalidParams(
            tr_plural(
                "The model folder {folder} lacks {count} tensor listed in {file} ({example}): download it again.",
                "The model folder {folder} lacks {count} tensors listed in {file}, such as {example}: download it "
                "again.",
                count=len(absent),
                file=_INDEX,
                example=absent[0],
                folder=str(folder),
            ),
            field,
        )
    return FolderFiles(folder, config, weights, sum(sizes.values()), field)


def read_config(path: str | Path, field: str | None = None) -> dict[str, Any]:
    """The folder's config.json alone. Raises InvalidParams with one sentence for one that cannot be read, or with sizes
    that no model has."""
    folder = expanded(path, field)
    _check_folder(folder, field)
    return _config(folder, field)


def check_fits(files: FolderFiles, dtype: str = FLOAT32) -> None:
    """Raises InvalidParams if the model needs more than the free memory in `dtype`, by its weights or by the sizes in
    its configuration, or if it has fewer weights than these sizes need."""
    described = least_parameters(files.config)
    check_parameters_fit(files, max(files.parameters, described), dtype)
    if described > files.parameters:
        raise files.error(
            tr(
                "The model folder {folder} has a {file} that describes a model of at least {described:,} parameters, "
                "but its weights hold {stored:,}: download it again.",
                file=_CONFIG,
                described=described,
                stored=files.parameters,
                folder=str(files.folder),
            )
        )


def check_parameters_fit(files: FolderFiles, parameters: int, dtype: str = FLOAT32) -> None:
    """Raises InvalidParams if a model of the folder with so many parameters exceeds the free memory in `dtype`."""
    needed, free = parameters * DTYPE_BYTES[dtype], host_facts().available_memory_bytes
    if needed > free:
        raise files.error(
            tr(
                "The model folder {folder} holds a model of {parameters:,} parameters, which needs {needed:.1f} GiB in "
                "{dtype}, but only {free:.1f} GiB of memory are free: use a smaller model.",
                parameters=parameters,
                needed=needed / 2**30,
                dtype=dtype,
                free=free / 2**30,
                folder=str(files.folder),
            )
        )


def _check_entries(folder: Path, field: str | None) -> None:
    """Raises InvalidParams for what a library could wait for, or fill the memory with: it opens more than is known."""
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries, start=1):
                if count > _MAX_FILES:
                    raise InvalidParams(
                        tr(
                            "The folder {folder} holds more than {limit:,} files: choose the folder of one model.",
                            limit=_MAX_FILES,
                            folder=str(folder),
                        ),
                        field,
                    )
                _check_entry(folder, entry, field)
    except OSError as error:
        raise InvalidParams(
            tr(
                "The folder {folder} cannot be opened ({reason}): check the path.",
                reason=reason_of(error),
                folder=str(folder),
            ),
            field,
        ) from error


def _check_entry(folder: Path, entry: os.DirEntry[str], field: str | None) -> None:
    try:
        facts = entry.stat()
    except OSError:  # such as a link to nothing: it counts as absent
        return
    if stat.S_ISDIR(facts.st_mode):
        return
    if not stat.S_ISREG(facts.st_mode):
        raise _unreadable(folder, entry.name, NotRegular(folder / entry.name), field)
    if facts.st_size > _MAX_TEXT_BYTES and not entry.name.endswith(_WEIGHT_SUFFIXES):
        raise _too_large(folder, entry.name, field)


def _check_folder(folder: Path, field: str | None) -> None:
    try:
        if folder.is_file():
            raise InvalidParams(
                tr("{folder} is a file: choose the folder that holds config.json and the weights.", folder=str(folder)),
                field,
            )
        if not folder.is_dir():
            raise InvalidParams(
                tr(
                    "The folder {folder} does not exist: enter the path of a model folder on this machine.",
                    folder=str(folder),
                ),
                field,
            )
    except OSError as error:
        raise InvalidParams(
            tr(
                "The folder {folder} cannot be opened ({reason}): check the path.",
                reason=reason_of(error),
                folder=str(folder),
            ),
            field,
        ) from error
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InvalidParams(
            tr("The folder {folder} is not readable: change its permissions, or copy it.", folder=str(folder)),
            field,
        )


def _weights(folder: Path, field: str | None) -> tuple[tuple[Path, ...], set[str]]:
    """The weight files, and the tensors that an index requires them to hold."""
    if (folder / _WEIGHTS).exists():
        return (folder / _WEIGHTS,), set()
    if (folder / _INDEX).exists():
        tensors = _json(folder, _INDEX, field, _MAX_INDEX_BYTES, MAX_TENSORS + 1_000).get("weight_map")
        if not (isinstance(tensors, dict) and tensors and all(isinstance(name, str) for name in tensors.values())):
            raise InvalidParams(
                tr(
                    "The model folder {folder} has a {file} without a list of weights: download it again.",
                    file=_INDEX,
                    folder=str(folder),
                ),
                field,
            )
        names = sorted(set(tensors.values()))
        outside = [name for name in names if Path(name).name != name]
        if outside:
            raise InvalidParams(
                tr(
                    "The model folder {folder} has a {file} that points outside the folder ({target}): do not trust "
                    "this model.",
                    file=_INDEX,
                    target=outside[0],
                    folder=str(folder),
                ),
                field,
            )
        absent = [name for name in names if not (folder / name).exists()]
        if absent:
            raise InvalidParams(
                tr(
                    "The model folder {folder} lacks {count} of its {total} shards, such as {example}: download them.",
                    count=len(absent),
                    total=len(names),
                    example=absent[0],
                    folder=str(folder),
                ),
                field,
            )
        return tuple(folder / name for name in names), set(tensors)
    pickled = sorted(file.name for pattern in _PICKLED for file in folder.glob(pattern))
    if pickled:
        raise InvalidParams(
            tr(
                "The model folder {folder} holds pickled weights ({file}), which can run code when opened: if you "
                "trust them, load them with AutoModelForCausalLM.from_pretrained and call save_pretrained, which "
                "writes model.safetensors.",
                file=pickled[0],
                folder=str(folder),
            ),
            field,
        )
    raise InvalidParams(
        tr(
            "The model folder {folder} has no weights ({file}): download or save it again.",
            file=_WEIGHTS,
            folder=str(folder),
        ),
        field,
    )


def _sizes(folder: Path, file: Path, field: str | None) -> dict[str, int]:
    """The number of elements of each tensor in a file, from its header. Checks the file length against the header."""
    try:
        return {tensor.name: tensor.elements for tensor in read_header(file, field)}
    except InvalidParams as error:
        if isinstance(error.__cause__, OSError):
            raise _unreadable(folder, file.name, error.__cause__, field) from error
        raise InvalidParams(
            tr(
                "The model folder {folder} has truncated or damaged weights ({file}): download or save them again.",
                file=file.name,
                folder=str(folder),
            ),
            field,
        ) from error


def _config(folder: Path, field: str | None) -> dict[str, Any]:
    config = _json(folder, _CONFIG, field, MAX_CONFIG_BYTES)
    problem = size_problem(config)
    if problem is not None:
        raise InvalidParams(
            tr(
                "The model folder {folder} has a {file} with {problem}: download it again.",
                file=_CONFIG,
                problem=problem,
                folder=str(folder),
            ),
            field,
        )
    return config


def _json(folder: Path, name: str, field: str | None, max_bytes: int, max_pairs: int | None = None) -> dict[str, Any]:
    try:
        return read_object(folder / name, max_bytes, max_pairs)
    except FileNotFoundError as error:
        raise InvalidParams(
            tr(
                "The model folder {folder} has no {file}: choose a folder in Hugging Face's layout.",
                file=name,
                folder=str(folder),
            ),
            field,
        ) from error
    except TooLarge as error:
        raise _too_large(folder, name, field) from error
    except OSError as error:
        raise _unreadable(folder, name, error, field) from error
    except ValueError as error:
        raise InvalidParams(
            tr(
                "The model folder {folder} has a {file} that is not JSON: download it again.",
                file=name,
                folder=str(folder),
            ),
            field,
        ) from error
    except TypeError as error:
        raise InvalidParams(
            tr(
                "The model folder {folder} has a {file} that is not a JSON object: download it again.",
                file=name,
                folder=str(folder),
            ),
            field,
        ) from error


def _too_large(folder: Path, name: str, field: str | None) -> InvalidParams:
    text = tr(
        "The model folder {folder} has a {file} that is far too large: download it again.",
        file=name,
        folder=str(folder),
    )
    return InvalidParams(text, field)


def _unreadable(folder: Path, name: str, error: OSError, field: str | None) -> InvalidParams:
    text = tr(
        "The model folder {folder} has an unreadable {file} ({reason}): check the file, or download it again.",
        file=name,
        reason=reason_of(error),
        folder=str(folder),
    )
    return InvalidParams(text, field)
