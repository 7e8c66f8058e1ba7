"""A whole checkpoint: against float64, in any slices, cancelled, continued, damaged on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint import coding, slices
from core.checkpoint.measuring import Measurer, Quantization
from core.checkpoint.opening import Checkpoint, open_checkpoint
from core.checkpoint.resume_cache import ResumeCache
from core.checkpoint.survey import Survey, survey
from core.contracts.text import Text
from kernels.quantization.formats import FORMATS, FormatId
from tests.checkpoint.files import normal, sharded

EVERY = Quantization(tuple(FORMATS), 64, 256)


class Stopped(Exception):
    pass


def ignored(done: float, total: float, phase: Text) -> None:
    pass


def surveyed(checkpoint: Checkpoint, quantization: Quantization, cache: Path, progress: object = ignored) -> Survey:
    result = Survey()
    for _ in survey(checkpoint.measured, quantization, ResumeCache(cache), result, progress):  # type: ignore[arg-type]
        pass
    return result


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of 4096 elements, so that small tensors have several."""
    original = slices.slices
    monkeypatch.setattr("core.checkpoint.survey.weight_slices", lambda tensor: original(tensor, 4096))


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("elements", [1, 63, 64, 1000, 4096 * 3 + 17])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_that_sums_are_those_of_float64(tmp_path: Path, elements: int, dtype: torch.dtype) -> None:
    weights = normal(elements, dtype=dtype)
    save_file({"a": weights}, tmp_path / "a.safetensors")
    opened = open_checkpoint(tmp_path / "a.safetensors")
    (_, measured) = surveyed(opened, Quantization(tuple(FORMATS), 64), tmp_path / "cache").measured["a"]
    wide = weights.double().numpy()
    for name in FORMATS:
        levels, squares, largest = FORMATS[name].levels, 0.0, 0.0
        for begin in range(0, elements, 64):
            block = wide[begin : begin + 64]
            lowest, extent = (block.min(), np.ptp(block)) if FORMATS[name].affine else (0, abs(block).max())
            distance = abs(block[:, None] - (lowest + levels * extent)).min(1)
            squares, largest = squares + float((distance**2).sum()), max(largest, float(distance.max()))
        error = measured.errors[name]
        assert error.error.sum() == pytest.approx(squares, rel=1e-4, abs=1e-13 * elements * (wide**2).max())
        assert error.max_abs == pytest.approx(largest, rel=1e-4, abs=1e-7 * abs(wide).max())
        assert error.power.sum() == pytest.approx((wide**2).sum(), rel=1e-5)
        assert error.elements == elements
    assert measured.weights.mean == pytest.approx(wide.mean(), rel=1e-4, abs=1e-7 * abs(wide).max())
    assert measured.weights.absmax == pytest.approx(abs(wide).max(), rel=1e-6)


