"""A quantized file beside its checkpoint, and types of GGUF, through the quantization experiment."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint.versions import FILE, PACKAGE
from core.contracts.errors import InvalidParams
from core.topics.quantization import TOPIC
from core.topics.quantization.details import details
from core.topics.quantization.experiment import samples
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.plan import plan
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.saving import report_text
from tests.checkpoint.gguf_writing import BY_HAND, normal_weights, write_gguf
from tests.same_result import same
from tests.topics.quantization_runs import finished, messages

UP, DOWN = "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(samples, "_CONTROL_ELEMENTS", 1 << 12)


def params_for(path: str | Path, **changes: object) -> QuantizationParams:
    return QuantizationParams.parse({"checkpoint": str(path), "outputs": False, "kernels": False, **changes})


@pytest.fixture
def original(tmp_path: Path) -> Path:
    weights = {UP: normal_weights(32, 256), DOWN: normal_weights(256, 32, seed=1)}
    weights["model.norm.weight"] = normal_weights(256, seed=2)
    save_file({name: torch.from_numpy(values) for name, values in weights.items()}, tmp_path / "a.safetensors")
    return tmp_path / "a.safetensors"


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    tensors = {"blk.0.ffn_up.weight": ("Q8_0", normal_weights(32, 256))}
    tensors["blk.0.ffn_down.weight"] = ("Q4_0", normal_weights(256, 32, seed=1))
    return write_gguf(tmp_path / "a.gguf", tensors)


def test_that_metrics_tables_and_messages_agree_on_a_file(original: Path, quantized: Path) -> None:
    result, _ = finished(params_for(original, quantized_file=str(quantized), compare="nf4, q8_0"))
    totals = {(row.source, row.format): row for row in result.version_totals}
    assert set(totals) == {(FILE, ""), (FILE, "Q8_0"), (FILE, "Q4_0"), (PACKAGE, "Q8_0")}
    assert result.value("file.snr_db") == totals[FILE, ""].snr_db
    assert result.value("file.Q4_0.snr_db") == totals[FILE, "Q4_0"].snr_db
    assert result.value("gguf.Q8_0.snr_db") == totals[PACKAGE, "Q8_0"].snr_db
    assert result.value("file.Q8_0.snr_db") > result.value("file.Q4_0.snr_db") + 15
    assert (result.value("file.tensors"), result.value("file.apart")) == (2, 1)
    (text,) = [text for text in messages(result) if "quantized file" in text]
    assert f"{totals[FILE, ''].snr_db:.3g} dB" in text
    assert "1 tensor could not be compared: model.norm.weight (the file has no tensor of this name)" in text
    shown = details(result)
    assert [row["snr_db"] for row in shown["version_totals"]] == [row.snr_db for row in result.version_totals]
    assert len(shown["versions"]) == 3 + 2
    assert same(QuantizationResult.from_bytes(result.to_bytes()), result)
    assert '"version_totals"' in report_text(".json", result)


def test_that_drawn_weights_are_measured_in_types_of_gguf() -> None:
    result, _ = finished(params_for("", compare="nf4, gguf", blocks=64))
    assert {row.format for row in result.versions} >= {"Q4_0", "Q8_0", "MXFP4"}
    assert result.value("gguf.Q8_0.snr_db") > result.value("gguf.Q5_0.snr_db") > result.value("gguf.Q4_0.snr_db")
    assert result.metrics["gguf.Q4_0.bits_per_weight"].value == 4.5


def test_that_a_run_without_versions_has_none() -> None:
    result, _ = finished(params_for("", blocks=8))
    assert not result.versions
    assert not any(name.startswith(("gguf.", "file.")) for name in result.metrics)


def test_that_k_quants_can_be_compared_only_from_a_file(original: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParams, match="can be restored here but not made") as raised:
        params_for(original, compare="q4_k")
    assert raised.value.field == "compare"
    packed, _ = BY_HAND["Q4_K"]()
    codes = torch.frombuffer(bytearray(packed * 32), dtype=torch.uint8).reshape(32, -1).numpy()
    file = write_gguf(tmp_path / "k.gguf", {"blk.0.ffn_up.weight": ("Q4_K", codes)})
    result, _ = finished(params_for(original, quantized_file=str(file)))
    (row,) = [row for row in result.versions if row.tensor == UP]
    assert row.format == "Q4_K"
    assert "other weights" in str(row.why)  # these blocks are not made of these weights
    assert any(message.severity == "warning" for message in result.messages)


def test_that_a_file_needs_a_checkpoint_and_must_open(original: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "b.gguf"
    damaged.write_bytes(b"GGUF")
    for params, words in (
        (params_for("", quantized_file=str(damaged)), "give these as checkpoint"),
        (params_for(original, quantized_file=str(damaged)), "ends inside its header"),
    ):
        with pytest.raises(InvalidParams, match=words) as raised:
            TOPIC.check(params)
        assert raised.value.field == "quantized_file"
        assert (str(plan(params).problem), plan(params).blames) == (str(raised.value), "quantized_file")


def test_that_a_run_with_the_file_serves_the_same_form_without_it(original: Path, quantized: Path) -> None:
    with_file, without = params_for(original, quantized_file=str(quantized)), params_for(original)
    assert without.needs_same_run_as(with_file)
    assert not with_file.needs_same_run_as(without)
    assert not params_for(original, compare="all, gguf").needs_same_run_as(without)
