"""Single operations of small packages: moe-ops, grouped-mm-bf16, torchnorm, triformer, cut-cross-entropy, mase-triton,
causal-conv1d and triton-kernels (the one of Kernelize AI)."""

import torch
from inputs import bare, close, double, randint, randn, same, tensor
from torch.nn import functional

PACKAGES = (
    "moe-ops",
    "grouped-mm-bf16",
    "torchnorm",
    "triformer",
    "cut-cross-entropy",
    "mase-triton",
    "causal-conv1d",
    "triton-kernels",
)

X, WEIGHT, BIAS = randn(6, 64), randn(64, seed=1), randn(64, seed=2)


def experts_of_the_largest_shares() -> None:
    from moe_ops.fused_topk_softmax_ops import fused_topk_softmax

    x = randn(20, 8)
    weights, chosen = fused_topk_softmax(x, 2)
    largest = double(x)[0].topk(2)
    close([weights, chosen], [largest.values.softmax(-1), largest.indices])


def rows_sorted_by_expert_and_back() -> None:
    from moe_ops.permute_ops import permute
    from moe_ops.unpermute_ops import unpermute

    chosen, shares = randint(0, 4, 20, 2, seed=3), randn(20, 2, seed=4).softmax(-1)

    def there_and_back(x: torch.Tensor) -> torch.Tensor:
        rows, places, _ = permute(x, chosen)
        return unpermute(rows, places, shares, 20, 2)

    same(there_and_back, lambda x: x * double(shares)[0].sum(1, keepdim=True), randn(20, 64))


def grouped_product() -> None:
    from moe_ops.grouped_gemm_ops import grouped_gemm

    a, b, ends = randn(40, 32), randn(3, 24, 32, seed=1), tensor([0, 10, 10, 40])
    parts = [(0, 10), (10, 10), (10, 40)]
    expected = torch.cat([double(a)[0][start:end] @ double(b)[0][i].t() for i, (start, end) in enumerate(parts)])
    close(grouped_gemm(a, b, ends), expected, 2e-3)


def grouped_product_in_bfloat16() -> None:
    from grouped_mm_bf16 import grouped_mm

    a, b = randn(48, 32, dtype=torch.bfloat16), randn(3, 32, 64, seed=1, dtype=torch.bfloat16)
    ends = tensor([16, 16, 48], torch.int32)
    parts = [(0, 16), (16, 16), (16, 48)]
    expected = torch.cat([double(a)[0][start:end] @ double(b)[0][i] for i, (start, end) in enumerate(parts)])
    close(grouped_mm(a, b, ends), expected, 2e-2)


def layer_norm_of_torchnorm() -> None:
    from torchnorm import LayerNorm

    module = LayerNorm(64).to(X.device)
    close(module(X), functional.layer_norm(double(X)[0], (64,)))


def rms_norm_of_torchnorm() -> None:
    from torchnorm import RMSNorm

    close(RMSNorm(64).to(X.device)(X), functional.rms_norm(double(X)[0], (64,), eps=1e-6))


def rms_norm_of_a_sum_of_torchnorm() -> None:
    from torchnorm import FusedAddRMSNorm

    y = randn(6, 64, seed=3)
    total = double(X)[0] + double(y)[0]
    out, rounded = FusedAddRMSNorm(64).to(X.device)(X, y)
    close(out, functional.rms_norm(total, (64,), eps=1e-6))
    close(rounded, total.bfloat16(), 2e-2)  # it stores the sum in bfloat16 precision


def layer_norm_of_triformer() -> None:
    from triformer import TritonLayerNorm

    same(TritonLayerNorm(64).to(X.device), lambda x: functional.layer_norm(x, (64,), eps=1e-5), X, tolerance=1e-4)


def softmax_of_triformer() -> None:
    from triformer import TritonSoftmax

    same(TritonSoftmax(is_causal=False).to(X.device), lambda x: x.softmax(-1), randn(2, 3, 16, 16))


def swiglu_of_triformer() -> None:
    from triformer.swiglu import TritonSwiglu

    e, g = randn(2, 8, 64), randn(2, 8, 64, seed=1)
    close(TritonSwiglu()(e, g), functional.silu(double(e)[0]) * double(g)[0])


def cross_entropy_of_triformer() -> None:
    from triformer import TritonCrossEntropyLoss

    target = randint(0, 50, 6, seed=3)
    loss = TritonCrossEntropyLoss(-100, "mean")
    same(lambda x: loss(x, target), lambda x: functional.cross_entropy(x, target.cpu()), randn(6, 50))


def cut_cross_entropy() -> None:
    from cut_cross_entropy import linear_cross_entropy

    x, w = randn(64, 64, dtype=torch.bfloat16), randn(256, 64, seed=1, dtype=torch.bfloat16) / 8
    target = randint(0, 256, 64, seed=2)
    same(
        lambda x, w: linear_cross_entropy(x, w, target, filter_eps=None),
        lambda x, w: functional.cross_entropy(x @ w.t(), target.cpu()),
        x,
        w,
        tolerance=2e-2,
    )


def cut_cross_entropy_per_token() -> None:
    from cut_cross_entropy import linear_cross_entropy

    x, w = randn(64, 64, dtype=torch.bfloat16), randn(256, 64, seed=1, dtype=torch.bfloat16) / 8
    target = randint(0, 256, 64, seed=2)
    expected = functional.cross_entropy(double(x)[0] @ double(w)[0].t(), target.cpu(), reduction="none")
    close(linear_cross_entropy(x, w, target, reduction="none"), expected, 2e-2)


def minifloats() -> None:
    from mase_triton.minifloat.fake import compose_minifloat_component as compose
    from mase_triton.minifloat.fake import extract_minifloat_component as extract
    from mase_triton.minifloat.functional.cast import compose_minifloat_component, extract_minifloat_component
    from mase_triton.minifloat.meta import MinifloatMeta

    kind, x = MinifloatMeta(exp_bits=4, frac_bits=3, is_finite=False, round_mode="rn"), randn(6, 64)
    codes, meta = extract_minifloat_component(x, kind)
    close(codes, extract(x.cpu(), kind), 0)
    close(compose_minifloat_component(codes, meta, torch.float32), compose(codes.cpu(), kind, torch.float32), 0)


def microscaled_numbers() -> None:
    from mase_triton.mxfp.fake import extract_mxfp_components as extract
    from mase_triton.mxfp.functional.cast import extract_mxfp_components
    from mase_triton.mxfp.meta import OCP_MXFP4_E2M1

    x = randn(8, 64)  # without ties, which kernel and reference round differently
    got = extract_mxfp_components(x, 1, OCP_MXFP4_E2M1)
    close(got[:2], extract(x.cpu(), OCP_MXFP4_E2M1), 0)


def states_of_a_varlen_convolution() -> None:
    bare("causal_conv1d")
    from causal_conv1d.causal_conv1d_varlen import causal_conv1d_varlen_states as states

    x, ends = randn(30, 64), tensor([0, 2, 13, 30], torch.int32)
    parts = [double(x)[0][start:end][-4:].t() for start, end in ((0, 2), (2, 13), (13, 30))]
    close(states(x, ends, 4), torch.stack([functional.pad(part, (4 - part.shape[1], 0)) for part in parts]))


def sum_of_vectors() -> None:
    from triton_kernels.add_vectors import add_vectors

    x, y = randn(1000), randn(1000, seed=1)
    out = torch.empty_like(x)
    add_vectors[(4,)](x, y, out, 1000, BLOCK_SIZE=256)
    close(out, double(x)[0] + double(y)[0])
