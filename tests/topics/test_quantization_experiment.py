"""The quantization experiment on weights that are drawn: everything that payload.py promises, and the claims on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from core.commands.run import as_document
from core.contracts.claims import Verdict
from core.contracts.errors import MissingRequirement
from core.contracts.events import Partial, Progress
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.hardware import compare
from core.interpreter.frontend import CompilationRejected
from core.topics.quantization import TOPIC
from core.topics.quantization.experiment import comparison
from core.topics.quantization.model.plan import plan
from core.topics.quantization.model.sampling import drawn
from core.topics.quantization.params import QuantizationParams
from kernels.errors import KernelError
from kernels.quantization.formats import FORMATS, FormatId
from tests.topics.quantization_runs import Events, finished, messages

pytest.importorskip("triton")

PARAMS = QuantizationParams(outputs=False)
NUMBERS = ("snr_db", "relative_rmse", "max_abs_error", "bits_per_parameter")


@cache
def outcome(params: QuantizationParams = PARAMS) -> tuple[Result, Events]:
    return finished(params)


def test_that_every_array_is_there_in_its_shape() -> None:
    arrays = outcome()[0].arrays
    scales = PARAMS.blocks
    expected = {
        "weights.edges": (np.float64, (257,)),
        "weights.counts": (np.int64, (256,)),
        "weights.affine_counts": (np.int64, (256,)),
        "error.edges": (np.float64, (121,)),
        "scales.absmax": (np.float32, (scales,)),
        "scales.codes": (np.uint8, (scales,)),
        "scales.restored": (np.float32, (scales,)),
    }
    for name in FORMATS:
        expected[f"error_map.{name}"] = (np.float32, (PARAMS.blocks // 64, 64))
        expected[f"codes.{name}"] = (np.int64, (len(FORMATS[name].levels),))
        expected[f"error.{name}"] = (np.int64, (120,))
    assert {name: (array.dtype.type, array.shape) for name, array in arrays.items()} == expected


def test_that_every_table_is_there_with_its_columns() -> None:
    tables = outcome()[0].tables
    errors = {"format", "snr_db", "relative_rmse", "max_abs_error", "bits_per_parameter", "quantized_bytes"}
    sums = errors | {"tensors", "elements", "bytes", "nonfinite", "worst_tensor"}
    tensor = errors | {
        "tensor", "layer", "kind", "shape", "dtype", "elements", "bytes", "nonfinite", "std", "absmax", "kurtosis",
        "max_over_sigma", "signal_power", "error_power",
    }  # fmt: skip
    expected = {
        "tensors": tensor,
        "worst": tensor,
        "layers": sums | {"layer"},
        "totals": sums,
        "map_rows": {"row", "tensor", "layer", "kind"},
        "sweep": {"format", "block_size", "nested", "bits_per_parameter", "relative_rmse", "snr_db", "pareto"},
        "outliers": {"format", "outlier_scale", "relative_rmse", "snr_db", "others_relative_rmse"},
        "distributions": {"distribution", "format", "block_size", "relative_rmse", "snr_db"},
        "scale_levels": {"what", "scheme", "count", "bytes", "bits_per_parameter"},
        "memory": {"model", "format", "bits_per_parameter", "bytes", "of_bf16"},
        "kernels": {
            "step", "format", "function", "launch", "tensor", "dtype", "elements", "read_bytes", "written_bytes",
            "unique_bytes",
        },
        "lines": {"kernel", "function", "file", "line", "op", "tensor", "accesses", "bytes", "masked_share"},
        "sources": {"kernel", "function", "file", "first_line", "text", "ttir"},
        "products": {"step", "function", "left", "right", "accumulator"},
        "agreement": {
            "format", "block_size", "other", "elements", "differing_codes", "differing_scales", "max_abs_difference",
            "runs_on", "reason",
        },
    }  # fmt: skip
    assert {name: set(rows[0]) for name, rows in tables.items()} == expected
    assert json.loads(json.dumps(tables, allow_nan=False)) == tables


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
    assert Result.from_bytes(result.to_bytes()).tables == result.tables


def test_that_errors_are_those_of_float64() -> None:
    result = outcome()[0]
    blocks = drawn(PARAMS, PARAMS.blocks * PARAMS.block_size).reshape(PARAMS.blocks, -1).astype(np.float64)
    rows = {row["format"]: row for row in finished(PARAMS.changed(double_quantization=False))[0].tables["totals"]}
    for name, format_ in FORMATS.items():
        lowest = blocks.min(1, keepdims=True) if format_.affine else 0
        extent = np.ptp(blocks, axis=1)[:, None] if format_.affine else np.abs(blocks).max(1, keepdims=True)
        distance = np.abs((blocks - lowest)[..., None] - format_.levels * extent[..., None]).min(-1)
        rmse = np.sqrt((distance**2).sum() / (blocks**2).sum())
        assert rows[name]["relative_rmse"] == pytest.approx(rmse, rel=1e-5)
        assert rows[name]["max_abs_error"] == pytest.approx(distance.max(), rel=1e-5)
        assert rows[name]["snr_db"] == pytest.approx(-20 * np.log10(rmse), abs=1e-4)
        cells = np.sqrt((distance**2).sum(1) / (blocks**2).sum(1)).reshape(-1, 64)
        if name is FormatId.INT4_AFFINE:  # the one that double quantization leaves as it is
            np.testing.assert_allclose(result.arrays[f"error_map.{name}"], cells, rtol=1e-4)


def test_that_counts_are_of_the_weights_drawn() -> None:
    result = outcome()[0]
    elements = PARAMS.blocks * PARAMS.block_size
    for name in ("weights.counts", "weights.affine_counts", *(f"codes.{format_id}" for format_id in FORMATS)):
        assert result.arrays[name].sum() == elements
    assert result.value("weights.elements") == elements
    # NF4 is made so that normal weights use its levels about equally; INT8 leaves its outer ones almost empty.
    nf4, int8 = result.arrays["codes.nf4"] / elements, result.arrays["codes.int8"] / elements
    assert nf4[1:-1].min() > 0.4 / 16
    assert int8[1:10].max() < 0.2 / 255 < 1 / 255 < int8[127]


def test_that_a_cell_of_the_map_is_a_block_and_the_last_row_may_be_short() -> None:
    result, _ = finished(PARAMS.changed(blocks=100, compare="", kernels=False))
    drawn_map = result.arrays["error_map.nf4"]
    assert drawn_map.shape == (2, 64)
    assert np.isfinite(drawn_map.ravel()[:100]).all()
    assert np.isnan(drawn_map.ravel()[100:]).all()
    assert [row["kind"] for row in result.tables["map_rows"]] == ["blocks 0 to 63", "blocks 64 to 99"]
    assert set(result.arrays) >= {"codes.nf4"}
    assert "codes.int4" not in result.arrays


def test_that_the_bits_of_a_weight_add_up() -> None:
    result, rows = outcome()[0], outcome()[0].tables["scale_levels"]
    sums = {
        scheme: sum(row["bits_per_parameter"] for row in rows if row["scheme"] == scheme)
        for scheme in ("plain", "nested")
    }
    assert sums["plain"] == FORMATS[FormatId.NF4].bits_per_parameter(64)
    assert sums["nested"] == result.value("nf4.bits_per_parameter")
    assert result.value("scales.saved_bits") == 32 / 64 - (8 / 64 + 32 / (64 * 256))
    for row in rows:
        assert row["bytes"] * 8 / (PARAMS.blocks * PARAMS.block_size) == row["bits_per_parameter"]


def test_that_a_group_of_scales_that_is_begun_counts_whole() -> None:
    result, _ = finished(PARAMS.changed(kernels=False, compare="", blocks=100))
    nested = [row["bits_per_parameter"] for row in result.tables["scale_levels"] if row["scheme"] == "nested"]
    assert nested == [4.0, 8 / 64, 32 / 6400, 32 / 6400]
    assert sum(nested) == pytest.approx(result.value("nf4.bits_per_parameter"))


def test_that_outliers_cost_the_weights_beside_them_more_the_larger_they_are() -> None:
    rows = outcome()[0].tables["outliers"]
    for name in FORMATS:
        errors = [row["others_relative_rmse"] for row in rows if row["format"] == name]
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
    partials = [from_partial(event.result) for event in events if isinstance(event, Partial)]
    assert "tensors" in partials[0].tables
    assert "sweep" not in partials[0].tables
    for earlier, later in zip(partials, [*partials[1:], result], strict=True):
        assert set(earlier.tables) <= set(later.tables)
        assert all(later.metrics[name] == metric for name, metric in earlier.metrics.items())


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
    assert "nf4.snr_db" in result.metrics
    assert result.tables["sweep"]
    assert "agreement" not in result.tables


def test_that_times_are_taken_without_traces_and_tell_of_repeated_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_CPU_SIZE", (8, 512))
    monkeypatch.setattr(compare, "ROUNDS", 3)
    result, _ = finished(PARAMS.changed(blocks=8, compare="", kernels=False, timing=True))
    assert [row["operation"] for row in result.tables["comparison"]] == ["error", "error"]
    assert result.value("error.numpy.time_ms") > 0
    assert "kernels" not in result.tables
    assert messages(result) == ["Times are of 4,096 weights; there are fewer here, so they are repeated."]


def test_that_on_uniform_weights_even_levels_win_at_every_block_size() -> None:
    rows = [row for row in outcome()[0].tables["distributions"] if row["distribution"] == "uniform"]
    snr = {(row["format"], row["block_size"]): row["snr_db"] for row in rows}
    for size in {row["block_size"] for row in rows}:
        assert snr["int4-affine", size] > snr["int4", size] > snr["nf4", size]


def test_that_outliers_are_measured_with_the_scales_that_the_parameters_ask_for() -> None:
    params = PARAMS.changed(kernels=False, compare="")
    plain = finished(params.changed(double_quantization=False))[0].tables["outliers"]
    nested = finished(params.changed(nested_block=4096))[0].tables["outliers"]
    for one, other in zip(plain, nested, strict=True):
        assert one["others_relative_rmse"] != other["others_relative_rmse"]
        assert one["others_relative_rmse"] == pytest.approx(other["others_relative_rmse"], rel=0.05)


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
