"""Traces a small kernel ahead of the first run, so that what Triton and the interpreter do once is done."""

from __future__ import annotations

import torch

from core.families import family
from core.families.running.problem import build
from core.hardware.gpus import gpu
from core.topics.compare.experiment.kernels import trace


def rehearse() -> None:
    """On one thread: processes that are forked from this one must not inherit a pool of threads."""
    attention = family("attention")
    case = attention.resolve({**attention.defaults, **attention.quick.case, "seq_len": 16, "heads": 1})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run = build(attention, case, 0, torch.device("cpu")).runs["triton-flash"]
        trace(run, gpu("h200"), "fp32", addresses_only=False, progress=lambda *_: None)
    finally:
        torch.set_num_threads(threads)
