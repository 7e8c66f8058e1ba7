"""Results of kernel-lab survive transport, and results stored by earlier versions open."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from core.contracts.text import Text
from core.topics.kernel_lab import TOPIC, analysis
from core.topics.kernel_lab.result import KernelLabResult, Printed
from core.trace.heatmap import tensor_heatmap
from core.trace.reuse import reuse
from tests.gui.pages.kernel_lab.lab_result import LOAD_LINE, SOURCE, STORE_LINE, lab_result
from tests.old_result import old_bytes
from tests.same_result import same


@pytest.fixture
def result(tmp_path: Path) -> KernelLabResult:
    path = tmp_path / "copy.py"
    path.write_text(SOURCE)
    return replace(lab_result(path, launches=2), log=(Printed("stdout", "hello\n"),))


def old_tables(result: KernelLabResult) -> dict[str, list[dict[str, object]]]:
    """The tables as the first versions of Tilescope stored them."""
    assert result.trace is not None
    return {
        **{name: result.rows(name) for name in ("launches", "tensors", "lines", "faults", "sectors")},
        "handovers": [asdict(row) for row in result.handovers],
        "sources": [
            {
                "file": traced.file,
                "text": traced.text,
                "functions": [{**asdict(kernel), "launches": list(kernel.launches)} for kernel in traced.kernels],
            }
            for traced in result.files
        ],
        "log": [asdict(printed) for printed in result.log],
        "trace": list(result.trace.rows),
    }


def test_that_a_result_arrives_as_it_was_sent(result: KernelLabResult) -> None:
    assert set(result.views) == {0, 1}
    assert same(KernelLabResult.from_bytes(result.to_bytes()), result)


def test_that_a_history_of_the_first_versions_opens(result: KernelLabResult) -> None:
    assert result.trace is not None
    arrays = {f"trace.{name}": array for name, array in result.trace.arrays.items()}
    metrics = {name: (metric.value, metric.unit, metric.provenance) for name, metric in result.metrics.items()}
    stored = old_bytes("kernel-lab", result.params, metrics=metrics, arrays=arrays, tables=old_tables(result))
    # Sentences were English strings.
    result = replace(result, faults=tuple(replace(row, sentence=Text(str(row.sentence))) for row in result.faults))
    opened = KernelLabResult.from_bytes(stored)
    assert same(replace(opened, environment=result.environment, views=result.views), result)
    assert opened.views == {}
    (source,) = opened.sources
    assert (source.function, source.file, source.text) == ("copy_kernel", result.files[0].file, SOURCE)
    assert {line.line for line in opened.lines} == {LOAD_LINE, STORE_LINE}
    assert [launch.function for launch in analysis.launches_of(opened)] == ["copy_kernel"] * 2
    assert {claim.id: claim.test(opened) for claim in TOPIC.claims} == {
        claim.id: claim.test(result) for claim in TOPIC.claims
    }


def test_that_the_pictures_of_a_run_are_those_of_its_trace(result: KernelLabResult) -> None:
    for index, launch in enumerate(analysis.launches_of(result)):
        views, curves = result.views[index], reuse([launch])
        np.testing.assert_array_equal(views.reuse.hit_share, curves.hit_share)
        np.testing.assert_array_equal(views.reuse.seen_bytes, curves.seen_bytes)
        assert views.accesses.sum() == result.launches[index].accesses
        assert list(views.heatmaps) == [buffer.name for buffer in launch.buffers]
        for buffer in launch.buffers:
            whole = tensor_heatmap([launch], buffer.data_ptr, buffer.size_bytes, buffer.shape, 512, 512)
            np.testing.assert_array_equal(views.heatmaps[buffer.name].reads, whole.reads)
            np.testing.assert_array_equal(views.heatmaps[buffer.name].writes, whole.writes)


@pytest.mark.parametrize("limit", ["MOST_TILE_ROWS", "MOST_VIEW_BYTES"])
def test_that_launches_that_would_take_long_or_much_are_left_to_the_page(
    result: KernelLabResult, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    launches = analysis.launches_of(result)
    rows = sum(len(access.programs) for access in launches[0].accesses)
    monkeypatch.setattr(analysis, limit, {"MOST_TILE_ROWS": rows, "MOST_VIEW_BYTES": 1}[limit])
    assert set(analysis.launch_views(launches)) == {0}
