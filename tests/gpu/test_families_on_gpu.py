"""Every family on a GPU: a small case of each agrees with float64, or says why it cannot run."""

from __future__ import annotations

import pytest
import torch

from core.families import FAMILIES
from core.families.axes import Case
from core.families.family import Family
from core.families.running.problem import Assessor, build
from core.recordings.run import Outcome
from kernels.errors import KernelError
from tests.families.small_cases import small

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")


def wrong_contenders(known: Family, case: Case) -> dict[str, Outcome]:
    """Those whose output does not pass. Compiling PyTorch's steps takes too long for a test."""
    problem = build(known, case, 3, CUDA)
    assess, wrong = Assessor(problem), {}
    for contender in known.contenders:
        run = problem.runs.get(contender.id)
        if run is None or contender.id == "torch-compile":
            continue
        try:
            problem.prepare.get(contender.id, lambda: None)()
            for _ in range(2):
                outcome = assess(Outcome(contender.id, contender.label), run())
                if not outcome.passed:
                    wrong[contender.id] = outcome
        except KernelError:
            assert contender.kind != "triton", contender.id
    return wrong


@pytest.mark.parametrize("family_id", FAMILIES)
def test_that_contenders_agree_with_float64_on_a_gpu(family_id: str) -> None:
    known = FAMILIES[family_id]

    assert wrong_contenders(known, small(known)) == {}


@pytest.mark.parametrize("mask", ["causal", "none"])
def test_that_backward_passes_can_be_repeated_on_a_gpu(mask: str) -> None:
    known = FAMILIES["attention-training"]
    case = {**small(known), "passes": "backward", "mask": mask, "seq_len": 128, "head_dim": 64, "dtype": "bf16"}

    assert wrong_contenders(known, case) == {}
