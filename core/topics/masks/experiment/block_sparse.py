"""The block-sparse kernel: what it would take, and whether this build has it."""

from __future__ import annotations

from core.masks.kernel_form import MOST_TERMS, counted_terms
from core.topics.masks.experiment.problem import Problem


def unavailable(problem: Problem) -> str:
    """Why the block-sparse kernel did not run on this problem, in one sentence."""
    needed = counted_terms(problem.mask)
    if needed > MOST_TERMS:
        return (
            f"The mask has {needed} different terms and the block-sparse kernel takes {MOST_TERMS}: write it with "
            "fewer, or look at the other implementations."
        )
    return "This build has no block-sparse kernel: the flash kernel was traced without the mask instead."
