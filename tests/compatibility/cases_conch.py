"""conch-triton-kernels: the operations of serving engines and of vision, against torch or the package's references."""

import torch
from inputs import close, double, rand, randint, randn, tensor
from torch.nn import functional

PACKAGES = ("conch-triton-kernels",)


def silu_and_mul() -> None:
    from conch.ops.activation.silu_and_mul import silu_and_mul as gated

    x = randn(7, 96)
    one, other = double(x)[0].chunk(2, -1)
    close(gated(x), functional.silu(one) * other)


def gelu_tanh_and_mul() -> None:
    from conch.ops.activation.gelu_tanh_and_mul import gelu_tanh_and_mul as gated

    x = randn(7, 96)
    one, other = double(x)[0].chunk(2, -1)
    close(gated(x), functional.gelu(one, approximate="tanh") * other)


def rms_norm() -> None:
    from conch.ops.normalization.rms_norm import rms_norm as norm

    x, w = randn(7, 96), randn(96, seed=1)
    close(norm(x, w, 1e-6), functional.rms_norm(double(x)[0], (96,), double(w)[0], 1e-6))


def fused_add_rms_norm() -> None:
    from conch.ops.normalization.rms_norm import fused_add_rms_norm as norm

    x, residual, w = randn(7, 96), randn(7, 96, seed=1), randn(96, seed=2)
    total = double(x)[0] + double(residual)[0]
    close(norm(x, residual, w, 1e-6), [functional.rms_norm(total, (96,), double(w)[0], 1e-6), total])


def gemma_rms_norm() -> None:
    from conch.ops.normalization.gemma_rms_norm import gemma_rms_norm as norm

    x, w = randn(7, 96), randn(96, seed=1)
    close(norm(x.clone(), w, 1e-6), functional.rms_norm(double(x)[0], (96,), 1 + double(w)[0], 1e-6))


def rotary_embedding() -> None:
    from conch.ops.embedding.rotary_embedding import rotary_embedding as rotary
    from conch.reference.embedding.rotary_embedding import compute_cos_sin_cache
    from conch.reference.embedding.rotary_embedding import rotary_embedding as reference

    cache = compute_cos_sin_cache(10000.0, 32, 64).to("cpu")
    positions, q, k = randint(0, 64, 9), randn(9, 64), randn(9, 32, seed=1)
    cache = cache.to(q.device)
    expected = reference(positions, q.clone(), k.clone(), cache, 32, 32)
    close(rotary(positions, q, k, 32, cache), expected)


def int8_quantization() -> None:
    from conch.ops.quantization.int8 import scaled_int8_quant

    x = randn(7, 96)
    codes, _ = scaled_int8_quant(x, tensor([0.05]))
    close(codes, (double(x)[0] / 0.05).clamp(-128, 127).trunc(), 0)


def fp8_quantization() -> None:
    from conch.ops.quantization.fp8 import scaled_fp8_quant

    x = randn(7, 96)
    codes, _ = scaled_fp8_quant(x, tensor([0.5]))
    close(codes.float(), (x / 0.5).to(torch.float8_e4m3fn).float())


def nf4_quantization() -> None:
    from conch.ops.quantization.bitsandbytes.functional import dequantize_4bit, quantize_4bit

    x = randn(2048, dtype=torch.float16)
    codes, state = quantize_4bit(x, quant_type="nf4")
    back = dequantize_4bit(codes, state, quant_type="nf4")
    largest = double(x)[0].view(-1, 64).abs().amax(-1)
    close(state.absmax, largest)
    assert (back.cpu().double().view(-1, 64) - double(x)[0].view(-1, 64)).abs().max() < 0.16 * largest.max()


def mixed_precision_matmul() -> None:
    from conch.ops.quantization.gemm import mixed_precision_gemm

    x, codes = randn(5, 128, dtype=torch.float16), randint(0, 16, 128, 64, seed=1, dtype=torch.int32)
    scales = rand(1, 64, seed=2, dtype=torch.float16)
    packed = sum(codes.view(16, 8, 64)[:, i] << (4 * i) for i in range(8))
    got = mixed_precision_gemm(x, packed, scales, None, 4, 8, 128)
    close(got, double(x)[0] @ ((codes.cpu().double() - 8) * double(scales)[0]), 5e-3)


def scaled_matmul() -> None:
    from conch.ops.quantization.gemm import scaled_gemm

    a, b = randint(-50, 50, 20, 64, dtype=torch.int8), randint(-50, 50, 64, 64, seed=1, dtype=torch.int8)
    one, other = rand(20, 1, seed=2), rand(64, 1, seed=3)
    got = scaled_gemm(a, b, one, other, torch.float16)
    close(got, double(one)[0] * (a.cpu().double() @ b.cpu().double()) * double(other)[0].t(), 2e-3)


