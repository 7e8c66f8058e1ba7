"""`check --prove` prints a counterexample once, as the answer of its proof."""

from __future__ import annotations

from contextlib import nullcontext

from core.commands import check
from core.contracts.text import verbatim
from core.examples import FOLDER
from core.proofs.record import Proof
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.tables import FaultRow


def test_a_counterexample_is_one_line_and_makes_the_check_fail(monkeypatch, capsys):
    sentence = verbatim("add leaves a tensor in line 7 if n = 1.")
    proof = Proof("add", "kernels.py", 7, "counterexample", sentence, 0.5, kind="out of bounds", confirmed=True)
    in_run = FaultRow(0, "write-write race", "x", "kernels.py", 9, 0, 1, 0, 1, sentence, function="add")
    of_proof = FaultRow(
        0, "out of bounds", "x", "kernels.py", 7, -1, None, -1, 1, sentence, function="add", is_of_proof=True
    )
    result = KernelLabResult(params=KernelLabParams(), faults=(in_run, of_proof), proofs=(proof,))
    monkeypatch.setattr(check, "traced", lambda *_, **__: result)
    monkeypatch.setattr(check, "engine_for", lambda *_: nullcontext((None, "cpu")))
    assert (
        check.check_target([f"{FOLDER / 'vector_add.py'}::main"], device="cpu", written=check.Written(), proves=True)
        == 1
    )
    printed = capsys.readouterr()
    kinds = [line.split(": ")[1] for line in printed.out.splitlines()]
    assert kinds == ["write-write race", "counterexample"]
    assert str(sentence) not in printed.err
    assert [str(notice.text) for notice in result.notices] == [str(sentence)]
