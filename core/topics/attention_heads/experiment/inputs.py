"""What the kernels of a run read: one new token of one sequence against the cache of one layer, and its float64 output.

The heads of MHA are drawn once. Those of GQA and MQA are their means, as in the conversion of a trained model (Ainslie
et al. 2023, arXiv 2305.13245, section 2.1), so that the outputs can be compared with MHA's. Random heads have nothing
in common, so pooling changes their output more than that of most trained models.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.model_configs import AttentionFacts
from kernels.attention.decode import DecodeImpl, DecodeOutput, decode_attention, decode_latent_attention

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp8": torch.bfloat16}
"""The element type of the queries. An fp8 cache is read by queries in bf16."""
_FP8 = torch.float8_e4m3fn
_KEYS_IN_FLOAT64 = 1 << 14
"""Keys of one head that the reference holds in float64 at a time."""


@dataclass(frozen=True, eq=False)
class MhaInputs:
    """q [1, heads, 1, head_dim], k [1, heads, tokens, head_dim] and v [1, heads, tokens, v_head_dim] of MHA."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor


@dataclass(frozen=True, eq=False)
class DecodeProblem:
    """One call of a decode kernel. `k` and `v` are [1, kv_heads, tokens, dim]; for MLA `k` is [1, 1, tokens, rank +
    rotary], and `v` a view of its first `rank` columns. `scale` is that of the softmax; `k_scale` and `v_scale` are
    those of an fp8 cache, else None."""

    key: str
    attention: AttentionFacts
    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    scale: float
    k_scale: torch.Tensor | None = None
    v_scale: torch.Tensor | None = None

    @property
    def tokens(self) -> int:
        return self.k.shape[2]

    @property
    def kv_heads(self) -> int:
        return self.k.shape[1]

    def run(self, impl: DecodeImpl) -> DecodeOutput:
        """One decode step by `impl`. Raises KernelError where it cannot run."""
        if self.attention.latent is None:
            return decode_attention(
                self.q, self.k, self.v, impl=impl, softmax_scale=self.scale, k_scale=self.k_scale, v_scale=self.v_scale
            )
        return decode_latent_attention(
            self.q,
            self.k[:, 0],
            latent_dim=self.attention.latent.rank,
            softmax_scale=self.scale,
            impl=impl,
            latent_scale=self.k_scale,
        )

    def part(self, kv_head: int) -> DecodeProblem:
        """The problem of one KV head and the query heads that read it."""
        group = self.q.shape[1] // self.kv_heads
        return DecodeProblem(
            self.key,
            self.attention,
            self.q[:, kv_head * group : (kv_head + 1) * group],
            self.k[:, kv_head : kv_head + 1],
            self.v[:, kv_head : kv_head + 1],
            self.scale,
            self.k_scale,
            self.v_scale,
        )


def draw_mha(
    attention: AttentionFacts, tokens: int, dtype: str, seed: int, device: str, progress: ProgressCallback
) -> MhaInputs:
    """Independent normal numbers, head by head. `attention` gives the heads and their widths."""
    generator = torch.Generator().manual_seed(seed)
    heads, element = attention.heads, DTYPES[dtype]

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(device, element)

    q = normal(1, heads, 1, attention.head_dim)
    k, v = (
        torch.empty((1, heads, tokens, width), dtype=element, device=device)
        for width in (attention.head_dim, attention.v_head_dim)
    )
    for head in range(heads):
        progress(head, heads, tr("drawing keys and values"))
        k[0, head], v[0, head] = normal(tokens, attention.head_dim), normal(tokens, attention.v_head_dim)
    return MhaInputs(q, k, v)


def grouped_problem(key: str, attention: AttentionFacts, mha: MhaInputs, dtype: str) -> DecodeProblem:
    """Neighbouring heads of MHA mean-pooled into the KV heads of `attention`."""
    k, v = (_pooled(heads, attention.kv_heads) for heads in (mha.k, mha.v))
    return _stored(DecodeProblem(key, attention, mha.q, k, v, float(attention.head_dim) ** -0.5), dtype)


