"""Keeps measured tensors in the user's cache folder, so that a report resumes where it was stopped. No torch.

There is one file per shard, named after the shard's identity (size, time, header), and in it one line per tensor and
cache key of a quantization, written when that tensor is done. A large tensor that was stopped half-way is read again,
which takes seconds. Losing the file costs time and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.checkpoint.errors import FormatErrors, WeightSums
from core.checkpoint.header import Shard, StoredTensor
from core.contracts.text import EMPTY, tr
from core.files import reason_of

VERSION = 4
"""Raised when the measured numbers change, so that older lines are ignored."""

_WEIGHTS = "weights"

MAX_FILES = 256
MAX_BYTES = 256 * 2**20
"""The most that the folder holds when a report begins, not counting the report's own shards. A tensor measured in six
formats takes about 5 KB."""


class ResumeCache:
    """The measured tensors of some shards. If the folder cannot be written, nothing is kept and `notice` says so."""

    def __init__(self, folder: Path) -> None:
        self.notice = EMPTY
        self._folder = folder
        self._read: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def weights(self, tensor: StoredTensor) -> WeightSums | None:
        """The weight sums of a measured tensor; None if it is not cached."""
        values = self._stored(tensor, _WEIGHTS)
        with suppress(KeyError, TypeError, ValueError):
            if values is not None:
                return WeightSums(**{**values, "sums": tuple(values["sums"])})
        return None

    def errors(self, tensor: StoredTensor, key: str) -> FormatErrors | None:
        """The errors of a measured tensor under the `key` of a quantization; None if they are not cached."""
        values = self._stored(tensor, key)
        with suppress(KeyError, TypeError, ValueError):
            if values is not None:
                return FormatErrors.from_json(values)
        return None

    def keep(self, tensor: StoredTensor, sums: WeightSums, errors: Mapping[str, FormatErrors]) -> None:
        """Cache the sums of a tensor, and its errors by the key of their quantization."""
        values_by_key: dict[str, dict[str, Any]] = {_WEIGHTS: asdict(sums)}
        values_by_key |= {key: format_errors.as_json() for key, format_errors in errors.items()}
        lines = [json.dumps([VERSION, tensor.name, key, values]) for key, values in values_by_key.items()]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # The leading newline ends a line that a killed process may have left unfinished. One write, so that the
            # lines of two processes do not mix.
            with self._file(tensor.shard).open("ab", buffering=0) as file:
                file.write("\n".join(["", *lines, ""]).encode())
        except OSError as error:
            self.notice = tr(
                "Measured tensors cannot be cached in {folder} ({reason}). A report that is stopped will start over.",
                folder=str(self._folder),
                reason=reason_of(error),
            )

    def prune(self, keep: Iterable[Shard]) -> None:
        """Remove the least recently used files beyond the limits, but none of the shards in `keep`."""
        kept = {self._file(shard) for shard in keep}
        with suppress(OSError):
            files = sorted(self._folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True)
            used = 0
            for count, file in enumerate(files):
                used += file.stat().st_size
                if (count >= MAX_FILES or used > MAX_BYTES) and file not in kept:
                    file.unlink(missing_ok=True)

    def _stored(self, tensor: StoredTensor, key: str) -> dict[str, Any] | None:
        shard = tensor.shard.identity
        if shard not in self._read:
            self._read[shard] = dict(_lines(self._file(tensor.shard)))
        return self._read[shard].get((tensor.name, key))

    def _file(self, shard: Shard) -> Path:
        return self._folder / f"{shard.identity}.jsonl"


def _lines(file: Path) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """The complete lines of a file; damaged lines are skipped."""
    with suppress(OSError), file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            with suppress(ValueError, TypeError, RecursionError):
                version, name, key, values = json.loads(line)
                if version == VERSION and isinstance(values, dict):
                    yield (str(name), str(key)), values
