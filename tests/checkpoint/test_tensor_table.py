"""The columns of a report: rows are made once, also while the report grows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.checkpoint.report import TensorErrors
from core.checkpoint.tensor_table import TensorTable

FORMATS = ("nf4", "int4")


def row(index: int, format_id: str, **changes: Any) -> TensorErrors:
    errors = TensorErrors(
        tensor=f"model.layers.{index}.mlp.up_proj.weight", layer=index, kind="mlp.up_proj", shape="64 x 32",
        dtype="BF16", elements=2048, bytes=4096, nonfinite=0, std=0.02, absmax=0.1, kurtosis=None, max_over_sigma=5.0,
        format=format_id, snr_db=20.0 + index, relative_rmse=0.1, max_abs_error=0.01, bits_per_parameter=4.127,
        quantized_bytes=1057, signal_power=100.0, error_power=1.0,
    )  # fmt: skip
    return replace(errors, **changes)


def rows(count: int) -> list[TensorErrors]:
    return [row(index, format_id) for index in range(count) for format_id in FORMATS]


def test_that_a_table_gives_back_the_rows_it_was_made_of() -> None:
    assert list(TensorTable.of(rows(3)).rows) == rows(3)


@pytest.mark.parametrize("format_id", FORMATS)
def test_that_a_growing_report_makes_only_the_new_rows(format_id: str) -> None:
    earlier, grown = TensorTable.of(rows(3)), TensorTable.of(rows(5))
    old_rows = earlier.rows_in(format_id)
    grown.reuse_rows(earlier)
    assert list(grown.rows_in(format_id)) == [row(index, format_id) for index in range(5)]
    assert all(kept is before for kept, before in zip(grown.rows_in(format_id), old_rows, strict=False))


@pytest.mark.parametrize("changes", [{"snr_db": None}, {"kurtosis": 3.0}, {"tensor": "other"}, {"bytes": 1}])
def test_that_rows_behind_a_change_are_made_anew(changes: dict[str, Any]) -> None:
    earlier, changed_rows = TensorTable.of(rows(4)), rows(4)
    changed_rows[2:4] = [replace(each, **changes) for each in changed_rows[2:4]]
    changed = TensorTable.of(changed_rows)
    old_rows = earlier.rows_in("nf4")
    changed.reuse_rows(earlier)
    assert list(changed.rows) == changed_rows
    assert [kept is before for kept, before in zip(changed.rows_in("nf4"), old_rows, strict=True)] == [
        True, False, False, False,
    ]  # fmt: skip


def test_that_nothing_is_reused_of_other_formats_or_of_an_empty_report() -> None:
    earlier = TensorTable.of(rows(2))
    assert earlier.rows
    alone = TensorTable.of([row(index, "nf4", snr_db=1.0) for index in range(2)])
    alone.reuse_rows(earlier)
    assert [each.snr_db for each in alone.rows] == [1.0, 1.0]
    alone = TensorTable.of(rows(2))
    alone.reuse_rows(TensorTable())
    assert list(alone.rows) == rows(2)
    shorter = TensorTable.of(rows(1))
    shorter.reuse_rows(earlier)
    assert list(shorter.rows) == rows(1)
