"""The shipped examples move the expected bytes and compute what torch computes."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.contracts.claims import Verdict
from core.contracts.events import Partial, Progress
from core.contracts.result import Provenance
from core.questions.reading import read_questions
from core.topics.kernel_lab import TOPIC
from core.topics.kernel_lab.analysis import launches_of
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult
from tests.questions.asked import asked_metrics

pytest.importorskip("triton")
torch = pytest.importorskip("torch")

FOLDER = Path(__file__).resolve().parents[2] / "resources/examples"
FLOAT, HALF = 4, 2

# Bytes read and written by each launch of each example, from its default sizes.
EXPECTED: dict[str, list[tuple[int, int]]] = {
    "vector_add": [(2 * 98_432 * FLOAT, 98_432 * FLOAT)],
    "softmax": [(512 * 781 * FLOAT, 512 * 781 * FLOAT)],
    "compare_softmax": [(512 * 1000 * FLOAT, 512 * 1000 * FLOAT), (2 * 512 * 1000 * FLOAT, 512 * 1000 * FLOAT)],
    # A once for each of 512 / 64 tile columns, B once for each tile row.
    "matmul": [(2 * (512 // 64) * 512 * 512 * HALF, 512 * 512 * HALF)],
    "layer_norm": [
        (3 * 256 * 500 * FLOAT, (256 * 500 + 2 * 256) * FLOAT),
        ((64 * 500 + 2 * 256 * 500 + 2 * 256) * FLOAT, (256 * 500 + 2 * 64 * 500) * FLOAT),
        (2 * 64 * 500 * FLOAT, 2 * 500 * FLOAT),
    ],
    # K and V up to the diagonal: 1 + 2 + ... + 8 tiles of 64 rows for the 8 tiles of Q.
    "flash_attention": [(2 * 64 * HALF * (512 + 2 * 36 * 64), 2 * 512 * 64 * HALF)],
    "out_of_bounds": [((1000 + 999) * FLOAT, 1000 * FLOAT)],
    "race": [(4096 * FLOAT, 4 * FLOAT)],
    "uncoalesced": [(256 * 256 * FLOAT, 256 * 256 * FLOAT)] * 2,
}


@cache
def outcome(example: str, addresses_only: bool = False) -> tuple[KernelLabResult, tuple[Progress | Partial, ...]]:
    params = KernelLabParams(file=f"resources/examples/{example}.py", addresses_only=addresses_only)
    steps, events = TOPIC.load_experiment()(params, "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as finished:
            return finished.value, tuple(events)


def verdicts(example: str) -> dict[str, Verdict]:
    result, _ = outcome(example)
    return {claim.id: claim.test(result).verdict for claim in TOPIC.claims}


def test_that_every_example_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("addresses_only", [False, True], ids=["with values", "addresses only"])
@pytest.mark.parametrize("example", EXPECTED)
def test_that_an_example_moves_the_bytes_that_arithmetic_says(example: str, addresses_only: bool) -> None:
    result, _ = outcome(example, addresses_only)
    moved = [(row.read_bytes, row.written_bytes) for row in result.launches]
    assert moved == EXPECTED[example]
    assert result.value("read_bytes") == sum(read for read, _ in moved)
    assert result.value("written_bytes") == sum(write for _, write in moved)
    assert {metric.provenance for metric in result.metrics.values()} == {Provenance.TRACED}
    for index, (read, written) in enumerate(moved):
        tensors = [row for row in result.tensors if row.launch == index]
        assert sum(row.read_bytes for row in tensors) == read
        assert sum(row.written_bytes for row in tensors) == written
        lines = [row for row in result.line_traffic if row.launch == index]
        sums = [sum(row.bytes for row in lines if row.kind == kind) for kind in ("load", "store")]
        assert sums == [read, written]


@pytest.mark.parametrize("example", EXPECTED)
def test_that_the_trace_comes_back_whole(example: str) -> None:
    result, _ = outcome(example)
    launches = launches_of(KernelLabResult.from_bytes(result.to_bytes()))
    assert [launch.function for launch in launches] == [row.function for row in result.launches]
    elements = [sum(int(access.active().sum()) for access in launch.accesses) for launch in launches]
    assert elements == [row.accesses for row in result.launches]


@pytest.mark.parametrize("example", EXPECTED)
def test_that_lines_and_sources_fit_together(example: str) -> None:
    result, _ = outcome(example)
    (source,) = result.files
    assert source.file == f"resources/examples/{example}.py"
    assert source.text == (FOLDER / f"{example}.py").read_text()
    text = source.text.splitlines()
    for row in result.line_traffic:
        assert row.file == source.file
        assert ("tl.load" if row.kind == "load" else "tl.store") in text[row.line - 1]
    numbered = {index: f.function for f in source.kernels for index in f.launches}
    assert numbered == {row.launch: row.function for row in result.launches}
    assert all("tt.func" in function.ttir for function in source.kernels)


def test_that_numbers_come_before_the_trace_and_progress_never_goes_back() -> None:
    result, events = outcome("layer_norm")
    (early,) = [event for event in events if isinstance(event, Partial)]
    partial = early.result
    assert partial.line_traffic == result.line_traffic
    assert launches_of(partial) == []
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert events[-1] != early


def test_that_the_read_past_the_end_is_found_with_its_line_program_and_index() -> None:
    result, _ = outcome("out_of_bounds")
    (fault,) = result.faults
    text = (FOLDER / "out_of_bounds.py").read_text().splitlines()
    assert "offsets + 1" in text[fault.line - 1]
    assert (fault.kind, fault.tensor, fault.program, fault.other_program) == (
        "out of bounds", "x_ptr", 3, None,
    )  # fmt: skip
    assert (fault.index, fault.count, fault.file) == (1000, 1, "resources/examples/out_of_bounds.py")
    assert "index 1000 of x_ptr" in str(fault.sentence)
    assert verdicts("out_of_bounds")["stays-inside"] is Verdict.DOES_NOT_HOLD


def test_that_the_race_is_found_with_its_line_and_both_programs() -> None:
    result, _ = outcome("race")
    (fault,) = result.faults
    text = (FOLDER / "race.py").read_text().splitlines()
    assert "tl.store(total_ptr" in text[fault.line - 1]
    assert (fault.kind, fault.tensor, fault.index) == ("write-write race", "total_ptr", 0)
    assert fault.program != fault.other_program
    assert {fault.program, fault.other_program} <= set(range(4))
    assert verdicts("race")["no-races"] is Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize("example", sorted(set(EXPECTED) - {"out_of_bounds", "race"}))
def test_that_the_sound_examples_have_no_fault(example: str) -> None:
    assert outcome(example)[0].faults == ()
    by_claim = verdicts(example)
    assert by_claim["stays-inside"] is by_claim["no-races"] is Verdict.HOLDS


def test_that_reading_once_and_reading_back_are_told_apart() -> None:
    assert verdicts("vector_add")["read-once"] is Verdict.HOLDS
    assert verdicts("matmul")["read-once"] is Verdict.HOLDS_WITH_LIMIT
    assert verdicts("softmax")["not-read-back"] is Verdict.HOLDS
    assert verdicts("layer_norm")["not-read-back"] is Verdict.DOES_NOT_HOLD
    handed = {(row.tensor, row.written_by, row.read_by) for row in outcome("layer_norm")[0].handovers}
    assert handed == {
        ("mean_ptr", "forward_kernel", "backward_kernel"),
        ("rstd_ptr", "forward_kernel", "backward_kernel"),
        ("dw_part_ptr", "backward_kernel", "add_parts_kernel"),
        ("db_part_ptr", "backward_kernel", "add_parts_kernel"),
    }


def test_that_the_masked_share_of_softmax_is_the_padding_of_its_tile() -> None:
    shares = {row.masked_share for row in outcome("softmax")[0].line_traffic}
    assert shares == {1 - 781 / 1024}


def _returned(example: str, function: str, *arguments: Any) -> Any:
    from core.interpreter import intercept

    with intercept():
        return runpy.run_path(str(FOLDER / f"{example}.py"))[function](*arguments)


def test_that_the_examples_compute_what_torch_computes() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(1000), torch.randn(1000)
    assert torch.equal(_returned("vector_add", "add", x, y), x + y)
    rows = torch.randn(63, 100)
    torch.testing.assert_close(_returned("softmax", "softmax", rows), rows.softmax(dim=1))
    a, b = torch.randn(130, 70, dtype=torch.float16), torch.randn(70, 90, dtype=torch.float16)
    torch.testing.assert_close(_returned("matmul", "matmul", a, b), a @ b, rtol=2e-3, atol=2e-2)
    q, k, v = (torch.randn(2, 100, 32) for _ in range(3))
    exact = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(_returned("flash_attention", "flash_attention", q, k, v), exact, rtol=1e-3, atol=1e-3)


def test_that_the_gradients_of_the_layer_norm_example_are_torchs() -> None:
    torch.manual_seed(0)
    x = torch.randn(70, 100, requires_grad=True)
    w, b = torch.randn(100, requires_grad=True), torch.randn(100, requires_grad=True)
    dy = torch.randn(70, 100)
    from core.interpreter import intercept

    with intercept() as tracer:
        y = runpy.run_path(str(FOLDER / "layer_norm.py"))["layer_norm"](x, w, b)
        gradients = torch.autograd.grad(y, (x, w, b), dy)
    assert len(tracer.launches) == 3
    exact = torch.nn.functional.layer_norm(x, (100,), w, b)
    torch.testing.assert_close(y, exact)
    for mine, theirs in zip(gradients, torch.autograd.grad(exact, (x, w, b), dy), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-4)


def test_that_going_down_the_columns_uses_an_eighth_of_each_sector() -> None:
    shares = {(row.launch, row.kind): row.used_share for row in outcome("uncoalesced")[0].sectors}
    assert shares == {(0, "load"): 1, (0, "store"): 1, (1, "load"): FLOAT / 32, (1, "store"): FLOAT / 32}
    assert verdicts("uncoalesced")["whole-sectors"] is Verdict.DOES_NOT_HOLD
    assert verdicts("matmul")["whole-sectors"] is Verdict.HOLDS


def test_that_the_examples_answer_the_questions_as_expected() -> None:
    asked = [question for question in read_questions() if question.page == "kernel-lab"]
    assert len(asked) > 5
    for question in asked:
        finding = question.statements[0].test(outcome(Path(str(question.params.model_dump()["file"])).stem)[0])
        assert finding.verdict is not Verdict.NOT_TESTED, question.id
        assert not question.is_surprised_by(finding), question.id


def test_that_a_run_has_the_metrics_that_questions_guess() -> None:
    assert asked_metrics("kernel-lab") <= outcome("matmul")[0].metrics.keys()
