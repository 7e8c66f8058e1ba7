"""`python -m tests.sanitizer.proofs`: what `check --prove` says of kernels like Triton's tutorials, and of the shipped
ones, with seconds, as a table. With --why, the sentences too, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO

import torch

from core.interpreter import intercept
from core.proofs.record import Proof
from core.topics.kernel_lab.experiment.proving import Launches
from kernels.attention import Impl, attention
from kernels.lora.impl import Impl as LoraImpl
from kernels.loss.impl import Impl as LossImpl
from kernels.quantization.api import dequantize, gemv, quantize
from tests.kernels import lora_cases, loss_cases
from tests.sanitizer.tutorial_kernels import TUTORIALS


def main() -> None:
    """Print one row for each kernel to stdout."""
    import z3  # noqa: F401  # loading it is no part of the first proof

    print("| | kernel | answer | seconds |\n| --- | --- | --- | ---: |")
    for name, run in (*TUTORIALS.items(), *_shipped()):
        for proof in _proofs_of(run):
            print(f"| {name} | `{proof.function}` | {proof.verdict} | {proof.seconds:.1f} |", flush=True)
            if "--why" in sys.argv:
                print(f"{proof.file}:{proof.line}: {proof.sentence}", file=sys.stderr)


def _proofs_of(run: Callable[[], object]) -> tuple[Proof, ...]:
    seen = Launches()
    with redirect_stdout(StringIO()), intercept(faults="record", on_launch=seen.add):
        run()
    return seen.proofs(lambda *_: None)


def _shipped() -> Iterator[tuple[str, Callable[[], object]]]:
    """By what they compute, launches of the kernels in `kernels/`, at sizes that differ."""
    q, k, v = (torch.rand(2, 3, length, 16, requires_grad=True) for length in (150, 150, 150))
    for impl in (Impl.TRITON_STANDARD, Impl.TRITON_FLASH):
        yield (
            f"shipped: attention, {impl.value}",
            lambda impl=impl: attention(q, k, v, impl=impl, causal=True, block_q=32, block_kv=32).out.sum().backward(),
        )
    lora = lora_cases.lora_inputs(lora_cases.LoraShape(70, 52, 90, 5))
    yield "shipped: LoRA", lambda: lora_cases.with_gradients(lora, LoraImpl.TRITON)
    loss = loss_cases.loss_inputs(loss_cases.LossShape(11, 150))
    yield "shipped: cross entropy", lambda: loss_cases.with_gradients(loss, LossImpl.TRITON)
    weight = torch.rand(70, 192)
    yield "shipped: quantization", lambda: dequantize(quantize(weight))
    yield "shipped: product with quantized weights", lambda: gemv(torch.rand(1, 192), quantize(weight))


if __name__ == "__main__":
    main()
