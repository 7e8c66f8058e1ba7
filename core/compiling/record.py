"""What a compiled kernel takes of a GPU, as its compiler states it. Neither torch nor Triton is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.text import EMPTY, Text


@dataclass(frozen=True)
class CompiledKernel:
    """One kernel compiled for one GPU target ('sm_90', 'gfx942').

    `registers` are those of a thread, `spilled_bytes` what a thread keeps in memory for lack of registers, and
    `shared_bytes` the shared memory of a block. None where the compiler did not say. `instructions` are the special
    instructions that it contains: 'wgmma', 'mma', 'tcgen05', 'mfma', 'TMA', 'cp.async', and 'setmaxnreg', by which
    specialized warps share out registers. `problem` says why it could not be compiled.
    """

    function: str
    target: str
    num_warps: int = 0
    num_stages: int = 0
    registers: int | None = None
    spilled_bytes: int | None = None
    shared_bytes: int | None = None
    instructions: tuple[str, ...] = ()
    problem: Text = EMPTY
