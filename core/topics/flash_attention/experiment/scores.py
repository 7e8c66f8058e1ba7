"""Why scores are divided by sqrt(d), and why softmax subtracts the maximum: measured on the scores of one head."""

from __future__ import annotations

import torch

from core.contracts.result import Metric, Provenance
from core.contracts.text import Text, tr
from core.topics.flash_attention.experiment.problem import Problem

_MOST_ROWS = 1024


def score_metrics(problem: Problem) -> dict[str, Metric]:
    """Of batch 0, head 0, without a mask, in float64 on the CPU; at most 1,024 queries and keys.

    'raw' are the scores Q K^T, 'scaled' those divided by sqrt(d). A 'peak' is the mean over the rows of the largest
    weight that softmax gives. 'overflows' counts the raw scores whose exp is inf in fp16, 'overflows_shifted' those
    left once the maximum of the row is subtracted, and 'shift_error' is the largest change of a weight by that.
    """
    q, k = (tensor[0, 0, :_MOST_ROWS].double().cpu() for tensor in (problem.q, problem.k))
    raw = q @ k.T
    scaled = raw / problem.params.head_dim**0.5
    shifted = raw - raw.amax(dim=1, keepdim=True)
    weights, naive = torch.softmax(raw, dim=1), raw.exp()
    head = tr("one head, no mask, float64")
    half = tr("exp in fp16, whose largest number is 65,504")
    return {
        "scores.cells": _measured(raw.numel(), "cells", head),
        "scores.raw_std": _measured(raw.std(correction=0), "", head),
        "scores.scaled_std": _measured(scaled.std(correction=0), "", head),
        "scores.raw_peak": _measured(weights.amax(dim=1).mean(), "", head),
        "scores.scaled_peak": _measured(torch.softmax(scaled, dim=1).amax(dim=1).mean(), "", head),
        "scores.overflows": _measured(raw.half().exp().isinf().sum(), "cells", half),
        "scores.overflows_shifted": _measured(shifted.half().exp().isinf().sum(), "cells", half),
        "scores.shift_error": _measured((naive / naive.sum(dim=1, keepdim=True) - weights).abs().max(), "", head),
    }


def _measured(value: torch.Tensor | float, unit: str, note: Text) -> Metric:
    return Metric(float(value), unit, Provenance.MEASURED_CPU, note)
