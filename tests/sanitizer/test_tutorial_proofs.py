"""Proofs about kernels like those of Triton's tutorials, and about the same with a fault. Time is no limit here."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.sanitizer import findings, kinds
from tests.sanitizer import tutorial_kernels as kernels
from tests.sanitizer.test_proofs import proof_of


@pytest.mark.parametrize(
    "run",
    [
        kernels.run_persistent_softmax,
        kernels.run_grouped_matmul,
        kernels.run_persistent_matmul,
        kernels.run_dropout,
        kernels.run_attention,
    ],
)
def test_a_kernel_of_a_tutorial_is_proved(run):
    proof = proof_of(run)
    assert proof.verdict == "proved", str(proof.sentence)


@pytest.mark.parametrize("sizes", [(1, 1), (17, 33), (50, 16)])
def test_what_is_proved_shows_no_fault_where_it_is_executed(sizes):
    m, n = sizes
    with intercept(faults="record") as tracer:
        kernels.run_grouped_matmul(m=m, n=n, k=5)
        kernels.run_persistent_softmax(rows=m, columns=min(n, 16), programs=3)
    assert [found.kind for launch in tracer.launches for found in findings(launch) if found.severity == "fault"] == []


def test_attention_without_masks_has_a_counterexample_that_was_executed():
    proof = proof_of(kernels.run_unmasked_attention)
    assert (proof.verdict, proof.kind, proof.confirmed) == ("counterexample", kinds.OUT_OF_BOUNDS, True)
    assert proof.sizes["N_CTX"] == 1


def test_a_proof_under_a_lock_names_the_lock_and_without_it_there_is_a_race():
    assert "only in turns, under the lock" in str(proof_of(kernels.run_layer_norm_backward).sentence)
    proof = proof_of(kernels.run_layer_norm_backward, locked=False)
    assert (proof.verdict, proof.kind, proof.confirmed) == ("counterexample", kinds.WRITE_WRITE_RACE, True)


def test_groups_that_are_counted_wrongly_have_a_counterexample():
    proof = proof_of(kernels.run_grouped_matmul, height=3)
    assert (proof.verdict, proof.kind, proof.confirmed) == ("counterexample", kinds.WRITE_WRITE_RACE, True)


def test_a_persistent_loop_that_steps_by_too_little_has_a_race():
    proof = proof_of(kernels.run_persistent_softmax, step=3)
    assert (proof.verdict, proof.kind, proof.confirmed) == ("counterexample", kinds.WRITE_WRITE_RACE, True)
