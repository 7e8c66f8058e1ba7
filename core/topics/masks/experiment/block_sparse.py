"""The block-sparse kernel under the tracer: its form of the mask, and the order in which it visits tiles."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from core.contracts.text import Text, tr
from core.interpreter import Launch
from core.masks.lowering import MAX_TERMS, KernelTerm, counted_terms, lowered
from core.topics.masks.experiment.problem import Problem
from core.trace.tile_loads import first_offset, in_launch_order, loads_of
from kernels.attention.blocks import BlockMask, block_mask
from kernels.attention.mask import MaskDescription, Term, TermKind
from kernels.attention.sparse import SparseImpl, sparse_attention

IntArray = NDArray[np.int64]


def tiles_of(problem: Problem) -> BlockMask | Text:
    """The problem's mask in the form of the kernel, or one sentence that says why there is none."""
    lowering = lowered(problem.mask, problem.layouts)
    if lowering is None:
        return tr(
            "The mask has {terms} different terms, but the block-sparse kernel takes at most {limit}: write it with "
            "fewer terms, or use another implementation.",
            terms=counted_terms(problem.mask),
            limit=MAX_TERMS,
        )
    return block_mask(
        MaskDescription(tuple(_term(term) for term in lowering.terms), lowering.table),
        batch=problem.q.shape[0],
        query_len=problem.q.shape[2],
        key_len=problem.k.shape[2],
        block_q=problem.block_q,
        block_kv=problem.block_kv,
        device=problem.device,
    )


def attend(problem: Problem, tiles: BlockMask) -> torch.Tensor:
    """One launch of the kernel: [batch, heads, query_len, head_dim]."""
    return sparse_attention(
        problem.q, problem.k, problem.v, impl=SparseImpl.BLOCK_SPARSE, mask=tiles, softmax_scale=problem.scale
    ).out


def visited_by_sequence(launch: Launch) -> list[int]:
    """K tiles that the programs of head 0 loaded, one count per sequence."""
    programs = np.concatenate([access.programs for access in loads_of(launch, "k_ptr")] or [np.empty(0, np.int64)])
    x, heads, batch = launch.grid
    return [int(np.count_nonzero(programs // x == sequence * heads)) for sequence in range(batch)]


def traced_schedule(launch: Launch, problem: Problem, sequence: int) -> NDArray[np.int32]:
    """int32 [steps, 4] of (step, q_block, iteration, kv_block) of one sequence, head 0, in launch order.

    Both block indices are derived from addresses: of Q, which a program loads once, and of K.
    """
    x, heads, _ = launch.grid
    first_program = sequence * heads * x
    q_block = np.zeros(x, dtype=np.int64)
    for access in loads_of(launch, "q_ptr"):
        lanes, row = _first_rows(access.programs - first_program, first_offset(access), problem.q, sequence, x)
        q_block[lanes] = row // problem.block_q
    rows: list[IntArray] = []
    for access in loads_of(launch, "k_ptr"):
        lanes, row = _first_rows(access.programs - first_program, first_offset(access), problem.k, sequence, x)
        rows.append(np.stack([lanes, np.full(lanes.size, access.order), row // problem.block_kv], axis=1))
    program, iteration, kv_block = in_launch_order(rows)
    return np.stack([np.arange(program.size), q_block[program], iteration, kv_block], axis=1).astype(np.int32)


def _first_rows(
    program: IntArray, offset: IntArray, tensor: torch.Tensor, sequence: int, programs: int
) -> tuple[IntArray, IntArray]:
    """For head 0 of one sequence: the program indices, and the first tensor row of each program's tile."""
    in_sequence = (program >= 0) & (program < programs)
    return program[in_sequence], (offset[in_sequence] - sequence * tensor.stride(0)) // tensor.stride(2)


def _term(term: KernelTerm) -> Term:
    lengths, q_ids, kv_ids = (
        None if array is None else torch.from_numpy(np.ascontiguousarray(array))
        for array in (term.lengths, term.q_ids, term.kv_ids)
    )
    return Term(TermKind[term.kind], term.window if lengths is None else lengths, q_ids, kv_ids)
