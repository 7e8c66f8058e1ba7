"""What the caller called the tensors of a launch, where it launched, and where the tensors were made."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

import triton.language as tl  # noqa: E402

from core.interpreter import Launch, intercept  # noqa: E402


@triton.jit
def copy_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    tl.store(y_ptr + i, tl.load(x_ptr + i, mask=i < n), mask=i < n)


@triton.jit
def constant_first_kernel(BLOCK: tl.constexpr, x_ptr, y_ptr):
    tl.store(y_ptr + tl.arange(0, BLOCK), tl.load(x_ptr + tl.arange(0, BLOCK)))


@triton.jit
def described_kernel(desc, y_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    tl.store(y_ptr + i, desc.load([0]))


tuned_kernel = triton.autotune([triton.Config({"BLOCK": 64})], key=["n"])(copy_kernel)


class Weights:
    def __init__(self) -> None:
        self.up = {"w": torch.ones(64)}


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inner: Any) -> Any:
        out = torch.empty_like(inner)
        copy_kernel[(1,)](inner, out, 64, BLOCK=64)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        result = torch.empty(64)
        copy_kernel[(1,)](gradient, result, 64, BLOCK=64)
        return result


def passed_on(a: Any, *rest: Any, **named: Any) -> None:
    copy_kernel[(1,)](a, *rest, **named)


def views() -> None:
    q, out = torch.ones(4, 64), torch.ones(64)
    copy_kernel[(1,)](q[:, 1:], out, 64, BLOCK=64)


def keywords() -> None:
    q, out = torch.ones(64), torch.ones(64)
    copy_kernel[(1,)](y_ptr=out, n=64, BLOCK=64, x_ptr=q)


def attributes_over_lines() -> None:
    weights, out = Weights(), [torch.ones(64)]
    # fmt: off
    copy_kernel[
        (1,)
    ](
        weights.up["w"],  # the weights
        out[-1],
        64, BLOCK=64,
    )
    # fmt: on


def temporaries() -> None:
    q = torch.ones(64)
    copy_kernel[(1,)](q.clone(), torch.empty_like(q), 64, BLOCK=64)


def through_functions() -> None:
    q, out = torch.ones(64), torch.ones(64)
    passed_on(q, out, n=64, BLOCK=64)


def through_autograd() -> None:
    q = torch.ones(64, requires_grad=True)
    Doubled.apply(q)


def autotuned() -> None:
    q, out = torch.ones(64), torch.ones(64)
    tuned_kernel[(1,)](q, out, 64)


def with_a_method() -> None:
    q, out = torch.ones(64), torch.ones(64)
    copy_kernel.run(q, out, 64, grid=(1,), warmup=False, BLOCK=64)


def with_a_partial() -> None:
    q, out = torch.ones(64), torch.ones(64)
    launch = functools.partial(copy_kernel[(1,)], q)
    launch(out, 64, BLOCK=64)


def with_a_handle() -> None:
    q, out = torch.ones(64), torch.ones(64)
    handle = constant_first_kernel.warmup(64, q, out, grid=(1,))
    handle[(1,)](q, out)


def in_a_comprehension() -> None:
    heads, out = [torch.ones(64)], torch.ones(64)
    [copy_kernel[(1,)](head, out, 64, BLOCK=64) for head in heads]


def described() -> None:
    from triton.tools.tensor_descriptor import TensorDescriptor

    q, out = torch.ones(64), torch.ones(64)
    described_kernel[(1,)](TensorDescriptor.from_tensor(q, [64]), out, BLOCK=64)


def in_chinese() -> None:
    输入, 输出 = torch.ones(64), torch.ones(64)
    copy_kernel[(1,)](输入, 输出, 64, BLOCK=64)


CASES = {
    views: ("q[:, 1:]", "out"),
    keywords: ("q", "out"),
    attributes_over_lines: ("weights.up['w']", "out[-1]"),
    temporaries: ("q.clone()", "torch.empty_like(q)"),
    through_functions: ("q", "out"),
    through_autograd: ("q", "out"),
    autotuned: ("q", "out"),
    with_a_method: ("q", "out"),
    with_a_partial: ("", ""),
    with_a_handle: ("q", "out"),
    in_a_comprehension: ("head", "out"),
    described: ("TensorDescriptor.from_tensor(q, [64])", "out"),
    in_chinese: ("输入", "输出"),
}


def launches_of(function: Any) -> list[Launch]:
    with intercept() as tracer:
        function()
    return tracer.launches


@pytest.mark.parametrize("function", CASES, ids=lambda function: function.__name__)
def test_that_a_tensor_has_the_name_that_its_caller_has_for_it(function: Any) -> None:
    (launch,) = launches_of(function)
    assert tuple(buffer.argument for buffer in launch.buffers) == CASES[function]


def line_of(function: Any, text: str) -> str:
    lines, first = inspect.getsourcelines(function)
    (index,) = (index for index, line in enumerate(lines) if text in line)
    return f"{__file__}:{first + index}"


def test_that_a_launch_and_its_tensors_have_their_lines() -> None:
    (launch,) = launches_of(temporaries)
    assert launch.launched_at == line_of(temporaries, "copy_kernel[")
    assert {buffer.made_at for buffer in launch.buffers} == {launch.launched_at}
    (launch,) = launches_of(attributes_over_lines)
    assert [buffer.made_at for buffer in launch.buffers] == [
        line_of(Weights.__init__, "torch.ones"),
        line_of(attributes_over_lines, "torch.ones"),
    ]


def test_that_tensors_share_a_storage_as_long_as_it_lives() -> None:
    made_before = torch.ones(128)
    lines = []

    def main() -> None:
        x, y = torch.ones(64), torch.ones(64)
        copy_kernel[(1,)](x, y, 64, BLOCK=64)
        copy_kernel[(1,)](y.view(8, 8), made_before[64:], 64, BLOCK=64)
        x.add_(1)
        copy_kernel[(1,)](x, made_before, 64, BLOCK=64)
        for _ in range(2):  # the second takes the memory of the first
            copy_kernel[(1,)](x, torch.empty(64), 64, BLOCK=64)
        lines.append(made_before.mul_(2).shape)

    launches = launches_of(main)
    storages = [[buffer.storage for buffer in launch.buffers] for launch in launches]
    x, y, before = storages[0][0], storages[0][1], storages[1][1]
    assert storages[:3] == [[x, y], [y, before], [x, before]]
    assert len({x, y, before, storages[3][1], storages[4][1]}) == 5
    assert launches[1].buffers[1].made_at == "", "nobody saw it"


def test_that_a_backward_pass_is_watched_too() -> None:
    def main() -> None:
        q = torch.ones(64, requires_grad=True)
        Doubled.apply(q).backward(gradient=torch.ones(64))
        assert q.grad is not None

    _, backward = launches_of(main)
    assert backward.buffers[1].made_at == line_of(Doubled.backward, "torch.empty")


def test_that_names_are_not_given_to_the_wrong_tensors() -> None:
    """The call that the frame executes has other arguments than the launch: a wrapper put them in another order."""

    class Swapping:
        def __getitem__(self, grid: Any) -> Any:
            return functools.partial(self.swap, grid)

        @staticmethod
        def swap(grid: Any, x: Any, y: Any) -> None:
            exec(compile("copy_kernel[grid](y, x, 64, BLOCK=64)", "<unknown>", "exec"), {**globals(), **locals()})

    def main() -> None:
        q, out = torch.ones(64), torch.ones(64)
        Swapping()[(1,)](q, out)

    (launch,) = launches_of(main)
    assert [buffer.argument for buffer in launch.buffers] == ["", ""]


def test_that_the_functions_of_a_launch_are_not_watched() -> None:
    (launch,) = launches_of(views)
    assert max(buffer.storage for buffer in launch.buffers) < 6
