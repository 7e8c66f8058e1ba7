"""Traces small kernels ahead of the first run, so that what Triton and the interpreter do once is done."""

from __future__ import annotations

from pathlib import Path

from core.topics.kernel_lab.experiment.tracing import trace
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import plan

_EXAMPLES = Path(__file__).resolve().parents[4] / "resources" / "examples"
_REHEARSED = (("vector_add.py", "main"), ("matmul.py", "main"))


def rehearse() -> None:
    """Run two examples on one thread: processes that are forked from this one must not inherit a pool of threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for file, function in _REHEARSED:
            trace(plan(KernelLabParams(file=str(_EXAMPLES / file), function=function)), lambda *_: None)
    finally:
        torch.set_num_threads(threads)
