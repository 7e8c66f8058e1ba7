"""Attention under a mask on a device."""

from __future__ import annotations

from functools import partial

import torch

from core.families.axes import Case
from core.families.block_sparse import document_lengths
from core.families.running.attention import few_heads, random_qkv
from core.families.running.problem import Outputs, Problem
from kernels.attention import MaskDescription, SparseImpl, TermKind, block_mask, sparse_attention, term
from kernels.attention.tiling import choose_tiling
from kernels.launching import device_target


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """The masks of all implementations are made beforehand, as a model would keep them."""
    q, k, v = qkv = random_qkv(case, seed, device)
    tiling = choose_tiling(
        head_dim=q.shape[3], element_bytes=q.element_size(), target=device_target(device), sparse=True
    )
    mask = block_mask(
        description(case),
        batch=q.shape[0],
        query_len=q.shape[2],
        key_len=k.shape[2],
        block_q=tiling.block_q,
        block_kv=tiling.block_kv,
        device=device,
    )
    few = few_heads(qkv)

    def by(impl: SparseImpl) -> Outputs:
        return (sparse_attention(q, k, v, impl=impl, mask=mask).out,)

    def of_few(impl: SparseImpl) -> Outputs:
        return (sparse_attention(*few, impl=impl, mask=mask.description).out,)

    batch, heads = few[0].shape[:2]
    return Problem(
        runs={impl.value: partial(by, impl) for impl in SparseImpl if impl is not SparseImpl.REFERENCE},
        exact=partial(of_few, SparseImpl.REFERENCE),
        plain=partial(of_few, SparseImpl.TORCH_NAIVE),
        part=lambda outputs: (outputs[0][:batch, :heads],),
    )


def description(case: Case) -> MaskDescription:
    """Causal by itself, in a sliding window, or within packed documents."""
    causal = term(TermKind.CAUSAL)
    if case["mask"] == "causal":
        return causal
    if case["mask"] == "window":
        return causal & term(TermKind.WINDOW, int(case["window"]))
    lengths = torch.tensor(list(document_lengths(case)))
    ids = torch.repeat_interleave(torch.arange(len(lengths)), lengths)[None].to(torch.int32)
    return causal & term(TermKind.SAME_IDS, q_ids=ids, kv_ids=ids)
