"""FlagGems: operators of PyTorch, written in Triton, against PyTorch in float64."""

import os

import torch
from inputs import close, double, randint, randn, tensor
from torch.nn import functional

os.environ.setdefault("GEMS_VENDOR", "nvidia")  # else FlagGems looks for the command nvidia-smi

import flag_gems as gems

PACKAGES = ("flag-gems",)

X, Y = randn(13, 100), randn(13, 100, seed=1)


def absolute_value() -> None:
    close(gems.abs(X), double(X)[0].abs())


def addition_with_broadcast() -> None:
    row = randn(100, seed=2)
    close(gems.add(X, row, alpha=2), double(X)[0] + 2 * double(row)[0])


def exponential() -> None:
    close(gems.exp(X), double(X)[0].exp())


def hyperbolic_tangent() -> None:
    close(gems.tanh(X), double(X)[0].tanh())


def gelu() -> None:
    close(gems.gelu(X), functional.gelu(double(X)[0]))


def silu() -> None:
    close(gems.silu(X), functional.silu(double(X)[0]))


def floor_division() -> None:
    a, b = randint(-50, 50, 13, 100), randint(1, 9, 13, 100, seed=1)
    close(gems.floor_divide(a, b), a.cpu().div(b.cpu(), rounding_mode="floor"))


def matrix_product() -> None:
    a, b = randn(40, 50), randn(50, 60, seed=1)
    close(gems.mm(a, b), double(a)[0] @ double(b)[0], 2e-3)


def batched_matrix_product() -> None:
    a, b = randn(3, 40, 50), randn(3, 50, 60, seed=1)
    close(gems.bmm(a, b), double(a)[0] @ double(b)[0], 2e-3)


def matrix_product_with_bias() -> None:
    bias, a, b = randn(60), randn(40, 50), randn(50, 60, seed=1)
    close(gems.addmm(bias, a, b), double(bias)[0] + double(a)[0] @ double(b)[0], 2e-3)


def matrix_vector_product() -> None:
    a, b = randn(40, 50), randn(50, seed=1)
    close(gems.mv(a, b), double(a)[0] @ double(b)[0], 1e-4)


def outer_product() -> None:
    a, b = randn(40), randn(50, seed=1)
    close(gems.outer(a, b), torch.outer(*double(a, b)))


def softmax() -> None:
    close(gems.softmax(X, 1), double(X)[0].softmax(1))


def softmax_of_columns() -> None:
    close(gems.softmax(X, 0), double(X)[0].softmax(0))


def log_softmax() -> None:
    close(gems.log_softmax(X, 1), double(X)[0].log_softmax(1))


def layer_norm() -> None:
    w, b = randn(100, seed=2), randn(100, seed=3)
    close(gems.layer_norm(X, (100,), w, b)[0], functional.layer_norm(double(X)[0], (100,), *double(w, b)))


def rms_norm() -> None:
    w = randn(100, seed=2)
    close(gems.rms_norm(X, (100,), w), functional.rms_norm(double(X)[0], (100,), double(w)[0], 1e-5))


def group_norm() -> None:
    x, w, b = randn(2, 6, 20), randn(6, seed=1), randn(6, seed=2)
    close(gems.group_norm(x, w, b, 2, 6, 20, 3)[0], functional.group_norm(double(x)[0], 3, *double(w, b)))


def total() -> None:
    close(gems.sum(X), double(X)[0].sum(), 1e-4)


def sum_of_a_dimension() -> None:
    close(gems.sum_dim(X, [0]), double(X)[0].sum(0), 1e-4)


def product() -> None:
    close(gems.prod_dim(X[:, :5], 1), double(X)[0][:, :5].prod(1))


def mean_of_a_dimension() -> None:
    close(gems.mean_dim(X, [1]), double(X)[0].mean(1))


def variance_and_mean() -> None:
    close(gems.var_mean(X, [1]), torch.var_mean(double(X)[0], 1))


def vector_norm() -> None:
    close(gems.vector_norm(X, 2, [1]), torch.linalg.vector_norm(double(X)[0], dim=1))


def largest_of_a_dimension() -> None:
    close(gems.max_dim(X, 1), double(X)[0].max(1))


def place_of_the_largest() -> None:
    close(gems.argmax(X, 1), double(X)[0].argmax(1))


def whether_all_are_true() -> None:
    close(gems.all_dim(X > -1, 1), (X > -1).cpu().all(1))


def cumulative_sum() -> None:
    close(gems.cumsum(X, 1), double(X)[0].cumsum(1), 1e-4)


def cumulative_minimum() -> None:
    close(gems.cummin(X, 1), double(X)[0].cummin(1))


def sorting() -> None:
    close(gems.sort(X, 1), double(X)[0].sort(1))


def largest_five() -> None:
    close(gems.topk(X, 5), double(X)[0].topk(5))


def unique_values() -> None:
    from flag_gems.ops.unique import _unique2

    x = randint(0, 9, 70)
    close(_unique2(x)[0], x.cpu().unique())


def places_of_nonzeros() -> None:
    x = randint(0, 2, 13, 10)
    close(gems.nonzero(x), x.cpu().nonzero())


def gathering() -> None:
    index = randint(0, 13, 7, 100)
    close(gems.gather(X, 0, index), double(X)[0].gather(0, index.cpu()))


