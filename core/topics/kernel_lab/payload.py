"""The names under which the kernel-lab experiment returns what the page draws.

Tables (rows of JSON values), everything traced:
  launches  launch, function, file, first_line, grid ('4 x 1 x 1'), programs, config, accesses, read_bytes,
            written_bytes, unique_bytes, trace_bytes: one row a kernel launch, in order, counted from 0
  tensors   launch, tensor (the argument's name), dtype, shape ('[1024, 64]'), size_bytes, read_accesses,
            written_accesses, read_bytes, written_bytes, unique_bytes, reuse (bytes asked for over distinct bytes)
  lines     launch, function, file, line, kind ('load'|'store'|'atomic'), tensor, accesses, bytes, unique_bytes,
            masked_share (0 to 1), reuse
  faults    launch, kind ('out of bounds'|'write-write race'), tensor, file, line, program, other_program, index,
            count, sentence. Programs are linear ids, x fastest; `other_program` is None where there is one only
  sectors   launch, function, file, line, kind, tensor, used_share (0 to 1, of the 32-byte sectors that a program's tile
            touches), sampled (bool: some tiles stand for all)
  handovers tensor, written_by, writing_launch, read_by, reading_launch, read_bytes: what a launch reads that an earlier
            one wrote, as far as addresses tell
  sources   file, text (as it was when it ran), functions: [{function, first_line, ttir, launches: [int]}]
  log       stream ('stdout'|'stderr'|'kernel'), text: what the file and the kernels printed, the last 64 KB of each
  trace     the rows of `core.trace.file.encode`; absent from the Partial

Arrays: those of `core.trace.file.encode`, each with 'trace.' before its name. `launches_of` makes launches of both.

Files that lie in the project are named relative to it, others by their absolute path, in every table but 'trace'.

Metrics: 'launches', 'programs', 'accesses', 'read_bytes', 'written_bytes', 'unique_bytes' (distinct in each launch,
added up), 'out_of_bounds' and 'races' (rows of 'faults').

A Partial of this experiment carries the same names: `core.contracts.result_builder.from_partial` makes a Result of it.
"""

from __future__ import annotations

from core.contracts.result import Result
from core.trace.file import decode
from core.trace.record import Launch

ARRAY_PREFIX = "trace."


def launches_of(result: Result) -> list[Launch]:
    """The traced launches of a result; [] for a Partial. Raises TilescopeError where they cannot be read."""
    if "trace" not in result.tables:
        return []
    arrays = {
        name.removeprefix(ARRAY_PREFIX): array for name, array in result.arrays.items() if name.startswith(ARRAY_PREFIX)
    }
    return decode(result.tables["trace"], arrays)
