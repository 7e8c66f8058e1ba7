"""The plan of compare: cases of a sweep, contenders, recordings; and one sentence for what cannot be compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.contracts.errors import InvalidParams
from core.contracts.registry import topic
from core.families import FAMILIES
from core.recordings.document import write
from core.topics.compare.params import CompareParams
from core.topics.compare.plan import Plan, check, plan
from tests.recordings.runs import usual


def planned(**values: object) -> Plan:
    return plan(CompareParams.parse(values))


def problem(**values: object) -> tuple[str, str | None]:
    made = planned(**values)
    with pytest.raises(InvalidParams):
        check(made.params)
    return str(made.problem), made.blames


def test_that_a_sweep_over_two_parameters_makes_every_combination_the_first_one_fastest() -> None:
    made = planned(sweep="seq_len=64,128", second_sweep="mask=causal,none", case="heads=2")

    assert [(point.case["mask"], point.case["seq_len"], point.case["heads"]) for point in made.points] == [
        ("causal", 64, 2), ("causal", 128, 2), ("none", 64, 2), ("none", 128, 2),
    ]  # fmt: skip
    assert [axis.name for axis, _ in made.swept] == ["seq_len", "mask"]


def test_that_each_size_has_its_own_values_and_sweep() -> None:
    quick, full = planned(), planned(size="full")

    assert quick.base["dtype"] == "fp32"
    assert [point.case["seq_len"] for point in full.points] == [1024, 2048, 4096, 8192, 16384]
    assert {point.case["batch"] * point.case["seq_len"] for point in full.points} == {16384}
    assert len(planned(size="full", sweep="none").points) == 1


def test_that_every_point_has_the_formula_and_the_bound_of_the_chosen_gpu() -> None:
    (on_h200,), (on_a100,) = (planned(sweep="seq_len=4096", gpu=name).points for name in ("h200", "a100-40gb"))

    assert on_h200.cost == on_a100.cost
    assert on_h200.bound_ms is not None
    assert on_a100.bound_ms is not None
    assert on_h200.bound_ms < on_a100.bound_ms


@pytest.mark.parametrize(
    ("values", "sentence", "blames"),
    [
        ({"case": "heads=4, kv_heads=3"}, "cannot be divided among kv_heads = 3", "case"),
        ({"case": "hads=4"}, "did you mean heads?", "case"),
        ({"sweep": "seq_len"}, "is no sweep", "sweep"),
        ({"sweep": "seq_len=1,2", "second_sweep": "seq_len=3"}, "Both sweeps are over seq_len", "second_sweep"),
        ({"contenders": "sdpa-flash, cublas"}, "'cublas' is no implementation of this comparison", "contenders"),
        (
            {"sweep": "seq_len=" + ",".join(map(str, range(1, 31))), "second_sweep": "batch=1,2,3,4,5,6,7,8,9"},
            "The sweep has 270 points, and at most 256 are run.",
            "sweep",
        ),
        ({"family": "file", "file": "/no/such.py"}, "does not exist", "file"),
    ],
)
def test_that_what_cannot_be_compared_is_one_sentence(values: dict[str, object], sentence: str, blames: str) -> None:
    text, blamed = problem(**values)

    assert sentence in text
    assert blamed == blames


def test_that_contenders_can_be_chosen() -> None:
    made = planned(contenders="torch-naive,triton-flash")

    assert [contender.id for contender in made.contenders] == ["triton-flash", "torch-naive"]


@pytest.mark.parametrize("family_id", FAMILIES)
@pytest.mark.parametrize("size", ["quick", "full"])
def test_that_every_family_plans_in_both_sizes(family_id: str, size: str) -> None:
    made = planned(family=family_id, size=size)

    assert str(made.problem) == ""
    assert made.points
    assert all(point.bound_ms for point in made.points)


def test_that_an_own_file_is_planned_without_running_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "raise SystemExit('it must not run')\n"
        "SWEEP = {'n': [8, 16], 'kind': ['a', 'b']}\n"
        "def inputs(n, kind, extra=3, seed=0, device='cpu'): ...\n"
        "def reference(x): ...\ndef impl_a(x): ...\ndef impl_b(x): ...\ndef other(x): ...\n"
    )
    made = planned(family="file", file=str(path))

    assert [axis.name for axis in made.axes] == ["n", "kind", "extra"]
    assert [contender.id for contender in made.contenders] == ["impl_a", "impl_b"]
    assert [dict(point.case) for point in made.points] == [
        {"n": 8, "kind": "a", "extra": 3},
        {"n": 16, "kind": "a", "extra": 3},
    ]
    chosen = planned(family="file", file=str(path), functions="other, impl_b", second_sweep="kind=a,b")
    assert [contender.id for contender in chosen.contenders] == ["other", "impl_b"]
    assert len(chosen.points) == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def f(x): ...", "has nothing to compare: write functions whose names begin with impl_"),
        ("SWEEP = dict(n=[1])\ndef impl_a(x): ...", "SWEEP must be a dictionary of names"),
        ("SWEEP = [1, 2]\ndef impl_a(x): ...", "SWEEP must be a dictionary of names"),
        ("SWEEP = {'n': [1.5]}\ndef impl_a(x): ...", "SWEEP must be a dictionary of names"),
        ("SWEEP = {'seed': [1]}\ndef impl_a(x): ...", "SWEEP must be a dictionary of names"),
        ("SWEEP = {'n': []}\ndef impl_a(x): ...", "SWEEP must be a dictionary of names"),
        ("def impl_a(x:\n", "is not valid Python"),
    ],
)
def test_that_a_file_that_cannot_be_compared_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)

    said, blamed = problem(family="file", file=str(path))

    assert sentence in said
    assert blamed == "file"


def test_that_a_function_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def impl_a(x): ...\ndef reference(x): ...\n")

    said, blamed = problem(family="file", file=str(path), functions="impl_b")

    assert f"{path} has no function 'impl_b': it has impl_a, reference." in said
    assert blamed == "functions"


def test_that_the_example_is_planned_where_no_file_is_named() -> None:
    made = planned(family="file")

    assert [contender.id for contender in made.contenders] == ["impl_whole_row", "impl_two_passes", "impl_pytorch"]
    assert [contender.kind for contender in made.contenders] == ["triton", "triton", "torch"]
    assert [point.case["columns"] for point in made.points] == [256, 1000, 4096]


def test_that_recordings_of_the_same_family_are_overlaid_the_newest_first(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [usual(), usual(1, recorded_at="2025-09-01T00:00:00+00:00")])
    write(tmp_path / "b.json", [usual(2, family="decode")])
    (tmp_path / "c.json").write_text("{")

    made = planned(recordings=str(tmp_path))

    assert [run.recorded_at[:10] for run in made.overlays] == ["2025-09-01", "2025-06-01"]
    assert len(made.recorded) == 4
    assert not made.problem


@pytest.mark.parametrize("path", ["/no/such/folder", "/\0", "~nobody-here/x"])
def test_that_recordings_that_cannot_be_opened_keep_no_run_from_being_made(path: str) -> None:
    made = planned(recordings=path)

    assert made.recorded_problem
    assert made.points
    check(made.params)


def test_that_recordings_only_change_what_is_shown() -> None:
    assert CompareParams(recordings="x").needs_same_run_as(CompareParams())


def test_that_planning_imports_neither_torch_nor_triton() -> None:
    code = (
        "import sys; from core.contracts.registry import topic; t = topic('compare');"
        "assert t.plan(t.params()).points; assert t.plan(t.params(family='file')).points;"
        "assert not {'torch', 'triton'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_that_the_topic_opens_files_only_where_one_is_named() -> None:
    compare = topic("compare")

    assert not compare.opens_files(CompareParams())
    assert compare.opens_files(CompareParams(family="file", file="x.py"))
