"""Runs as rows: the same columns in each, one row per contender and point, and CSV of them."""

from __future__ import annotations

import csv
import io

import pytest

from core.csv_text import to_csv
from core.recordings.rows import rows_of
from core.recordings.run import share_of_ceiling
from tests.recordings.runs import CPU, point, run, timed, usual


def test_that_every_outcome_has_a_row_and_so_has_a_point_without_any() -> None:
    rows = rows_of([usual()])

    assert len(rows) == 7
    assert len({tuple(row) for row in rows}) == 1
    flash, sdpa, cudnn = rows[:3]
    assert (flash["impl"], flash["seq_len"], flash["verdict"], flash["ceiling"]) == ("flash", 1024, "faster", "matmul")
    assert 0.69 < flash["times_baseline"] < 0.74
    assert flash["times_baseline_low"] < flash["times_baseline"] < flash["times_baseline_high"]
    assert flash["modelled_low_ms"] == 0.9
    assert (sdpa["times_baseline"], sdpa["verdict"], sdpa["read_bytes"]) == (1.0, "not told apart", None)
    assert (cudnn["time_ms"], cudnn["reason"]) == (None, "PyTorch sees no GPU on this machine.")
    assert (rows[6]["impl"], rows[6]["out_of_memory"], rows[6]["seq_len"]) == (None, True, 4096)


def test_that_csv_reads_back_with_the_parameters_of_all_runs() -> None:
    other = run(point(7, timed("a", 2.0)), device=CPU, family="file", file="mine.py")

    read = list(csv.DictReader(io.StringIO(to_csv(rows_of([usual(), other])))))

    assert len(read) == 8
    assert read[0]["device"] == "cuda (NVIDIA H200)"
    assert read[7]["file"] == "mine.py"
    assert float(read[7]["time_ms"]) == pytest.approx(2.0, rel=0.05)


def test_that_the_nearest_ceiling_counts() -> None:
    made = usual()
    first = made.points[0]
    outcome = first.outcomes[0]
    assert outcome.time_ms is not None
    seconds = outcome.time_ms * 1e-3

    assert share_of_ceiling(made, first, outcome) == ("matmul", pytest.approx(1e12 / seconds / 7e14))
    assert share_of_ceiling(made, first, first.outcomes[2]) is None
    assert share_of_ceiling(run(first, ceilings=()), first, outcome) is None
