"""Tensors that were measured already, in the user's cache folder: a report goes on where one was stopped. No torch.

One file per shard, named after its identity (size, time, header); one line per measured tensor and way of quantizing,
written when that tensor is done. A large tensor that was stopped half-way is read again, a matter of seconds. Losing
the file loses time and nothing else.
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

VERSION = 3
"""Raised when what is measured changes, so that older lines are not taken for it."""

_WEIGHTS = "weights"

MOST_FILES = 256
MOST_BYTES = 256 * 2**20
"""What the folder holds at most when a report begins, beside the report's own shards: about 5 KB per tensor measured in
six formats."""


class ResumeCache:
    """What is kept of a few shards. Where the folder cannot be written, nothing is kept and `notice` says so."""

    def __init__(self, folder: Path) -> None:
        self.notice = ""
        self._folder = folder
        self._read: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def weights(self, tensor: StoredTensor) -> WeightSums | None:
        """The sums of a measured tensor; None if it is not here."""
        values = self._stored(tensor, _WEIGHTS)
        with suppress(KeyError, TypeError, ValueError):
            if values is not None:
                return WeightSums(**{**values, "sums": tuple(values["sums"])})
        return None

    def errors(self, tensor: StoredTensor, way: str) -> FormatErrors | None:
        """The errors of a measured tensor quantized that `way`; None if they are not here."""
        values = self._stored(tensor, way)
        with suppress(KeyError, TypeError, ValueError):
            if values is not None:
                return FormatErrors.from_json(values)
        return None

    def keep(self, tensor: StoredTensor, sums: WeightSums, errors: Mapping[str, FormatErrors]) -> None:
        """What was measured of a tensor, its errors by way of quantizing."""
        values_by_way: dict[str, dict[str, Any]] = {_WEIGHTS: asdict(sums)}
        values_by_way |= {way: of_way.as_json() for way, of_way in errors.items()}
        lines = [json.dumps([VERSION, tensor.name, way, values]) for way, values in values_by_way.items()]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # On lines of their own even after one that a killed process left unfinished; one write, so that two
            # processes do not mix theirs.
            with self._file(tensor.shard).open("ab", buffering=0) as file:
                file.write("\n".join(["", *lines, ""]).encode())
        except OSError as error:
            self.notice = (
                f"Finished tensors cannot be kept in {self._folder} ({error.strerror or error}): a report that is "
                "stopped will begin anew."
            )

    def prune(self, spared: Iterable[Shard]) -> None:
        """Remove what was used longest ago beyond the bounds, but nothing of the `spared` shards."""
        kept = {self._file(shard) for shard in spared}
        with suppress(OSError):
            files = sorted(self._folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True)
            used = 0
            for count, file in enumerate(files):
                used += file.stat().st_size
                if (count >= MOST_FILES or used > MOST_BYTES) and file not in kept:
                    file.unlink(missing_ok=True)

    def _stored(self, tensor: StoredTensor, way: str) -> dict[str, Any] | None:
        shard = tensor.shard.identity
        if shard not in self._read:
            self._read[shard] = dict(_lines(self._file(tensor.shard)))
        return self._read[shard].get((tensor.name, way))

    def _file(self, shard: Shard) -> Path:
        return self._folder / f"{shard.identity}.jsonl"


def _lines(file: Path) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """The lines that are whole; a damaged one is passed over."""
    with suppress(OSError), file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            with suppress(ValueError, TypeError, RecursionError):
                version, name, way, values = json.loads(line)
                if version == VERSION and isinstance(values, dict):
                    yield (str(name), str(way)), values
