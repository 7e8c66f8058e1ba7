"""The quantization experiment on weights that are drawn: everything that its result promises, and the claims on it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from core.commands.run import as_document
from core.contracts.archive import plain
from core.contracts.claims import Verdict
from core.contracts.errors import MissingRequirement
from core.contracts.events import Partial, Progress
from core.contracts.result import Provenance
from core.hardware import compare
from core.interpreter.frontend import CompilationRejected
from core.topics.quantization import TOPIC
from core.topics.quantization.codebooks import ERROR_EDGES
from core.topics.quantization.experiment import comparison
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.plan import plan
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.sampling import draw_weights
from kernels.errors import KernelError
from kernels.quantization.formats import FORMATS, FormatId
from tests.questions.asked import asked_metrics
from tests.same_result import same
from tests.topics.quantization_runs import Events, finished, messages

pytest.importorskip("triton")

PARAMS = QuantizationParams(outputs=False)
NUMBERS = ("snr_db", "relative_rmse", "max_abs_error", "bits_per_parameter")


@cache
def outcome(params: QuantizationParams = PARAMS) -> tuple[QuantizationResult, Events]:
    return finished(params)


def test_that_every_array_is_there_in_its_shape() -> None:
    result, scales = outcome()[0], PARAMS.blocks
    assert result.histogram is not None
    assert result.scales is not None
    arrays = {
        "edges": result.histogram.edges,
        "counts": result.histogram.counts,
        "affine_counts": result.histogram.affine_counts,
        "absmax": result.scales.absmax,
        "codes": result.scales.codes,
        "restored": result.scales.restored,
    }
    expected = {
        "edges": (np.float64, (257,)),
        "counts": (np.int64, (256,)),
        "affine_counts": (np.int64, (256,)),
        "absmax": (np.float32, (scales,)),
        "codes": (np.uint8, (scales,)),
        "restored": (np.float32, (scales,)),
    }
    assert set(result.error_maps) == set(result.codebooks) == set(FORMATS)
    for name in FORMATS:
        book = result.codebooks[name]
        arrays |= {f"{name} map": result.error_maps[name], f"{name} won": book.won, f"{name} errors": book.errors}
        expected[f"{name} map"] = (np.float32, (PARAMS.blocks // 64, 64))
        expected[f"{name} won"] = (np.int64, (len(FORMATS[name].levels),))
        expected[f"{name} errors"] = (np.int64, (120,))
    assert {name: (array.dtype.type, array.shape) for name, array in arrays.items()} == expected


def test_that_every_table_has_rows() -> None:
    result = outcome()[0]
    filled = {item.name for item in fields(result) if isinstance(getattr(result, item.name), tuple)}
    empty = {name for name in filled if not getattr(result, name)}
    of_checkpoints = {"skipped", "storage", "versions", "version_totals", "shapes", "experts"}
    # not asked for, or nothing to say
    assert empty == of_checkpoints | {"comparison", "outputs", "output_pairs", "messages"}
    assert len(result.tensors) == 1
    assert [row.format for row in result.tensors.rows] == [row.format for row in result.totals] == list(FORMATS)
    json.dumps(result.as_json(), allow_nan=False)


def test_that_metrics_have_units_and_provenance_and_the_json_is_one_small_object() -> None:
    result = outcome()[0]
    units = {"snr_db": "dB", "bits_per_parameter": "bits", "bytes": "bytes", "relative_rmse": ""}
    for name in FORMATS:
        for quantity, unit in units.items():
            metric = result.metrics[f"{name}.{quantity}"]
            assert metric.unit == unit
            modelled = quantity in ("bits_per_parameter", "bytes")  # counted: nothing is stored
            assert metric.provenance is (Provenance.MODELLED if modelled else Provenance.MEASURED_CPU)
        agreement = result.metrics[f"agreement.{name}.differing_codes"]
        assert (agreement.value, agreement.provenance) == (0, Provenance.TRACED)
    assert all(np.isfinite(metric.value) for metric in result.metrics.values())
    text = json.dumps(as_document(result, [(claim, claim.test(result)) for claim in TOPIC.claims]), allow_nan=False)
    assert len(text) < 30_000
    assert same(QuantizationResult.from_bytes(result.to_bytes()), result)


def test_that_errors_are_those_of_float64() -> None:
    result = outcome()[0]
    blocks = draw_weights(PARAMS, PARAMS.blocks * PARAMS.block_size).reshape(PARAMS.blocks, -1).astype(np.float64)
    rows = {row.format: row for row in finished(PARAMS.changed(double_quantization=False))[0].totals}
    for name, format_ in FORMATS.items():
        lowest = blocks.min(1, keepdims=True) if format_.affine else 0
        extent = np.ptp(blocks, axis=1)[:, None] if format_.affine else np.abs(blocks).max(1, keepdims=True)
        distance = np.abs((blocks - lowest)[..., None] - format_.levels * extent[..., None]).min(-1)
        rmse = np.sqrt((distance**2).sum() / (blocks**2).sum())
        assert rows[name].relative_rmse == pytest.approx(rmse, rel=1e-5)
        assert rows[name].max_abs_error == pytest.approx(distance.max(), rel=1e-5)
        assert rows[name].snr_db == pytest.approx(-20 * np.log10(rmse), abs=1e-4)
        cells = np.sqrt((distance**2).sum(1) / (blocks**2).sum(1)).reshape(-1, 64)
        if name is FormatId.INT4_AFFINE:  # the one that double quantization leaves as it is
            np.testing.assert_allclose(result.error_maps[name], cells, rtol=1e-4)


def test_that_counts_are_of_the_weights_drawn() -> None:
    result = outcome()[0]
    elements = PARAMS.blocks * PARAMS.block_size
    assert result.histogram is not None
    assert result.histogram.counts.sum() == result.histogram.affine_counts.sum() == elements
    assert [result.codebooks[format_id].won.sum() for format_id in FORMATS] == [elements] * len(FORMATS)
    assert result.value("weights.elements") == elements
    # NF4 is made so that normal weights use its levels about equally; INT8 leaves its outer ones almost empty.
    nf4, int8 = (result.codebooks[format_id].won / elements for format_id in ("nf4", "int8"))
    assert nf4[1:-1].min() > 0.4 / 16
    assert int8[1:10].max() < 0.2 / 255 < 1 / 255 < int8[127]


def test_that_a_cell_of_the_map_is_a_block_and_the_last_row_may_be_short() -> None:
    result, _ = finished(PARAMS.changed(blocks=100, compare="", kernels=False))
    drawn_map = result.error_maps["nf4"]
    assert drawn_map.shape == (2, 64)
    assert np.isfinite(drawn_map.ravel()[:100]).all()
    assert np.isnan(drawn_map.ravel()[100:]).all()
    assert [row.blocks for row in result.map_rows] == [(0, 63), (64, 99)]
    assert set(result.codebooks) == {"nf4"}


def test_that_the_bits_of_a_weight_add_up() -> None:
    result, rows = outcome()[0], outcome()[0].scale_levels
    sums = {
        scheme: sum(row.bits_per_parameter for row in rows if row.scheme == scheme) for scheme in ("plain", "nested")
    }
    assert sums["plain"] == FORMATS[FormatId.NF4].bits_per_parameter(64)
    assert sums["nested"] == result.value("nf4.bits_per_parameter")
    assert result.value("scales.saved_bits") == 32 / 64 - (8 / 64 + 32 / (64 * 256))
    for row in rows:
        assert row.bytes * 8 / (PARAMS.blocks * PARAMS.block_size) == row.bits_per_parameter


def test_that_a_group_of_scales_that_is_begun_counts_whole() -> None:
    result, _ = finished(PARAMS.changed(kernels=False, compare="", blocks=100))
    nested = [row.bits_per_parameter for row in result.scale_levels if row.scheme == "nested"]
    assert nested == [4.0, 8 / 64, 32 / 6400, 32 / 6400]
    assert sum(nested) == pytest.approx(result.value("nf4.bits_per_parameter"))


def test_that_outliers_cost_the_weights_beside_them_more_the_larger_they_are() -> None:
    rows = outcome()[0].outliers
    for name in FORMATS:
        errors = [row.others_relative_rmse for row in rows if row.format == name]
        assert len(errors) == 7
        # Exponents leave levels close to zero for the neighbours of an outlier.
        assert errors[-1] > (1.0 if name is FormatId.FP4_E3M0 else 1.2) * errors[1]
        if name in (FormatId.NF4, FormatId.INT4, FormatId.INT8):  # levels like those of FP4 crowd near zero
            assert errors[1:] == sorted(errors[1:])


def test_that_the_plan_shows_nearly_what_the_run_finds() -> None:
    planned = {found.format: found.snr_db for found in plan(PARAMS).errors}
    for name in FORMATS:
        assert planned[name] == pytest.approx(outcome()[0].value(f"{name}.snr_db"), abs=0.3)


def test_that_partials_grow_into_the_result_and_progress_never_goes_back() -> None:
    result, events = outcome()
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    partials = [event.result for event in events if isinstance(event, Partial)]
    assert isinstance(partials[0], QuantizationResult)
    assert len(partials[0].tensors) == 1
    assert partials[0].sweep == ()

    def filled(partial: QuantizationResult) -> set[str]:
        return {name for name, value in partial.as_json().items() if value}

    for earlier, later in zip(partials, [*partials[1:], result], strict=True):
        assert filled(earlier) <= filled(later)
        assert all(later.metrics[name] == metric for name, metric in earlier.metrics.items())


def test_that_a_run_of_an_earlier_version_opens_with_the_same_numbers() -> None:
    """Before results were typed they had arrays and tables by name."""
    result = outcome()[0]
    assert result.histogram is not None
    assert result.scales is not None
    arrays = {
        "weights.edges": result.histogram.edges,
        "weights.counts": result.histogram.counts,
        "weights.affine_counts": result.histogram.affine_counts,
        "error.edges": ERROR_EDGES,
        **{f"scales.{name}": getattr(result.scales, name) for name in ("absmax", "codes", "restored")},
    }
    for name in FORMATS:
        arrays[f"error_map.{name}"] = result.error_maps[name]
        arrays[f"codes.{name}"], arrays[f"error.{name}"] = result.codebooks[name].won, result.codebooks[name].errors
    by_name = ("skipped", "scale_levels", "sweep", "outliers", "distributions", "products", "agreement", "lines",
               "sources")  # fmt: skip
    tables = {name: [plain(row) for row in getattr(result, name)] for name in by_name}
    tables["tensors"] = [plain(row) for row in result.tensors.rows]
    for name in ("totals", "layers"):
        tables[name] = [{key: value for key, value in plain(row).items() if key != "absmax"}
                        for row in getattr(result, name)]  # fmt: skip
    tables["worst"] = tables["tensors"][:1]
    tables["map_rows"] = [{"row": index, **plain(row)} for index, row in enumerate(result.map_rows)]
    tables["memory"] = [
        {"model": "LLaMA 65B", "format": "bf16", "bits_per_parameter": 16.0, "bytes": 1e9, "of_bf16": 1.0}
    ]
    tables["kernels"] = [{**plain(row), "step": row.kernel} for row in result.traffic]
    for row in tables["kernels"]:
        del row["kernel"]
    header = {
        "topic": "quantization",
        "params": result.params_json,
        "environment": {"device": "cpu (any)", "backend": "numpy and torch", "versions": {"numpy": "2"}},
        "metrics": {name: plain(metric) for name, metric in result.metrics.items()},
        "tables": tables,
    }
    stored = io.BytesIO()
    named = {f"array:{name}": array for name, array in arrays.items()}
    np.savez_compressed(stored, __result__=np.array(json.dumps(header)), **named)
    opened = QuantizationResult.from_bytes(stored.getvalue())
    assert opened.environment.device == "cpu (any)"
    assert same(replace(opened, environment=result.environment), result)
    assert {claim.id: claim.test(opened) for claim in TOPIC.claims} == {
        claim.id: claim.test(result) for claim in TOPIC.claims
    }


@pytest.mark.parametrize(
    ("changes", "device", "expected"),
    [
        ({}, "cuda", ("cuda", "CUDA; numpy for the report")),
        ({}, "cpu", ("cpu", "numpy, torch, TTIR interpreter (CPU)")),
        ({"kernels": False}, "cuda", ("cpu", "numpy and torch")),
        ({"kernels": False}, "cpu", ("cpu", "numpy and torch")),
    ],
)
def test_that_a_run_without_kernels_is_of_the_cpu(
    changes: dict[str, bool], device: str, expected: tuple[str, str]
) -> None:
    params = PARAMS.changed(**changes)
    runs_on = TOPIC.runs_on(params, device)
    assert (runs_on, TOPIC.backend(params, runs_on)) == expected


@pytest.mark.parametrize("stop_after", [1, 2, 4])
def test_that_a_run_that_is_closed_leaves_no_thread(stop_after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    steps: Iterator[object] = TOPIC.load_experiment()(PARAMS.changed(kernels=False), "cpu")
    for _ in range(stop_after):
        next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert started
    assert not [thread.name for thread in started if thread.is_alive()]


@pytest.mark.parametrize("error", [CompilationRejected, MissingRequirement, KernelError])
def test_that_a_kernel_that_is_refused_leaves_the_rest_of_the_run(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object) -> None:
        raise error("The kernel is refused: take another.")

    monkeypatch.setattr("core.topics.quantization.experiment.kernels.trace_kernels", refused)
    result, _ = finished(PARAMS.changed(blocks=8, compare=""))
    assert messages(result)[-1] == "The kernel is refused: take another."
    assert {"nf4.snr_db", "stored.plain_bits", "stored.nested_bits"} <= result.metrics.keys()
    assert result.sweep
    assert result.agreement == ()


def test_that_times_are_taken_without_traces_and_tell_of_repeated_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_CPU_SIZE", (8, 512))
    monkeypatch.setattr(compare, "ROUNDS", 3)
    result, _ = finished(PARAMS.changed(blocks=8, compare="", kernels=False, timing=True))
    assert [row.operation for row in result.comparison] == ["error", "error"]
    assert result.value("error.numpy.time_ms") > 0
    assert result.traffic == ()
    assert messages(result) == ["Times are of 4,096 weights. There are fewer, so they are repeated."]


def test_that_on_uniform_weights_even_levels_win_at_every_block_size() -> None:
    rows = [row for row in outcome()[0].distributions if row.distribution == "uniform"]
    snr = {(row.format, row.block_size): row.snr_db for row in rows}
    for size in {row.block_size for row in rows}:
        assert snr["int4-affine", size] > snr["int4", size] > snr["nf4", size]


def test_that_outliers_are_measured_with_the_scales_that_the_parameters_ask_for() -> None:
    params = PARAMS.changed(kernels=False, compare="")
    plain = finished(params.changed(double_quantization=False))[0].outliers
    nested = finished(params.changed(nested_block=4096))[0].outliers
    for one, other in zip(plain, nested, strict=True):
        assert one.others_relative_rmse != other.others_relative_rmse
        assert one.others_relative_rmse == pytest.approx(other.others_relative_rmse, rel=0.05)


def test_that_no_claim_is_surprised_and_each_verdict_is_the_expected_one() -> None:
    result = outcome()[0]
    found = {claim.id: claim.test(result).verdict for claim in TOPIC.claims}
    assert found == {
        "stores-4-bits-computes-bf16": Verdict.HOLDS,
        "double-quantization-saves": Verdict.HOLDS,
        "double-quantization-costs-little": Verdict.HOLDS,
        "nf4-beats-fp4-and-int4": Verdict.HOLDS_WITH_LIMIT,
        "nf4-is-always-best": Verdict.DOES_NOT_HOLD,
        "perplexity-in-order": Verdict.NOT_TESTED,
    }


@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.parametrize("block_size", [16, 4096])
def test_that_verdicts_on_the_control_do_not_hang_on_parameters(seed: int, block_size: int) -> None:
    params = PARAMS.changed(
        seed=seed, block_size=block_size, blocks=8, distribution="uniform", compare="", kernels=False
    )
    result, _ = finished(params)
    found = {claim.id: claim.test(result) for claim in TOPIC.claims}
    assert found["nf4-beats-fp4-and-int4"].verdict is Verdict.HOLDS_WITH_LIMIT
    assert found["nf4-is-always-best"].verdict is Verdict.DOES_NOT_HOLD
    assert not any(claim.is_surprised_by(found[claim.id]) for claim in TOPIC.claims)


def test_that_a_run_has_the_metrics_that_questions_guess() -> None:
    of_outputs = {f"outputs.{name}.loss" for name in FORMATS}
    assert asked_metrics("quantization") - of_outputs <= outcome()[0].metrics.keys()
