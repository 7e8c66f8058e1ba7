"""A checkpoint through the quantization experiment: report, partial results, resuming, files, and what can go wrong."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint import slices as slices_module
from core.commands.run import as_document
from core.contracts.errors import InvalidParams
from core.contracts.events import Partial
from core.topics.quantization import TOPIC
from core.topics.quantization.experiment import report as report_module
from core.topics.quantization.experiment import samples
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.saving import check_report_path, report_text
from tests.checkpoint.files import normal, sharded, written
from tests.same_result import same
from tests.topics.quantization_runs import finished, messages

LAYERS = 3


def params_for(path: Path, **changes: object) -> QuantizationParams:
    return QuantizationParams.parse({"checkpoint": str(path), "outputs": False, "kernels": False, **changes})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(samples, "_CONTROL_ELEMENTS", 1 << 12)  # what every run measures beside the checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Layers of 64 x 96 weights, norms, a table of integers, and a tensor with a NaN, in two shards."""
    tensors = {f"model.layers.{i}.mlp.up_proj.weight": normal(64, 96, seed=i) for i in range(LAYERS)}
    tensors["model.layers.1.norm.weight"] = torch.ones(96, dtype=torch.bfloat16)
    odd = normal(7, 11, dtype=torch.float32)
    odd[0, 0], odd[1, 1] = float("nan"), float("inf")
    return sharded(tmp_path / "model", [tensors, {"odd": odd, "ids": torch.arange(5), "none": torch.empty(0, 4)}])


def test_that_a_report_covers_every_tensor_and_says_what_it_left_out(checkpoint: Path) -> None:
    result, _ = finished(params_for(checkpoint))
    names = [row.tensor for row in result.tensors.rows_in("nf4")]
    assert len(set(names)) == len(names) == len(result.tensors) == LAYERS + 2
    assert len(result.tensors.rows) == 6 * len(names)
    assert {row.tensor: str(row.why) for row in result.skipped} == {
        "ids": "I64 does not hold floating-point weights",
        "none": "the tensor is empty",
    }
    assert [row.layer for row in result.layers if row.format == "nf4"] == [-1, 0, 1, 2]
    assert [row.tensor for row in result.map_rows] == list(dict.fromkeys(row.tensor for row in result.tensors.rows))
    assert result.error_maps["nf4"].shape == (len(names), 64)
    assert result.value("weights.nonfinite") == 2
    assert all(np.isfinite(result.value(f"{name}.snr_db")) for name in ("nf4", "int8"))
    assert any("2 weights are NaN or inf" in text for text in messages(result))
    assert any("2 tensors hold no weights" in text for text in messages(result))
    worst = result.tensors.worst("nf4")
    assert [row.rank_key for row in worst] == sorted(row.rank_key for row in worst)
    assert (worst[0].format, worst[0].tensor, worst[0].lost) == ("nf4", "odd", 77)
    assert result.histogram is not None
    assert result.histogram.counts.sum() == LAYERS * 64 * 96 + 64  # matrices, of the odd one the whole block
    arrived = QuantizationResult.from_bytes(result.to_bytes())
    assert same(arrived, result)
    assert report_text(".json", arrived) == report_text(".json", result)  # whole numbers stay whole
    json.dumps(result.as_json(), allow_nan=False)


def test_that_a_second_run_reads_no_tensor_again_and_finds_the_same(checkpoint: Path) -> None:
    first, _ = finished(params_for(checkpoint))
    second, _ = finished(params_for(checkpoint, format="int4"))
    assert first.value("report.resumed_tensors") == 0
    assert second.value("report.resumed_tensors") == LAYERS + 2
    assert second.value("report.read_bytes") == 0
    assert any("measured by an earlier run" in text for text in messages(second))
    by_format = [{row.format: row for row in result.totals} for result in (first, second)]
    for name, row in by_format[0].items():
        assert by_format[1][name].snr_db == pytest.approx(row.snr_db, abs=1e-5)
    other, _ = finished(params_for(checkpoint, block_size=32))
    assert other.value("report.resumed_tensors") == 0


def test_that_a_cancelled_report_goes_on_where_it_stopped(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "_PARTIAL_EVERY_S", 0.0)
    monkeypatch.setattr(report_module, "_PAUSE_FACTOR", 0.0)
    steps = TOPIC.load_experiment()(params_for(checkpoint), "cpu")
    partials: list[Partial] = []
    while len(partials) < 2:
        event = next(steps)
        if isinstance(event, Partial):
            partials.append(event)
    steps.close()
    assert [len(partial.result.tensors) for partial in partials] == [1, 2]
    assert "nf4.snr_db" in partials[0].result.metrics
    result, _ = finished(params_for(checkpoint))
    assert 2 <= result.value("report.resumed_tensors") < LAYERS + 2
    assert result.value("report.tensors") == LAYERS + 2