def scattering() -> None:
    index = torch.stack([torch.arange(100) % 13] * 2).to(X.device)
    close(gems.scatter(X, 0, index, Y[:2]), double(X)[0].scatter(0, index.cpu(), double(Y)[0][:2]))


def selected_rows() -> None:
    index = tensor([3, 0, 12, 3])
    close(gems.index_select(X, 0, index), double(X)[0][index.cpu()])


def added_rows() -> None:
    index = tensor([3, 0, 12, 3])
    close(gems.index_add(X, 0, index, Y[:4]), double(X)[0].index_add(0, index.cpu(), double(Y)[0][:4]))


def embedding() -> None:
    index = randint(0, 13, 5, 4)
    close(gems.embedding(X, index), double(X)[0][index.cpu()])


def concatenation() -> None:
    close(gems.cat([X, Y[:4]], 0), torch.cat((X, Y[:4])).cpu())


def repeated_rows() -> None:
    close(gems.repeat_interleave_self_int(X, 3, 0), X.cpu().repeat_interleave(3, 0))


def flipping() -> None:
    close(gems.flip(X, [1]), X.cpu().flip(1))


def padding() -> None:
    close(gems.pad(X, (2, 3), "constant", 7.0), functional.pad(X.cpu(), (2, 3), "constant", 7.0))


def lower_triangle() -> None:
    close(gems.tril(X, -2), X.cpu().tril(-2))


def masked_values() -> None:
    close(gems.masked_fill(X, Y > 0, 3.0), X.cpu().masked_fill((Y > 0).cpu(), 3.0))


def choice() -> None:
    close(gems.where_self(X > 0, X, Y), torch.where(X > 0, X, Y).cpu())


def membership() -> None:
    x, values = randint(0, 99, 13, 10), randint(0, 99, 20, seed=1)
    close(gems.isin(x, values), torch.isin(x.cpu(), values.cpu()))


def kronecker_product() -> None:
    a, b = randn(3, 4), randn(5, 6, seed=1)
    close(gems.kron(a, b), torch.kron(*double(a, b)))


def convolution() -> None:
    x, w = randn(2, 3, 12, 12), randn(4, 3, 3, 3, seed=1)
    close(gems.conv2d(x, w, padding=1), functional.conv2d(*double(x, w), padding=1), 2e-3)


def pooling() -> None:
    x = randn(2, 3, 12, 12)
    got = gems.max_pool2d_with_indices(x, 3, 2, 1)
    close(got, functional.max_pool2d(double(x)[0], 3, 2, 1, return_indices=True))


def nearest_upsampling() -> None:
    x = randn(2, 3, 6, 6)
    close(gems.upsample_nearest2d(x, (12, 18)), functional.interpolate(double(x)[0], (12, 18)))


def batch_norm() -> None:
    x, w, b = randn(4, 6, 20), randn(6, seed=1), randn(6, seed=2)
    mean, variance = torch.zeros_like(w), torch.ones_like(w)  # without them, FlagGems 5.0.2 writes into the input
    expected = functional.batch_norm(double(x)[0], None, None, *double(w, b), True)
    close(gems.batch_norm(x, w, b, mean, variance, training=True)[0], expected)


def negative_log_likelihood() -> None:
    x, target = X.log_softmax(1), randint(0, 100, 13)
    close(gems.nll_loss_forward(x, target)[0], functional.nll_loss(double(x)[0], target.cpu()))


def mean_squared_error() -> None:
    close(gems.mse_loss(X, Y), functional.mse_loss(*double(X, Y)))


def attention() -> None:
    q, k, v = (randn(1, 2, 64, 32, seed=seed, dtype=torch.float16) for seed in range(3))
    got = gems.scaled_dot_product_attention(q, k, v, is_causal=True)
    close(got, functional.scaled_dot_product_attention(*double(q, k, v), is_causal=True), 5e-3)


def fused_add_rms_norm() -> None:
    w = randn(100, seed=2)
    total = double(X)[0] + double(Y)[0]
    got = gems.fused_add_rms_norm(X.clone(), Y.clone(), (100,), w)
    close(got, [functional.rms_norm(total, (100,), double(w)[0], 1e-5), total])


def silu_and_mul() -> None:
    close(gems.silu_and_mul(X, Y), functional.silu(double(X)[0]) * double(Y)[0])


def aligned_blocks_of_experts() -> None:
    experts = randint(0, 4, 20, 2)
    rows, owners, padded = gems.moe_align_block_size(experts.int(), 16, 4)
    counts = torch.bincount(experts.cpu().flatten(), minlength=4)
    blocks = (counts + 15) // 16
    assert int(padded) == int(blocks.sum()) * 16
    close(owners[: int(blocks.sum())], torch.arange(4).repeat_interleave(blocks))
    for block, owner in enumerate(owners[: int(blocks.sum())].tolist()):
        inside = [row for row in rows[block * 16 : block * 16 + 16].tolist() if row < 40]
        assert all(int(experts.flatten()[row]) == owner for row in inside)


def dropout() -> None:
    got, kept = gems.dropout(torch.ones(64, 100).to(X.device), 0.25)
    close(got, kept.cpu().double() / 0.75)
    assert 0.7 < kept.float().mean() < 0.8


def random_numbers() -> None:
    x = gems.rand((64, 100), device=X.device)
    assert x.min() >= 0
    assert x.max() < 1
    assert 0.45 < x.mean() < 0.55
