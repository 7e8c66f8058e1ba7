"""Caches for decode: contiguous or paged, with NaN wherever a kernel must not read, and the yardstick."""

from dataclasses import dataclass, field
from typing import Any

import torch

from core.hardware.compare import allowed_rms_error
from core.hardware.timing import check_against
from kernels.attention.decode import DecodeImpl, DecodeOutput, decode_attention, decode_latent_attention

FP8 = torch.float8_e4m3fn


@dataclass(frozen=True)
class DecodeCase:
    """`page_size` 0: contiguous. Without `lengths` the cache is full. `value_dim` 0: that of K.

    `latent`: V is the first `value_dim` columns of K, and there is one KV head.
    """

    capacity: int = 100
    lengths: tuple[int, ...] | None = None
    batch: int = 1
    kv_heads: int = 2
    group: int = 4
    query_len: int = 1
    key_dim: int = 64
    value_dim: int = 0
    dtype: torch.dtype = torch.float32
    kv_dtype: torch.dtype | None = None
    page_size: int = 0
    latent: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def heads(self) -> int:
        return self.kv_heads * self.group

    @property
    def all_lengths(self) -> tuple[int, ...]:
        return self.lengths or (self.capacity,) * self.batch


class DecodeProblem:
    """The tensors of a case, and calls on them."""

    def __init__(self, case: DecodeCase, device: str = "cpu", seed: int = 0) -> None:
        generator = torch.Generator(device=device).manual_seed(seed)
        self.case, self._device, self._generator = case, device, generator
        self.q = self._random(case.batch, case.heads, case.query_len, case.key_dim).to(case.dtype)
        widths = (case.key_dim,) if case.latent else (case.key_dim, case.value_dim or case.key_dim)
        self.caches = [self._dense(width) for width in widths]
        self.options = dict(case.options)
        if case.lengths is not None:
            self.options["lengths"] = torch.tensor(case.lengths, dtype=torch.int32, device=device)
        if case.page_size:
            self._page()
        if case.latent:
            self.caches = [cache.squeeze(2 if case.page_size else 1) for cache in self.caches]

    def _random(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self._generator, device=self._device)

    def _dense(self, width: int) -> torch.Tensor:
        case = self.case
        cache = self._random(case.batch, case.kv_heads, case.capacity, width).to(case.kv_dtype or case.dtype)
        for sequence, length in enumerate(case.all_lengths):
            cache[sequence, :, length:] = torch.nan
        return cache

    def _page(self) -> None:
        """Pages in random order, with one that no sequence has."""
        case = self.case
        pages = -(-case.capacity // case.page_size)
        order = torch.randperm(case.batch * pages + 1, generator=self._generator, device=self._device)
        table = order[: case.batch * pages].reshape(case.batch, pages)
        paged = []
        for cache in self.caches:
            shape = (len(order), case.page_size, case.kv_heads, cache.shape[3])
            pool = torch.full(shape, torch.nan, device=self._device).to(cache.dtype)
            padded = torch.full((case.batch, pages * case.page_size, *shape[2:]), torch.nan, device=self._device).to(
                cache.dtype
            )
            padded[:, : case.capacity] = cache.transpose(1, 2)
            pool[table.flatten()] = padded.reshape(-1, *shape[1:])
            paged.append(pool)
        self.caches, self.options["block_table"] = paged, table.to(torch.int32)
        if case.lengths is None:
            self.options["lengths"] = torch.full((case.batch,), case.capacity, dtype=torch.int32, device=self._device)

    def call(self, impl: DecodeImpl, **options: Any) -> DecodeOutput:
        options = self.options | options
        if self.case.latent:
            return decode_latent_attention(
                self.q, *self.caches, latent_dim=self.case.value_dim, softmax_scale=0.1, impl=impl, **options
            )
        return decode_attention(self.q, *self.caches, impl=impl, **options)

    def assert_as_exact_as_torch(self, ours: DecodeOutput) -> None:
        """Within a small factor of what matmul, softmax, matmul leave in the same dtype; the log-sum-exp as well.

        Where torch happens to be exact, a few roundings of the float32 accumulator are allowed: few outputs are not
        enough for a fair yardstick.
        """
        exact, plain = self.call(DecodeImpl.REFERENCE), self.call(DecodeImpl.TORCH_NAIVE)
        assert ours.out.dtype == self.q.dtype
        assert ours.out.shape == exact.out.shape
        accumulator = 2 * torch.finfo(torch.float32).eps * float(exact.out.abs().max())
        allowed = max(allowed_rms_error(plain.out, exact.out), accumulator)
        check = check_against(ours.out, exact.out, allowed)
        assert check.passed, f"{check.rms_error:.3e} against {allowed:.3e}"
        assert ours.lse is not None
        assert exact.lse is not None
        torch.testing.assert_close(ours.lse.double(), exact.lse, rtol=1e-5, atol=2e-5)
