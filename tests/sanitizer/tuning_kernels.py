"""Autotuned kernels that change what they read, and correct twins."""

import torch
import triton
import triton.language as tl

CONFIGS = [triton.Config({"B": 64}), triton.Config({"B": 128})]


@triton.jit
def double(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, 2 * tl.load(x + o, mask=o < n), mask=o < n)


@triton.jit
def total(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(out, tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0))


@triton.jit
def twice(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, tl.load(x + o, mask=o < n), mask=o < n)
    tl.store(out + o, 2 * tl.load(out + o, mask=o < n), mask=o < n)


@triton.jit
def add_locked(x, out, lock, n, B: tl.constexpr):
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(out + tl.program_id(0), tl.sum(tl.load(x + tl.arange(0, B))))
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


def tune(kernel, configs=CONFIGS, **options):
    return triton.autotune(configs=configs, key=["n"], **options)(kernel)


def launch(kernel, x, out, *more):
    kernel[lambda meta: (triton.cdiv(1000, meta["B"]),)](x, out, *more, 1000)


@triton.jit
def clamp(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, tl.maximum(tl.load(x + o, mask=o < n), 0.0), mask=o < n)


def the_same_again():
    x = torch.linspace(-1, 1, 1000)
    launch(tune(clamp), x, x)


def in_place():
    x = torch.ones(1000)
    launch(tune(double), x, x)


@triton.jit
def double_and_count(x, counts, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(x + o, 2 * tl.load(x + o, mask=o < n), mask=o < n)
    tl.atomic_add(counts + o, 1.0, mask=o < n)


def beside_a_larger_tensor():
    x, counts = torch.ones(1000), torch.zeros(2000)
    launch(tune(double_and_count), x, counts)
    return counts


def sum_on_top():
    launch(tune(total), torch.ones(1000), torch.zeros(1))


def restored():
    x = torch.ones(1000)
    launch(tune(double, restore_value=["x"]), x, x)


def reset():
    launch(tune(total, reset_to_zero=["out"]), torch.ones(1000), torch.zeros(1))


def reset_by_a_hook():
    configs = [triton.Config({"B": b}, pre_hook=lambda named: named["out"].zero_()) for b in (64, 128)]
    launch(tune(total, configs=configs), torch.ones(1000), torch.zeros(1))


def into_another():
    launch(tune(double), torch.ones(1000), torch.empty(1000))


def one_configuration():
    x = torch.ones(1000)
    launch(tune(double, configs=CONFIGS[:1]), x, x)


def reads_back_its_own():
    launch(tune(twice), torch.ones(1000), torch.zeros(1000))


def lock_that_is_free_again():
    launch(tune(add_locked), torch.ones(1000), torch.zeros(16), torch.zeros(1, dtype=torch.int32))
