"""A trace as JSON rows and plain arrays, which a worker sends, and as one file, which a user exports and reopens.

The file is an .npz archive (a zip of .npy members, no pickle). Member `__tilescope_trace__` is the JSON of
`{"version": 1, "rows": [...]}`; the other members are the arrays. Each row is flat and names its kind in `row`:

- launch: function, file, first_line, source, ttir, grid_x, grid_y, grid_z, config and, which older files lack,
  product_flops, launched_at ('FILE:LINE') and addresses_only; launches count from 0 in order;
- buffer: launch, name, dtype, element_bytes, size_bytes, data_ptr, shape and strides ('2 3' for (2, 3)) and, which
  older files lack, argument (the caller's code), made_at ('FILE:LINE') and storage (a number for each allocation);
- printed: launch, text (a line of `tl.device_print`);
- fault: launch, the fields of `core.trace.record.Fault` (the sentence in English), and text, the JSON of `Text.plain`
  (which older files lack);
- watched: launch, name, truncated; its arrays are `watched.I.programs` and `watched.I.values`, I its number;
- path: a source file, which accesses refer to by number.

The accesses are tables of int64 with the columns below; a shared array is stored once:

- accesses: launch, kind (0 load, 1 store, 2 atomic), buffer, path, line, element_bytes, order, programs (an array),
  rank (-1: the offset is a constant), constant, first term, terms, first condition (-1: no mask), conditions,
  then first number and count in `sizes` of its iteration, and of its shape;
- terms: axes, array; the offset of an access is its constant plus the sum of its terms (`core.trace.affine`);
- conditions: relation (0 '<', 1 '==', 2 '!=', 3 an array of bools), rank, constant, first term, terms, array (or -1);
- arrays: 0 for `numbers` or 1 for `bits`, first element there, then first number and count in `sizes` of its shape;
- sizes: [n], lists of small numbers; numbers: [n], int32 or int64; bits: [n], uint8.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.contracts import archive
from core.contracts.archive import DAMAGE, Array
from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.files import read_regular, reason_of, write_whole
from core.outside import described
from core.trace.decoder import Decoder
from core.trace.encoder import Encoder
from core.trace.record import Launch

VERSION = 1
SUFFIX = ".npz"
_HEADER = "__tilescope_trace__"
Rows = list[dict[str, Any]]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class EncodedTrace:
    """Encoded launches as a field of a result: the rows and the arrays of `encode`."""

    rows: tuple[dict[str, Any], ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def of(cls, launches: Sequence[Launch]) -> Self:
        rows, arrays = encode(launches)
        return cls(tuple(rows), arrays)

    def launches(self) -> list[Launch]:
        """Raises TilescopeError, with one sentence, if this is not a trace."""
        return decode(self.rows, self.arrays)

    def same_as(self, other: EncodedTrace) -> bool:
        """Whether both hold the same accesses of the same launches."""
        return (
            self.rows == other.rows
            and self.arrays.keys() == other.arrays.keys()
            and all(np.array_equal(array, other.arrays[name]) for name, array in self.arrays.items())
        )


def encode(launches: Sequence[Launch]) -> tuple[Rows, Arrays]:
    """The launches as flat JSON rows and arrays, named as in this module's description."""
    encoder = Encoder()
    for launch in launches:
        encoder.add(launch)
    return encoder.rows, encoder.arrays()


def decode(rows: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> list[Launch]:
    """The inverse of `encode`. Raises TilescopeError, with one sentence, if they are not a trace."""
    try:
        return Decoder(rows, arrays).launches()
    except DAMAGE as error:
        reason = described(error)[:120]
        raise TilescopeError(
            tr(
                "The trace is damaged and cannot be read ({reason}): trace the kernel again.",
                reason=reason,
            )
        ) from error


def save(path: str | Path, launches: Sequence[Launch]) -> None:
    """Write the launches to one file. Raises TilescopeError if it cannot be written."""
    write(path, EncodedTrace.of(launches))


def write(path: str | Path, trace: EncodedTrace) -> None:
    """Write an encoded trace to one file, as `save` does."""
    buffer = io.BytesIO()
    header = np.array(json.dumps({"version": VERSION, "rows": list(trace.rows)}))
    np.savez_compressed(buffer, **{_HEADER: header}, **trace.arrays)  # type: ignore[arg-type]
    try:
        write_whole(Path(path), buffer.getbuffer())
    except OSError as error:
        raise TilescopeError(
            tr(
                "The trace could not be written to {path} ({reason}): save it elsewhere.",
                path=str(path),
                reason=reason_of(error),
            )
        ) from error


def load(path: str | Path) -> list[Launch]:
    """The launches of a file that `save` wrote.

    Raises TilescopeError, with one sentence, if the file cannot be opened, is not a trace, has a newer version, or is
    damaged.
    """
    try:
        data = read_regular(Path(path), archive.MAX_UNPACKED_BYTES)
    except OSError as error:
        raise TilescopeError(
            tr("{path} could not be opened ({reason}): choose another file.", path=str(path), reason=reason_of(error))
        ) from error
    try:
        members = archive.members(data)
        header = json.loads(str(members.pop(_HEADER)))
        version, rows = header["version"], header["rows"]
    except DAMAGE as error:
        raise TilescopeError(
            tr("{path} is not a trace from Tilescope, or it is damaged: export the trace again.", path=str(path))
        ) from error
    if version != VERSION:
        raise TilescopeError(
            tr(
                "{path} holds a trace of format {version}, but this version of Tilescope reads format {supported}: "
                "open it with the version that wrote it, or trace the kernel again.",
                path=str(path),
                version=repr(version),
                supported=VERSION,
            )
        )
    return decode(rows, members)