@pytest.mark.parametrize("happens", ["deleted", "truncated"])
def test_that_a_file_that_goes_away_leaves_what_was_measured(
    checkpoint: Path, happens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = checkpoint.with_name("model-00001-of-00002.safetensors")
    original, opened = slices_module.slices, []

    def sabotaged(tensor: object, *elements: int) -> object:
        opened.append(tensor)
        if len(opened) == 4:  # each tensor is read twice
            shard.unlink() if happens == "deleted" else shard.write_bytes(b"")
        return original(tensor, *elements)  # type: ignore[arg-type]

    monkeypatch.setattr("core.checkpoint.survey.weight_slices", sabotaged)
    result, _ = finished(params_for(checkpoint))
    assert result.value("report.tensors") == 1
    assert any("4 tensors are missing from this report" in text for text in messages(result))
    assert result.distributions
    assert result.sweep == ()  # the sample could not be read either
    assert "nf4.snr_db" in result.metrics


def test_that_a_report_is_saved_in_the_form_that_its_name_says(checkpoint: Path, tmp_path: Path) -> None:
    for suffix in (".csv", ".json", ".md"):
        path = tmp_path / f"report{suffix}"
        result, _ = finished(params_for(checkpoint, report=str(path)))
        text = path.read_text()
        assert text == report_text(suffix, result)
        finished(params_for(checkpoint, report=str(path)))  # an earlier report is replaced
    assert not list(tmp_path.glob(".report*"))
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["tensors"] == list(map(asdict, result.tensors.rows))
    assert saved["checkpoint"] == str(checkpoint)
    assert saved["device"].startswith("cpu (")
    assert {"tilescope", "python", "torch", "numpy"} <= saved.keys()
    lines = (tmp_path / "report.csv").read_text().splitlines()
    assert len(lines) == 1 + len(result.tensors.rows)
    assert lines[0].startswith("tensor,layer,kind")
    assert "## Worst tensors in nf4" in (tmp_path / "report.md").read_text()


def test_that_a_report_that_cannot_be_written_costs_a_sentence_and_not_the_run(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result, _ = finished(params_for(checkpoint, report=str(tmp_path / "a.csv")))
    assert [text for text in messages(result) if "could not be saved" in text] == [
        f"The report could not be saved as {tmp_path / 'a.csv'} (no space left on the disk): save it elsewhere."
    ]
    assert result.value("report.tensors") == LAYERS + 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("report.xlsx", "unknown ending: use one of .csv, .json, .md"),
        ("missing/report.csv", "There is no folder"),
        ("folder.json", "is a folder"),
        ("config.json", "exists and is not a report, so it is not replaced"),
    ],
)
def test_that_a_place_that_a_report_cannot_have_is_refused_before_anything_runs(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InvalidParams, match=sentence) as refused:
        TOPIC.check(QuantizationParams(report=str(tmp_path / name)))
    assert refused.value.field == "report"
    check_report_path(str(tmp_path / "new.md"))


def bad_files(folder: Path) -> dict[str, Path]:
    whole = folder / "whole.safetensors"
    save_file({"a": normal(64, 64)}, whole)
    (folder / "cut.safetensors").write_bytes(whole.read_bytes()[:-10])
    (folder / "weights.bin").write_bytes(b"\x80\x02}q\x00.")
    header = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    written(folder / "huge.safetensors", header, bytes(8), announced=2**60)
    save_file({"ids": torch.arange(4)}, folder / "ids.safetensors")
    names = ("cut.safetensors", "weights.bin", "huge.safetensors", "ids.safetensors", "nowhere")
    return {name: folder / name for name in names}


def test_that_bad_checkpoints_are_refused_in_one_sentence(tmp_path: Path) -> None:
    for path in bad_files(tmp_path).values():
        for refusing in (TOPIC.check, lambda params: finished(params)):
            with pytest.raises(InvalidParams) as refused:
                refusing(params_for(path))
            assert refused.value.field == "checkpoint"
            assert "\n" not in refused.value.sentence
            assert refused.value.sentence.endswith(".")


def test_that_the_json_of_a_thousand_tensors_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "many.safetensors"
    save_file({f"layers.{i}.w": normal(4, 16, seed=i) for i in range(1000)}, path)
    result, _ = finished(params_for(path, report=str(tmp_path / "many.csv")))
    document = json.dumps(as_document(result, [(claim, claim.test(result)) for claim in TOPIC.claims]))
    assert len(document) < 30_000
    assert len((tmp_path / "many.csv").read_text().splitlines()) == 6001
