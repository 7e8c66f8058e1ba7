"""Context managers that change torch's process-wide state and restore it. Workers only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

MAX_THREADS = 4
"""In a model this small, more threads spend longer waiting for each other than computing."""


@contextmanager
def torch_threads(count: int | None = None) -> Iterator[int]:
    """Run with `count` torch threads. The default is the number of cores available, at most MAX_THREADS."""
    before = torch.get_num_threads()
    threads = count or min(_cores(), MAX_THREADS)
    torch.set_num_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run with torch's global random state (CPU and CUDA) seeded, for code that accepts no generator."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run the model without dropout and gradients. Restores its mode afterwards."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
