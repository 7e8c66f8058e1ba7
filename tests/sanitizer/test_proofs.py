"""Proofs about kernels for all sizes, their counterexamples, and what is not decidable. Time is no limit here."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import triton
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.interpreter import intercept
from core.interpreter.replaying import TensorLike, replayed
from core.proofs.solving import TooHard
from core.sanitizer import kinds
from core.topics.kernel_lab.experiment.proving import Launches
from tests.sanitizer import proof_kernels as kernels

_ENOUGH_SECONDS = 20.0


def proof_of(run, *arguments, **named):
    """The proof about the one kernel that a function launches."""
    seen = Launches()
    with intercept(faults="record", on_launch=seen.add):
        run(*arguments, **named)
    (proof,) = seen.proofs(lambda *_: None, seconds=_ENOUGH_SECONDS)
    return proof


@pytest.mark.parametrize(
    "run",
    [
        lambda: kernels.run_add(True),
        kernels.run_softmax,
        kernels.run_row_sums,
        kernels.run_normalized_heads,
        kernels.run_copied_tiles,
    ],
)
def test_kernels_that_mask_what_lies_outside_are_proved_for_all_sizes(run):
    proof = proof_of(run)
    assert proof.verdict == "proved", str(proof.sentence)


def test_a_proof_says_what_it_assumes():
    text = str(proof_of(kernels.run_add, True).sentence)
    for assumed in ("every n from 1 to 2,147,483,647", "x_ptr [n]", "a grid of cdiv(n, 16)", "BLOCK = 16"):
        assert assumed in text


def test_a_missing_mask_has_a_smallest_counterexample_that_was_executed_although_the_launch_shows_no_fault():
    proof = proof_of(kernels.run_add, False, n=32)
    assert (proof.verdict, proof.kind, proof.confirmed) == ("counterexample", kinds.OUT_OF_BOUNDS, True)
    assert proof.sizes == {"n": 1}


def test_programs_that_store_to_one_element_have_a_counterexample_with_two_programs():
    proof = proof_of(kernels.run_one_sum)
    assert (proof.verdict, proof.kind, proof.confirmed) == ("counterexample", kinds.WRITE_WRITE_RACE, True)
    assert proof.sizes == {"n": 17}


def test_an_address_that_is_loaded_is_not_decidable_and_its_line_is_named():
    proof = proof_of(kernels.run_gather)
    assert proof.verdict == "undecided"
    lines = Path(kernels.__file__).read_text().splitlines()
    assert "tl.load(index_ptr" in lines[proof.line - 1]


def test_a_proof_without_time_says_that_it_stopped():
    seen = Launches()
    with intercept(faults="record", on_launch=seen.add):
        kernels.run_add(True)
    (proof,) = seen.proofs(lambda *_: None, seconds=0.0)
    assert proof.verdict == "stopped"


def test_a_counterexample_that_takes_too_long_to_execute_is_not_executed():
    launched = []
    with intercept(faults="record", on_launch=lambda kernel, *_: launched.append(kernel)):
        kernels.run_add(True)
    vector = TensorLike((32,), (1,), "float32")
    assert replayed(launched[0], [vector, vector, 32], (2, 1, 1)) is not None
    assert replayed(launched[0], [vector, vector, 32], (2, 1, 1), seconds=0.0) is None


def stays_inside(n, scale, shift, more, block):
    """Whether every element that is loaded lies inside, element by element."""
    places = range(triton.cdiv(n, block) * block)
    return all(0 <= place * scale + shift < n for place in places if place < n + more)


@settings(max_examples=12)
@given(st.integers(0, 2), st.integers(-2, 2), st.integers(-3, 2), st.sampled_from([4, 16]))
@example(1, 0, 0, 16)
@example(1, 1, -1, 4)
@example(0, 0, 2, 4)
@example(2, 0, 0, 16)
def test_a_proof_holds_for_all_small_sizes_and_a_counterexample_for_the_smallest_one(scale, shift, more, block):
    proof = proof_of(kernels.run_affine, 37, scale, shift, more, block)
    wrong = [n for n in range(1, 60) if not stays_inside(n, scale, shift, more, block)]
    assert proof.verdict == ("counterexample" if wrong else "proved"), str(proof.sentence)
    if wrong:
        assert proof.sizes == {"n": wrong[0]}
        assert proof.confirmed


def is_right(m, n, stride, more, swapped, bm):
    """Whether every element that is reached lies inside, and none is stored to by two programs, element by element."""
    owners = {}
    for row, column in itertools.product(range(triton.cdiv(m, bm) * bm), range(triton.cdiv(n, 4) * 4)):
        if row < m + more and column < n:
            stored = column * n + row if swapped else row * n + column
            owners.setdefault(stored, set()).add((row // bm, column // 4))
            if row * stride + column > (m - 1) * stride + n - 1 or stored >= m * n:
                return False
    return all(len(programs) == 1 for programs in owners.values())


@settings(max_examples=4)
@given(st.integers(-2, 2), st.booleans(), st.sampled_from([2, 4]))
@example(0, False, 4)
@example(1, False, 2)
@example(0, True, 4)
def test_a_proof_about_two_dimensions_holds_for_all_small_sizes_and_strides(more, swapped, bm):
    proof = proof_of(kernels.run_affine_2d, 11, 21, more, swapped, bm)
    sizes = itertools.product(range(1, 9), range(1, 9), range(3))
    wrong = [(m, n) for m, n, gap in sizes if not is_right(m, n, n + gap, more, swapped, bm)]
    assert proof.verdict == ("counterexample" if wrong else "proved"), str(proof.sentence)
    if wrong:
        assert (proof.sizes["m"], proof.sizes["n"]) in wrong
        assert proof.confirmed


def test_a_kernel_that_sorts_integers_is_proved():
    assert proof_of(kernels.run_sort, False).verdict == "proved"


@pytest.mark.parametrize(("run", "argument"), [(kernels.run_sort, True), (kernels.run_steps, 120)])
def test_an_address_whose_formula_is_too_large_is_not_decidable(run, argument):
    proof = proof_of(run, argument)
    assert proof.verdict == "undecided"
    assert "depends on a value that is computed there" in str(proof.sentence)


@pytest.mark.parametrize("error", [TooHard, RecursionError])
def test_an_evaluation_that_takes_too_long_or_nests_too_deeply_is_stopped(monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr("core.proofs.prove.reached", fails)
    assert proof_of(kernels.run_softmax).verdict == "stopped"


def test_no_proof_is_begun_without_time():
    seen = Launches()
    with intercept(faults="record", on_launch=seen.add):
        kernels.run_softmax()
    (proof,) = seen.proofs(lambda *_: None, seconds=0.0)
    assert proof.verdict == "stopped"