@pytest.mark.usefixtures("small_slices")
def test_that_scales_are_quantized_over_the_whole_tensor(tmp_path: Path) -> None:
    weights = normal(100_000, dtype=torch.float32)
    save_file({"a": weights}, tmp_path / "a.safetensors")
    opened = open_checkpoint(tmp_path / "a.safetensors")
    (_, measured) = surveyed(opened, EVERY, tmp_path / "cache").measured["a"]
    whole = weights.numpy()[: 100_000 // 64 * 64].reshape(-1, 64)
    absmax = np.append(coding.absmax_of(whole), abs(weights.numpy()[whole.size :]).max()).astype(np.float32)
    restored = coding.restored_scales(absmax, 256)[:-1].astype(np.float64)
    levels = FORMATS[FormatId.NF4].levels
    codes = abs(whole[..., None] / absmax[:-1, None, None] - levels).argmin(-1)
    expected = ((whole - levels[codes] * restored[:, None]) ** 2).sum()
    assert measured.errors[FormatId.NF4].error.sum() == pytest.approx(expected, rel=1e-3)


def test_that_a_short_tensor_fills_its_row_of_the_map(tmp_path: Path) -> None:
    spiked = torch.full((128,), 0.5)
    spiked[64:] = normal(64, dtype=torch.float32)
    save_file({"norm": spiked}, tmp_path / "a.safetensors")
    (_, measured) = surveyed(open_checkpoint(tmp_path / "a.safetensors"), EVERY, tmp_path / "cache").measured["norm"]
    row = measured.errors[FormatId.INT8].map_row
    assert np.isfinite(row).all()
    assert (row[:32] == row[0]).all()
    assert (row[32:] == row[32]).all()
    assert row[0] != row[32]


def test_that_values_that_are_no_numbers_cost_their_blocks_and_no_others(tmp_path: Path) -> None:
    weights = normal(1000, dtype=torch.float32)
    spoiled = weights.clone()
    spoiled[[3, 500, 999]] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    emptied = weights.clone()
    for begin, end in ((0, 64), (448, 512), (960, 1000)):
        emptied[begin:end] = 0
    save_file({"spoiled": spoiled, "emptied": emptied}, tmp_path / "a.safetensors")
    opened = open_checkpoint(tmp_path / "a.safetensors")
    measured = surveyed(opened, Quantization(tuple(FORMATS), 64), tmp_path / "cache").measured
    (_, ours), (_, expected) = measured["spoiled"], measured["emptied"]
    assert (ours.weights.nonfinite, expected.weights.nonfinite) == (3, 0)
    for name in FORMATS:
        assert (ours.errors[name].lost, expected.errors[name].lost) == (64 + 64 + 40, 0)
        assert (ours.errors[name].error == expected.errors[name].error).all()
        assert (ours.errors[name].power == expected.errors[name].power).all()
        assert ours.errors[name].max_abs == expected.errors[name].max_abs
    kept = weights[[index for index in range(1000) if index not in (3, 500, 999)]]
    assert ours.weights.absmax == float(kept.abs().max()), "the weights themselves are counted where they are numbers"


def test_that_a_tensor_without_a_number_has_no_error(tmp_path: Path) -> None:
    save_file({"a": torch.full((100,), torch.nan), "z": torch.zeros(100)}, tmp_path / "a.safetensors")
    for _, measured in surveyed(open_checkpoint(tmp_path / "a.safetensors"), EVERY, tmp_path).measured.values():
        for errors in measured.errors.values():
            assert np.isnan(errors.max_abs) or errors.max_abs == 0
            assert np.isnan(errors.snr_db)


def test_that_a_stopped_report_goes_on_where_it_stopped(tmp_path: Path) -> None:
    index = sharded(tmp_path / "m", [{f"layers.{n}.w": normal(5000, seed=n)} for n in range(4)])
    opened = open_checkpoint(index)
    whole = surveyed(opened, EVERY, tmp_path / "other")
    half = opened.measured[1].name

    def stop(done: float, total: float, phase: Text) -> None:
        if str(phase) == opened.measured[2].name:
            raise Stopped

    with pytest.raises(Stopped):
        surveyed(opened, EVERY, tmp_path / "cache", stop)
    ticks: list[tuple[float, float]] = []
    again = surveyed(opened, EVERY, tmp_path / "cache", lambda done, total, phase: ticks.append((done, total)))
    assert again.resumed == 2
    assert again.read_bytes == 2 * 5000 * 2
    assert ticks[0][0] == 10_000
    assert ticks[-1] == (40_000, 40_000)
    assert again.measured[half][1].errors[FormatId.NF4].snr_db == pytest.approx(
        whole.measured[half][1].errors[FormatId.NF4].snr_db
    )
    assert list(again.measured) == list(whole.measured)


def test_that_what_is_resumed_is_what_was_measured(tmp_path: Path) -> None:
    save_file({"a": normal(5000), "b": normal(64 * 300), "zeros": torch.zeros(70)}, tmp_path / "a.safetensors")
    opened = open_checkpoint(tmp_path / "a.safetensors")
    first = surveyed(opened, EVERY, tmp_path / "cache").measured
    again = surveyed(opened, EVERY, tmp_path / "cache")
    assert (again.resumed, again.read_bytes) == (3, 0)
    for name, (_, expected) in first.items():
        _, resumed = again.measured[name]
        assert resumed.weights == expected.weights
        for of_format, errors in expected.errors.items():
            assert resumed.errors[of_format].error == pytest.approx(errors.error, rel=1e-6)
            assert resumed.errors[of_format].power == pytest.approx(errors.power, rel=1e-6)
            assert resumed.errors[of_format].max_abs == errors.max_abs
            assert resumed.errors[of_format].stored_bits == errors.stored_bits


def test_that_a_file_that_was_written_again_is_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": normal(5000)}, path)
    surveyed(open_checkpoint(path), EVERY, tmp_path / "cache")
    save_file({"a": 2 * normal(5000)}, path)
    again = surveyed(open_checkpoint(path), EVERY, tmp_path / "cache")
    assert again.resumed == 0
    assert again.measured["a"][1].weights.absmax == 2 * float(normal(5000).float().abs().max())


def test_that_a_stopped_report_larger_than_the_bound_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.checkpoint.resume_cache.MAX_BYTES", 1000)
    opened = open_checkpoint(sharded(tmp_path / "m", [{f"layers.{n}.w": normal(500, seed=n)} for n in range(3)]))
    surveyed(opened, EVERY, tmp_path / "cache")
    assert surveyed(opened, EVERY, tmp_path / "cache").resumed == 3
    save_file({"other": normal(500)}, tmp_path / "other.safetensors")
    surveyed(open_checkpoint(tmp_path / "other.safetensors"), EVERY, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1, "the room of older reports is given back"


def test_that_small_tensors_are_not_handed_to_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({f"{n}": normal(100, seed=n) for n in range(20)}, tmp_path / "a.safetensors")
    handed_over = []
    monkeypatch.setattr("core.checkpoint.measuring.ThreadPoolExecutor.submit", lambda *job: handed_over.append(job))
    assert len(surveyed(open_checkpoint(tmp_path / "a.safetensors"), EVERY, tmp_path / "cache").measured) == 20
    assert not handed_over


def test_that_rows_that_died_are_measured_as_they_come_back(tmp_path: Path) -> None:
    weights = normal(64 * 64, dtype=torch.float32).view(64, 64)
    weights[3] = torch.linspace(-1, 1, 64) * 9e-39
    weights[7] *= 1e-30
    save_file({"a": weights}, tmp_path / "a.safetensors")
    (_, measured) = surveyed(open_checkpoint(tmp_path / "a.safetensors"), EVERY, tmp_path / "cache").measured["a"]
    for name in FORMATS:
        restored = coding.restored_weights(weights.numpy().ravel(), name, 64, EVERY.nested_block)
        difference = weights.double().numpy().ravel() - restored
        assert measured.errors[name].error.sum() == pytest.approx((difference**2).sum(), rel=1e-4)
        assert measured.errors[name].max_abs == pytest.approx(abs(difference).max(), rel=1e-4)
        assert np.isfinite(measured.errors[name].error).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("spread", [0, 1, 8])
def test_that_weights_near_the_end_of_float32_have_finite_errors(spread: int) -> None:
    rng, largest = np.random.default_rng(0), np.finfo(np.float32).max
    sizes = np.repeat(rng.uniform(0, 1, 512) ** spread, 64)
    weights = (rng.choice([-1, 1], sizes.size) * rng.uniform(0.5, 1, sizes.size) * sizes * largest).astype(np.float32)
    weights[:2] = largest, -largest
    measurer = Measurer(1)
    measured = measurer.measure(lambda: [weights], len(weights), EVERY, lambda _: None)
    measurer.close()
    for errors in measured.errors.values():
        assert np.isfinite(errors.error).all()
        assert 0 < errors.max_abs <= largest
        assert np.isfinite(errors.snr_db)


def test_that_another_format_measures_only_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"a": normal(5000)}, tmp_path / "a.safetensors")
    opened = open_checkpoint(tmp_path / "a.safetensors")
    surveyed(opened, Quantization((FormatId.NF4, FormatId.INT4), 64), tmp_path / "cache")
    measured = []
    original = Measurer.measure

    def spying(self: Measurer, read: object, elements: int, quantization: Quantization, on_read: object) -> object:
        measured.append(quantization.formats)
        return original(self, read, elements, quantization, on_read)  # type: ignore[arg-type]

    monkeypatch.setattr(Measurer, "measure", spying)
    result = surveyed(opened, Quantization((FormatId.INT4, FormatId.INT8), 64), tmp_path / "cache")
    assert measured == [(FormatId.INT8,)]
    assert list(result.measured["a"][1].errors) == [FormatId.INT4, FormatId.INT8]
    assert surveyed(opened, Quantization((FormatId.INT4,), 128), tmp_path / "cache").resumed == 0


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("change", ["delete", "write", "truncate"])
def test_that_a_file_that_changes_leaves_what_was_measured(tmp_path: Path, change: str) -> None:
    index = sharded(tmp_path / "m", [{f"layers.{n}.w": normal(50_000, seed=n)} for n in range(3)])
    opened = open_checkpoint(index)
    second = opened.measured[1].shard.path

    def spoil(done: float, total: float, phase: Text) -> None:
        if str(phase) == opened.measured[1].name and second.exists():
            if change == "delete":
                second.unlink()
            else:
                with second.open("r+b") as file:
                    file.truncate(1000) if change == "truncate" else file.write(bytes(9))

    result = surveyed(opened, Quantization((FormatId.NF4,), 64), tmp_path / "cache", spoil)
    assert list(result.measured) == [opened.measured[0].name]
    assert "The tensors measured so far are kept" in str(result.stopped_by)
    assert str(second) in str(result.stopped_by)


@pytest.mark.usefixtures("small_slices")
def test_that_stopping_is_possible_at_every_slice(tmp_path: Path) -> None:
    save_file({"a": normal(4096 * 8)}, tmp_path / "a.safetensors")
    ticks = []

    def stop_at_third(done: float, total: float, phase: Text) -> None:
        ticks.append(done)
        if len(ticks) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        surveyed(open_checkpoint(tmp_path / "a.safetensors"), EVERY, tmp_path / "cache", stop_at_third)
    assert ticks[-1] < 4096 * 8 * 2


def test_that_the_map_tells_where_the_error_is(tmp_path: Path) -> None:
    weights = normal(64 * 640, dtype=torch.float32).view(640, 64)
    weights[320:330, 0] = 100 * weights.abs().max()  # an outlier makes its whole block coarse
    save_file({"a": weights}, tmp_path / "a.safetensors")
    (_, measured) = surveyed(open_checkpoint(tmp_path / "a.safetensors"), EVERY, tmp_path / "cache").measured["a"]
    share_lost = measured.errors[FormatId.NF4].error
    assert share_lost.argmax() == 32
    assert np.delete(share_lost, 32).max() < 0.1 * share_lost[32]
