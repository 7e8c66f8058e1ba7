"""liger-kernel: the operations of training a language model, forward and backward."""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from inputs import close, double, rand, randint, randn, same, tensor
from torch.nn import functional

PACKAGES = ("liger-kernel",)

X, WEIGHT, BIAS = randn(6, 50), randn(50, seed=1), randn(50, seed=2)
TARGET = tensor([1, 4, -100, 7, 49, 0])


def _apply(module: str, name: str) -> Callable[..., Any]:
    return getattr(importlib.import_module(f"liger_kernel.ops.{module}"), f"Liger{name}Function").apply


def rms_norm() -> None:
    norm = _apply("rms_norm", "RMSNorm")
    same(lambda x, w: norm(x, w, 1e-6), lambda x, w: functional.rms_norm(x, (50,), w, 1e-6), X, WEIGHT)


def rms_norm_of_gemma() -> None:
    norm = _apply("rms_norm", "RMSNorm")
    same(
        lambda x, w: norm(x, w, 1e-6, 1.0, "gemma"), lambda x, w: functional.rms_norm(x, (50,), 1 + w, 1e-6), X, WEIGHT
    )


def rms_norm_in_bfloat16() -> None:
    x, w = X.bfloat16(), WEIGHT.bfloat16()
    close(_apply("rms_norm", "RMSNorm")(x, w, 1e-6), functional.rms_norm(x.double(), (50,), w.double(), 1e-6), 2e-2)


def fused_add_rms_norm() -> None:
    norm = _apply("fused_add_rms_norm", "FusedAddRMSNorm")
    same(
        lambda x, r, w: norm(x, r, w, 1e-6),
        lambda x, r, w: functional.rms_norm(x + r, (50,), w, 1e-6),
        X,
        randn(6, 50, seed=3),
        WEIGHT,
    )


def layer_norm() -> None:
    norm = _apply("layer_norm", "LayerNorm")
    same(
        lambda x, w, b: norm(x, w, b, 1e-6),
        lambda x, w, b: functional.layer_norm(x, (50,), w, b, 1e-6),
        X,
        WEIGHT,
        BIAS,
    )


def group_norm() -> None:
    norm = _apply("group_norm", "GroupNorm")
    same(
        lambda x, w, b: norm(x, w, b, 6, 3, 1e-5),
        lambda x, w, b: functional.group_norm(x, 3, w, b, 1e-5),
        randn(2, 6, 20),
        randn(6, seed=1),
        randn(6, seed=2),
    )


