"""A question is answered by the newest run of this machine that fits, and by no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.contracts.claims import Verdict
from core.hardware import host
from core.questions.guesses import NumberGuess, Outcome, VerdictGuess
from core.questions.runs_here import NOT_RUN_HERE, RunsHere, label, ran_here
from tests.questions.asked import HERE, NOON, flash_result, history_of, question


def test_that_a_question_without_a_run_is_not_run_here_yet(tmp_path: Path) -> None:
    runs = RunsHere(history_of(tmp_path))
    assert runs.answer(question()) is None
    assert not runs.has_run(question())
    assert str(label(None)) == str(NOT_RUN_HERE) == "not run here yet"


def test_that_the_newest_run_that_fits_answers(tmp_path: Path) -> None:
    runs = RunsHere(history_of(tmp_path, flash_result(rms_error=1.0), flash_result(), flash_result(1.0, seq_len=64)))
    answer = runs.answer(question())
    assert answer is not None
    assert answer.verdict is Verdict.HOLDS
    assert str(label(answer)) == "holds"
    assert (answer.device, answer.started_at.minute) == (HERE, NOON.minute + 1)
    assert set(answer.findings) == {"same-result"}
    assert answer.metrics["traffic.ratio"].value == 5.9
    other = runs.answer(question(set={"seq_len": 64}))
    assert other is not None
    assert other.verdict is Verdict.DOES_NOT_HOLD
    assert runs.answer(question(set={"seq_len": 128})) is None


def test_that_the_verdict_is_that_of_the_first_claim(tmp_path: Path) -> None:
    answer = RunsHere(history_of(tmp_path, flash_result())).answer(
        question(claims=("is-an-approximation", "same-result"))
    )
    assert answer is not None
    assert answer.verdict is Verdict.DOES_NOT_HOLD
    assert answer.findings["same-result"].verdict is Verdict.HOLDS


def test_that_a_run_that_tested_the_claim_is_better_than_a_newer_one_that_did_not(tmp_path: Path) -> None:
    untested = replace(flash_result(), metrics={})
    answer = RunsHere(history_of(tmp_path, flash_result(), untested)).answer(question())
    assert answer is not None
    assert answer.verdict is Verdict.HOLDS
    answer = RunsHere(history_of(tmp_path / "other", untested, untested)).answer(question())
    assert answer is not None
    assert (answer.verdict, answer.started_at.minute) == (Verdict.NOT_TESTED, NOON.minute + 1)
    assert not answer.is_surprising


def test_that_a_verdict_surprises_if_it_is_not_the_expected_one(tmp_path: Path) -> None:
    runs = RunsHere(history_of(tmp_path, flash_result()))
    expecting = {None: False, Verdict.HOLDS: False, Verdict.DOES_NOT_HOLD: True}
    for expected, surprising in expecting.items():
        answer = runs.answer(question(expected=expected))
        assert answer is not None
        assert answer.is_surprising is surprising


def test_that_a_run_of_another_machine_does_not_count(tmp_path: Path) -> None:
    elsewhere = [
        flash_result(device="cpu (another)"),
        flash_result(device="cuda (NVIDIA H200)"),
        flash_result(device=""),
    ]
    assert RunsHere(history_of(tmp_path, *elsewhere)).answer(question()) is None


def test_that_a_gpu_of_this_machine_is_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "nvidia_gpu_names", lambda: ("NVIDIA H200",))
    assert ran_here({"device": "cuda (NVIDIA H200)"})
    assert not ran_here({"device": "cuda (NVIDIA A100)"})
    assert ran_here({"device": HERE})
    assert not ran_here({})


def test_that_the_history_is_read_again_when_asked(tmp_path: Path) -> None:
    history = history_of(tmp_path)
    runs = RunsHere(history)
    assert runs.answer(question()) is None
    entry = history.add(flash_result(), NOON, 1.0)
    assert runs.answer(question()) is None
    runs.refresh()
    assert runs.answer(question()) is not None
    history.remove(entry)
    runs.refresh()
    assert runs.answer(question()) is None


def test_that_a_run_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history, loaded = history_of(tmp_path, flash_result()), []
    load = history.load
    monkeypatch.setattr(history, "load", lambda entry_id: (loaded.append(entry_id), load(entry_id))[1])
    runs = RunsHere(history)
    for _ in range(3):
        runs.refresh()
        assert runs.answer(question()) is not None
    assert len(loaded) == 1


def test_that_a_damaged_run_and_one_with_old_parameters_are_passed_over(tmp_path: Path) -> None:
    history = history_of(tmp_path, flash_result(), flash_result(), flash_result())
    _, damaged, sound = (entry.id for entry in reversed(history.list()))
    with history._file.transaction() as database:
        database.execute("UPDATE runs SET result = ? WHERE id = ?", (b"nothing", damaged))
        database.execute("UPDATE runs SET params = ? WHERE id = ?", ('{"warp_size": 32}', sound))
    answer = RunsHere(history).answer(question())
    assert answer is not None
    assert answer.started_at == NOON


def test_that_a_guess_is_judged_by_the_run(tmp_path: Path) -> None:
    runs = RunsHere(history_of(tmp_path, flash_result()))
    number = runs.answer(question(guess=NumberGuess(kind="number", metric="traffic.ratio", within=0.1)))
    verdict = runs.answer(question(guess=VerdictGuess(kind="verdict", claim="same-result")))
    missing = runs.answer(question(guess=NumberGuess(kind="number", metric="no.such", within=0.1)))
    plain = runs.answer(question())
    assert number is not None
    assert verdict is not None
    assert missing is not None
    assert plain is not None
    assert (number.truth, number.judge(6.0), number.judge(60.0)) == (5.9, Outcome.RIGHT, Outcome.WRONG)
    assert (verdict.truth, verdict.judge(Verdict.HOLDS)) == (Verdict.HOLDS, Outcome.RIGHT)
    assert (missing.truth, missing.judge(1.0)) == (None, None)
    assert (plain.truth, plain.judge(1.0)) == (None, None)