def _pages() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keys and values of 8 blocks of 16 tokens, which blocks two sequences use, and how long those are."""
    return (
        randn(8, 16, 2, 32),
        randn(8, 16, 2, 32, seed=1),
        tensor([[5, 2, 7], [0, 3, 1]], torch.int32),
        tensor([37, 20], torch.int32),
    )


def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The last queries of a causal sequence, two heads per head of keys: tokens, heads, features."""
    q, k, v = double(q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1))
    scores = torch.einsum("qhd,khd->hqk", q, k) * q.shape[-1] ** -0.5
    later = torch.arange(len(k)) > torch.arange(len(q))[:, None] + len(k) - len(q)
    return torch.einsum("hqk,khd->qhd", scores.masked_fill(later, float("-inf")).softmax(-1), v)


def paged_attention() -> None:
    from conch.ops.attention.paged_attention import paged_attention as attention

    keys, values, blocks, lengths = _pages()
    q = randn(2, 4, 32, seed=2)
    expected = []
    for row, length in enumerate(lengths.tolist()):
        k, v = (cache[blocks[row].long()].flatten(0, 1)[:length] for cache in (keys, values))
        expected.append(_attention(q[row : row + 1], k, v))
    close(attention(q, keys, values, blocks, lengths), torch.cat(expected), 1e-4)


def varlen_attention() -> None:
    from conch.ops.attention.varlen_attention import varlen_attention as attention

    keys, values, blocks, lengths = _pages()
    q, starts = randn(57, 4, 32, seed=2), tensor([0, 37, 57], torch.int32)
    expected = []
    for row, length in enumerate(lengths.tolist()):
        k, v = (cache[blocks[row].long()].flatten(0, 1)[:length] for cache in (keys, values))
        expected.append(_attention(q[starts[row] : starts[row + 1]], k, v))
    close(attention(q, keys, values, starts, 37, lengths, 37, blocks, causal=True), torch.cat(expected), 1e-4)


def reshape_and_cache() -> None:
    from conch.ops.vllm.reshape_and_cache import reshape_and_cache as store

    key, value, slots = randn(5, 2, 32), randn(5, 2, 32, seed=1), tensor([3, 17, 0, 31, 40])
    keys, values = torch.zeros(4, 16, 2, 32).to(key), torch.zeros(4, 16, 2, 32).to(key)
    store(key, value, keys, values, slots)
    expected = torch.zeros(2, 64, 2, 32, dtype=torch.float64)
    expected[0, slots.cpu()], expected[1, slots.cpu()] = double(key, value)
    close([keys.view(64, 2, 32), values.view(64, 2, 32)], list(expected))


def copy_blocks() -> None:
    from conch.ops.vllm.copy_blocks import copy_blocks as copy

    caches = [randn(6, 16, 2, 32, seed=seed) for seed in range(4)]
    before, flat = [cache.clone() for cache in caches], [cache.flatten(1) for cache in caches]
    copy(flat[:2], flat[2:], tensor([[0, 4], [2, 5]]))
    for cache, old in zip(caches, before, strict=True):
        old[4], old[5] = old[0], old[2]
        close(cache, old)


def pooling_of_birds_eye_views() -> None:
    from conch.ops.vision.bev_pool import bev_pool
    from conch.reference.vision.bev_pool import bev_pool_pytorch

    places = torch.zeros(24, 4, dtype=torch.int32)
    places[:, 0], places[:, 1] = torch.arange(24) // 6, torch.arange(24) // 12
    places = places.to(randn(1).device)
    starts, lengths = tensor([0, 6, 12, 18], torch.int32), tensor([6, 6, 6, 6], torch.int32)
    x = randn(24, 40)
    close(bev_pool(x, places, starts, lengths, 1, 1, 4, 4), bev_pool_pytorch(x, places, starts, lengths, 1, 1, 4, 4))


def suppression_of_overlapping_boxes() -> None:
    from conch.ops.vision.nms import nms
    from conch.reference.vision.nms import nms as reference

    corners = rand(60, 2) * 50
    boxes, scores = torch.cat((corners, corners + 5 + rand(60, 2, seed=1) * 20), 1), rand(60, seed=2)
    close(nms(boxes, scores, 0.3), reference(boxes, scores, 0.3))


def voxels() -> None:
    from conch.ops.vision.voxelization import VoxelizationParameter, generate_voxels

    sizes = VoxelizationParameter((0.0, 0.0, 0.0), (4.0, 4.0, 2.0), (1.0, 1.0, 1.0), 8)
    points = rand(100, 4) * tensor([4.0, 4.0, 2.0, 1.0])
    counts = generate_voxels(points, sizes)
    filled = len({tuple(place) for place in points[:, :3].long().tolist()})
    assert int(counts[0].reshape(-1)[0] if isinstance(counts[0], torch.Tensor) else counts[0]) == filled