def poly_norm() -> None:
    def witness(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        powers = [functional.rms_norm(x**n, (50,), eps=1e-6) for n in (3, 2, 1)]
        return sum(w[i] * power for i, power in enumerate(powers)) + b

    norm = _apply("poly_norm", "PolyNorm")
    same(lambda x, w, b: norm(x, w, b, 1e-6), witness, X, randn(3, seed=1), tensor(0.7), tolerance=1e-4)


def dynamic_tanh() -> None:
    dyt = _apply("dyt", "DyT")
    same(dyt, lambda x, a, g, b: g * torch.tanh(a * x) + b, X, randn(1, seed=3), WEIGHT, BIAS)


def swiglu() -> None:
    same(_apply("swiglu", "SiLUMul"), lambda a, b: functional.silu(a) * b, X, randn(6, 50, seed=3))


def swiglu_of_one_projection() -> None:
    def witness(y: torch.Tensor) -> torch.Tensor:
        gate, up = y.chunk(2, -1)
        return functional.silu(gate) * up

    same(_apply("swiglu", "FusedGateUpSiLUMul"), witness, randn(6, 64))


def geglu() -> None:
    same(_apply("geglu", "GELUMul"), lambda a, b: functional.gelu(a, approximate="tanh") * b, X, randn(6, 50, seed=3))


def relu_squared() -> None:
    same(_apply("relu_squared", "ReLUSquared"), lambda x: functional.relu(x) ** 2, X)


def softmax() -> None:
    same(_apply("softmax", "Softmax"), lambda x: functional.softmax(x, -1), X)


def sparsemax() -> None:
    def witness(x: torch.Tensor) -> torch.Tensor:
        ordered = x.sort(-1, descending=True).values
        sums = ordered.cumsum(-1) - 1
        counts = torch.arange(1, x.shape[-1] + 1)
        support = (ordered * counts > sums).sum(-1, keepdim=True)
        return functional.relu(x - sums.gather(-1, support - 1) / support)

    sparse = _apply("sparsemax", "Sparsemax")
    same(lambda x: sparse(x, -1), witness, X)


def cross_entropy() -> None:
    loss = _apply("cross_entropy", "CrossEntropy")
    same(lambda x, t: loss(x, t, None, -100), functional.cross_entropy, X, TARGET)


def cross_entropy_with_smoothing_and_weights() -> None:
    weights = rand(50, seed=5)
    loss = _apply("cross_entropy", "CrossEntropy")
    same(
        lambda x, t: loss(x, t, weights, -100, 0.0, 0.1, "sum"),
        lambda x, t: functional.cross_entropy(x, t, double(weights)[0], reduction="sum", label_smoothing=0.1),
        X,
        TARGET,
    )


def cross_entropy_with_softcap() -> None:
    loss = _apply("cross_entropy", "CrossEntropy")
    same(
        lambda x, t: loss(x, t, None, -100, 0.0, 0.0, "mean", 5.0),
        lambda x, t: functional.cross_entropy(5 * torch.tanh(x / 5), t),
        X,
        TARGET,
    )


def fused_linear_cross_entropy() -> None:
    loss = _apply("fused_linear_cross_entropy", "FusedLinearCrossEntropy")
    same(
        lambda x, w, t: loss(x, w, t),
        lambda x, w, t: functional.cross_entropy(x @ w.t(), t),
        X,
        randn(30, 50, seed=4),
        tensor([1, 4, -100, 7, 29, 0]),
    )


def fused_linear_jensen_shannon() -> None:
    student, teacher = (randn(30, 20, seed=4), randn(6, 24, seed=5)), (randn(30, 24, seed=6),)
    loss = _apply("fused_linear_jsd", "FusedLinearJSD")

    def witness(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        hidden, weight = double(student[1], teacher[0])
        p, q = (x @ w.t()).log_softmax(-1), (hidden @ weight.t()).log_softmax(-1)
        return _jensen_shannon(p, q)

    same(lambda x, w: loss(x, w, student[1], teacher[0]), witness, randn(6, 20), student[0], tolerance=1e-4)


def _jensen_shannon(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Of log-probabilities: the mean over rows."""
    middle = torch.log((p.exp() + q.exp()) / 2)
    return 0.5 * (p.exp() * (p - middle) + q.exp() * (q - middle)).sum(-1).mean()


def jensen_shannon() -> None:
    other = randn(6, 50, seed=5).log_softmax(-1)
    loss = _apply("jsd", "JSD")
    same(lambda x: loss(x, other), lambda x: _jensen_shannon(x, double(other)[0]), X.log_softmax(-1))


def kl_divergence() -> None:
    other = randn(6, 50, seed=5).softmax(-1)
    loss = _apply("kl_div", "KLDivLoss")
    same(
        lambda x: loss(x, other),
        lambda x: functional.kl_div(x, double(other)[0], reduction="batchmean"),
        X.log_softmax(-1),
    )


def total_variation() -> None:
    other = randn(6, 50, seed=5).softmax(-1)
    loss = _apply("tvd", "TVDLoss")
    same(
        lambda x: loss(x, other),
        lambda x: 0.5 * (x - double(other)[0]).abs().sum(-1).mean(),
        X.softmax(-1),
    )


def policy_loss_of_grpo() -> None:
    logits, ids = randn(3, 8, 20), randint(0, 20, 3, 7, seed=1)
    old = randn(3, 7, seed=2) - 3
    advantages, mask = randn(3, seed=3), tensor([[1] * 7, [1] * 4 + [0] * 3, [1] * 6 + [0]])
    loss = importlib.import_module("liger_kernel.ops.grpo_loss").GrpoLossFunction

    def witness(x: torch.Tensor) -> torch.Tensor:
        logp = (x[:, :-1]).log_softmax(-1).gather(-1, ids.cpu()[..., None])[..., 0]
        ratio = (logp - double(old)[0]).exp()
        advantage = double(advantages)[0][:, None]
        each = -torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
        weights = mask.cpu().double()
        return ((each * weights).sum(-1) / weights.sum(-1)).mean()

    same(
        lambda x: loss.apply(x, old, None, ids, advantages, mask, 1.0, 0.0, 0.2, 0.2, False),
        witness,
        logits,
        tolerance=1e-4,
    )


def rotary_embedding() -> None:
    q, k = randn(1, 2, 8, 16), randn(1, 2, 8, 16, seed=1)
    angle = randn(1, 8, 8, seed=2).repeat(1, 1, 2)
    got = _apply("rope", "Rope")(q.clone(), k.clone(), angle.cos(), angle.sin())
    q, k, angle = double(q, k, angle)
    close(got, [_rotated(x, angle) for x in (q, k)])


def _rotated(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    return x * angle.cos() + torch.cat((-x[..., half:], x[..., :half]), -1) * angle.sin()


def rotary_embedding_of_qwen2vl() -> None:
    q, k = randn(1, 2, 8, 16), randn(1, 2, 8, 16, seed=1)
    angle = randn(3, 1, 8, 8, seed=2).repeat(1, 1, 1, 2)
    got = _apply("qwen2vl_mrope", "Qwen2VLMRope")(q.clone(), k.clone(), angle.cos(), angle.sin(), [2, 3, 3])
    q, k, angle = double(q, k, angle)
    parts = [part[i % 3] for i, part in enumerate(angle.split([2, 3, 3] * 2, -1))]
    close(got, [_rotated(x, torch.cat(parts, -1)) for x in (q, k)])


def rotary_embedding_of_llama4() -> None:
    q, k, angle = randn(1, 8, 2, 16), randn(1, 8, 2, 16, seed=1), randn(8, 8, seed=2)
    turns = torch.polar(torch.ones_like(angle), angle)
    got = _apply("llama4_rope", "Llama4Rope")(q.clone(), k.clone(), turns)
    q, k, angle = double(q, k, angle)
    turn = torch.polar(torch.ones_like(angle), angle)[None, :, None]
    close(got, [torch.view_as_real(torch.view_as_complex(x.view(1, 8, 2, 8, 2)) * turn).view(x.shape) for x in (q, k)])


def mixture_of_experts() -> None:
    x, up, down = randn(10, 32), randn(4, 48, 32, seed=1) / 6, randn(4, 32, 24, seed=2) / 5
    chosen, weights = randint(0, 4, 10, 2, seed=3, dtype=torch.int32), rand(10, 2, seed=4)

    def witness(x: torch.Tensor, up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
        share = double(weights)[0]
        rows = []
        for row in range(10):
            parts = []
            for slot, expert in enumerate(chosen[row].tolist()):
                gate, value = (up[expert] @ x[row]).chunk(2)
                parts.append(share[row, slot] * (down[expert] @ (functional.silu(gate) * value)))
            rows.append(sum(parts))
        return torch.stack(rows)

    moe = _apply("fused_moe", "FusedMoE")
    same(lambda x, up, down: moe(x, up, down, chosen, weights), witness, x, up, down, tolerance=5e-3)


def multi_token_attention() -> None:
    def witness(scores: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        future = torch.ones(16, 16, dtype=torch.bool).triu(1)
        shares = scores.masked_fill(future, float("-inf")).softmax(-1)
        return functional.conv2d(shares, weight, padding=1).masked_fill(future, 0)

    attention = _apply("multi_token_attention", "MultiTokenAttention")
    same(
        lambda scores, weight: attention(scores, weight, None, 1, 1),
        witness,
        randn(1, 2, 16, 16),
        randn(2, 2, 3, 3, seed=1),
    )


def attention_residuals() -> None:
    def witness(values: torch.Tensor, query: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        keys = functional.rms_norm(values, (32,), norm, 1e-6)
        return ((keys @ query).softmax(0)[..., None] * values).sum(0)

    residual = _apply("attn_res", "AttnRes")
    same(lambda v, q, n: residual(v, q, n, 1e-6), witness, randn(4, 6, 32), randn(32, seed=1), randn(32, seed=2))


def cross_entropy_and_total_variation() -> None:
    other, target = randn(6, 50, seed=5), randint(0, 50, 6, seed=6)
    losses = _apply("fused_ce_tvd", "FusedCETVD")

    def witness(x: torch.Tensor) -> torch.Tensor:
        distance = 0.5 * (x.softmax(-1) - double(other)[0].softmax(-1)).abs().sum(-1)
        return functional.cross_entropy(x, target.cpu(), reduction="none") + 3 * distance

    def both(x: torch.Tensor) -> torch.Tensor:
        entropy, distance = losses(x, other, target)[:2]
        return entropy + 3 * distance

    same(both, witness, X)
