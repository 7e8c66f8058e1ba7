"""Attention on a device, forward and backward, or the backward pass alone."""

from __future__ import annotations

from collections.abc import Callable

import torch

from core.families.axes import Case
from core.families.running.attention import Qkv, few_heads, random_qkv
from core.families.running.problem import Outputs, Problem, Run, generator, normal
from kernels.attention import EVERYTHING, Impl, SparseImpl, TermKind, attention, block_mask, sparse_attention, term
from kernels.attention.reference import reference_backward, reference_forward
from kernels.errors import Unavailable

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
_IMPLS = tuple(impl for impl in Impl if impl is not Impl.REFERENCE)


class Training:
    """One implementation with its inputs, which require gradients, and the gradient `dout` of its output."""

    def __init__(self, attend: Attend, qkv: Qkv, dout: torch.Tensor) -> None:
        self._attend, self._dout = attend, dout
        self._leaves = tuple(tensor.detach().requires_grad_() for tensor in qkv)
        self._out: torch.Tensor | None = None

    def both(self) -> Outputs:
        """(out, dQ, dK, dV)."""
        with torch.enable_grad():
            out = self._attend(*self._leaves)
            return (out.detach(), *torch.autograd.grad(out, self._leaves, self._dout))

    def forward(self) -> None:
        """Keeps the output, with what its backward pass needs."""
        self._out = None
        with torch.enable_grad():
            self._out = self._attend(*self._leaves)

    def backward(self) -> Outputs:
        """(dQ, dK, dV) of the output that is kept, which stays for the next call."""
        if self._out is None:
            self.forward()
        assert self._out is not None
        return torch.autograd.grad(self._out, self._leaves, self._dout, retain_graph=True)


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """Outputs are (out, dQ, dK, dV), or the last three. Those of few heads are checked where there are many scores."""
    qkv, causal, alone = random_qkv(case, seed, device), case["mask"] == "causal", case["passes"] == "backward"
    dout = random_dout(qkv, seed)
    trainings = {name: Training(attend, qkv, dout) for name, attend in _attending(qkv, causal).items()}
    few = few_heads(qkv)
    batch, heads, kv_heads = few[0].shape[0], few[0].shape[1], few[1].shape[1]
    few_dout, counts = dout[:batch, :heads], (heads, heads, kv_heads, kv_heads)
    skipped = 1 if alone else 0

    def runs_of(training: Training) -> Run:
        return training.backward if alone else training.both

    plain = Training(_by(Impl.TORCH_NAIVE, causal), few, few_dout)
    return Problem(
        runs={name: runs_of(training) for name, training in trainings.items()},
        prepare={name: training.forward for name, training in trainings.items()} if alone else {},
        exact=lambda: _exact(few, few_dout, causal)[skipped:],
        plain=lambda: plain.both()[skipped:],
        part=lambda outputs: tuple(
            output[:batch, :count] for output, count in zip(outputs, counts[skipped:], strict=True)
        ),
    )


def random_dout(qkv: Qkv, seed: int) -> torch.Tensor:
    """The gradient of the output, in the shape of Q."""
    q = qkv[0]
    return normal(tuple(q.shape), generator(seed + 1, q.device), q.dtype)


def _attending(qkv: Qkv, causal: bool) -> dict[str, Attend]:
    """Every implementation by its name."""
    return {**{impl.value: _by(impl, causal) for impl in _IMPLS}, "flex": _flex(qkv, causal)}


def _by(impl: Impl, causal: bool) -> Attend:
    return lambda q, k, v: attention(q, k, v, impl=impl, causal=causal).out


def _flex(qkv: Qkv, causal: bool) -> Attend:
    """FlexAttention, with its block mask made beforehand, as a model would keep it."""
    q, k, _ = qkv
    if q.device.type == "cpu":
        return _flex_on_cpu
    mask = block_mask(
        term(TermKind.CAUSAL) if causal else EVERYTHING,
        batch=q.shape[0],
        query_len=q.shape[2],
        key_len=k.shape[2],
        block_q=128,
        block_kv=128,
        device=q.device,
    )
    # Compiled code may overwrite what its forward pass kept, and then refuses a second backward pass.
    from torch._functorch import config

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        with config.patch(donated_buffer=False):
            return sparse_attention(q, k, v, impl=SparseImpl.FLEX, mask=mask).out

    return attend


def _flex_on_cpu(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    raise Unavailable("FlexAttention has no backward pass on a CPU.")


def _exact(qkv: Qkv, dout: torch.Tensor, causal: bool) -> Outputs:
    """All four in float64."""
    scale = qkv[0].shape[3] ** -0.5
    out, _ = reference_forward(*qkv, causal=causal, softmax_scale=scale)
    return (out, *reference_backward(*qkv, dout, causal=causal, softmax_scale=scale))
