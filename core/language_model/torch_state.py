"""Process-wide state of torch, changed for a while and put back as it was. Workers only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

MOST_THREADS = 4
"""More threads than these wait for each other longer than they compute, in a model this small."""


@contextmanager
def torch_threads(count: int | None = None) -> Iterator[int]:
    """Run with `count` threads of torch, by default the cores that this process may use, at most MOST_THREADS."""
    before = torch.get_num_threads()
    threads = count or min(_cores(), MOST_THREADS)
    torch.set_num_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run with the global random state of torch (CPU and CUDA) seeded, for code that takes no generator."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run the model without dropout and without gradients, then in the mode that it was in."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
