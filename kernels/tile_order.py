"""Which tile of its output a program of a matrix product computes."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def tile_of_program(rows_total, cols_total, ROWS: tl.constexpr, COLS: tl.constexpr, GROUP: tl.constexpr):
    """(row tile, column tile) of this program. GROUP row tiles go through each column of tiles together and share what
    it reads in the L2 cache."""
    row_tiles, col_tiles = tl.cdiv(rows_total, ROWS), tl.cdiv(cols_total, COLS)
    program = tl.program_id(0)
    first_row_tile = program // (GROUP * col_tiles) * GROUP
    group = tl.minimum(row_tiles - first_row_tile, GROUP)
    in_group = program % (GROUP * col_tiles)
    return first_row_tile + in_group % group, in_group // group
