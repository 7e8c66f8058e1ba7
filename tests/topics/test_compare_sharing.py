"""A comparison in parts: each is one point of the whole, and together they are the run that one worker would make."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.families import FAMILIES
from core.recordings.run import Device, Point
from core.topics.compare.params import OWN_FILE, CompareParams
from core.topics.compare.plan import plan
from core.topics.compare.sharing import joined, parts_of
from tests.recordings.runs import CPU, run

OTHER = Device("cpu", "Intel Xeon", cores=8, memory_bytes=64 << 30)
UNTIMED = {"timed": False}
DRY = {"size": "full", "checked": False, "timed": False}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", [UNTIMED, DRY], ids=["untimed", "dry run"])
def test_that_each_part_is_one_point_of_the_sweep(family: str, how: dict[str, object]) -> None:
    whole = CompareParams.parse({"family": family, **how})

    parts = parts_of(whole)

    assert [plan(part).points for part in parts] == [(point,) for point in plan(whole).points]
    assert len(parts) > 1


def test_that_two_sweeps_and_an_own_file_are_parted_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "SWEEP = {'n': [8, 16], 'kind': ['a', 'b']}\ndef inputs(n, kind, seed, device): return (n,)\n"
        "def reference(x): return x\ndef impl_a(x): return x\n"
    )
    for whole in (
        CompareParams(timed=False, sweep="seq_len=64,128", second_sweep="mask=causal,none"),
        CompareParams(timed=False, family=OWN_FILE, file=str(path)),
    ):
        planned = plan(whole)
        assert not planned.problem
        assert [plan(part).points for part in parts_of(whole)] == [(point,) for point in planned.points]


def test_that_timed_points_and_a_single_one_stay_on_one_worker() -> None:
    for whole in (CompareParams(), CompareParams(timed=False, sweep="none")):
        assert parts_of(whole) == (whole,)


def test_that_the_points_of_parts_are_one_run_per_device_in_their_order() -> None:
    whole = CompareParams(timed=False, sweep="seq_len=1,2,3")
    points = [Point({"seq_len": length}) for length in (1, 2, 3)]
    parts = [run(point, device=device, swept=()) for point, device in zip(points, (CPU, OTHER, CPU), strict=True)]

    here, there = joined(whole, parts)

    assert (here.device, here.points, here.swept) == (CPU, (points[0], points[2]), ("seq_len",))
    assert (there.device, there.points) == (OTHER, (points[1],))
    assert joined(whole, []) == ()