def latent_problem(
    key: str, attention: AttentionFacts, tokens: int, dtype: str, seed: int, device: str
) -> DecodeProblem:
    """Absorbed MLA: random queries in the latent space, and a random latent cache."""
    assert attention.latent is not None
    generator = torch.Generator().manual_seed(seed)
    width, element = attention.latent.rank + attention.latent.rotary, DTYPES[dtype]
    q, k = (
        torch.randn(shape, generator=generator).to(device, element)
        for shape in ((1, attention.heads, 1, width), (1, 1, tokens, width))
    )
    v = k[..., : attention.latent.rank]
    return _stored(DecodeProblem(key, attention, q, k, v, float(attention.head_dim) ** -0.5), dtype)


def float64_output(problem: DecodeProblem, progress: ProgressCallback) -> torch.Tensor:
    """softmax(scale Q K^T) V in float64, [1, heads, 1, v_head_dim]: one KV head at a time, and its keys in parts."""
    group = problem.q.shape[1] // problem.kv_heads
    out = torch.empty((1, problem.q.shape[1], 1, problem.v.shape[3]), dtype=torch.float64, device=problem.q.device)
    for kv_head in range(problem.kv_heads):
        progress(kv_head, problem.kv_heads, tr("float64 reference"))
        rows = slice(kv_head * group, (kv_head + 1) * group)
        q = problem.q[0, rows, 0].double() * problem.scale * _factor(problem.k_scale)
        parts = [slice(first, first + _KEYS_IN_FLOAT64) for first in range(0, problem.tokens, _KEYS_IN_FLOAT64)]
        scores = [q @ problem.k[0, kv_head, part].double().mT for part in parts]
        weights = torch.cat(scores, dim=1).softmax(dim=1)
        attended = torch.zeros_like(out[0, rows, 0])
        for part in parts:
            attended += weights[:, part] @ problem.v[0, kv_head, part].double()
        out[0, rows, 0] = attended * _factor(problem.v_scale)
    return out


def plain_output(problem: DecodeProblem, progress: ProgressCallback) -> torch.Tensor:
    """The same by plain PyTorch in the precision of the queries, one KV head at a time to save memory."""
    outs = []
    for kv_head in range(problem.kv_heads):
        progress(kv_head, problem.kv_heads, tr("plain PyTorch"))
        outs.append(problem.part(kv_head).run(DecodeImpl.TORCH_NAIVE).out)
    return torch.cat(outs, dim=1)


def relative_rms(out: torch.Tensor, reference: torch.Tensor) -> float:
    """The RMS of the difference relative to that of the reference."""
    return float((out - reference).square().mean().sqrt() / reference.square().mean().sqrt())


def _pooled(heads: torch.Tensor, kv_heads: int) -> torch.Tensor:
    """The means of neighbouring heads of [1, heads, tokens, width]; the heads themselves if there are as many."""
    group = heads.shape[1] // kv_heads
    if group == 1:
        return heads
    pooled = torch.empty((1, kv_heads, *heads.shape[2:]), dtype=heads.dtype, device=heads.device)
    for kv_head in range(kv_heads):
        total = heads[0, kv_head * group].float()
        for head in range(kv_head * group + 1, (kv_head + 1) * group):
            total += heads[0, head]  # one after another: a mean of all would hold them in float32
        pooled[0, kv_head] = total / group
    return pooled


def _stored(problem: DecodeProblem, dtype: str) -> DecodeProblem:
    """The problem with its cache in fp8 if `dtype` is, with one scale per tensor that uses the whole range."""
    if dtype != "fp8":
        return problem
    k, k_scale = _in_fp8(problem.k)
    if problem.attention.latent is not None:
        v, v_scale = k[..., : problem.v.shape[3]], k_scale
    else:
        v, v_scale = _in_fp8(problem.v)
    return DecodeProblem(problem.key, problem.attention, problem.q, k, v, problem.scale, k_scale, v_scale)


def _in_fp8(cache: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scale = torch.stack([head.abs().max() for head in cache[0]]).max().float().reshape(1) / torch.finfo(_FP8).max
    stored = torch.empty(cache.shape, dtype=_FP8, device=cache.device)
    for head in range(cache.shape[1]):
        stored[0, head] = (cache[0, head].float() / scale).to(_FP8)
    return stored, scale


def _factor(scale: torch.Tensor | None) -> float:
    return 1.0 if scale is None else float(scale)
