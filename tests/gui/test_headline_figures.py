"""The headline of a page and `run --json` are of the same run: their figures agree, as both write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from core.commands.run import as_document
from core.contracts.registry import topic
from core.contracts.result import Result
from core.format import format_quantity
from core.recorded_runs import shipped_run
from core.topics.fine_tuning.plan import Plan as FineTuningPlan
from core.topics.fine_tuning.result import FineTuningResult
from core.topics.lora.result import LoraResult
from core.topics.quantization.experiment import samples
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import QuantizationResult
from gui.charts.ticks import short_quantity
from gui.pages.fine_tuning import view_data as fine_tuning_view
from gui.pages.lora.key_metrics import run_numbers
from gui.pages.quantization import key_metrics as quantization_view
from gui.widgets.metric_bar import Number
from tests.checkpoint.files import normal
from tests.topics.quantization_runs import finished


def recorded(topic_id: str) -> Result:
    saved = shipped_run(topic_id)
    assert saved is not None
    return saved.result


def printed(result: Result) -> dict[str, Any]:
    """What `run --json` prints."""
    return {**as_document(result, []), **topic(result.topic).json_details(result)}


def by_label(numbers: list[Number]) -> dict[str, str]:
    return {number.label: number.value for number in numbers}


@pytest.fixture
def of_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QuantizationResult:
    """A run on weight matrices, a norm of ones that must stay out of the headline, and an embedding."""
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(samples, "_CONTROL_ELEMENTS", 1 << 10)
    tensors = {f"model.layers.{layer}.mlp.up_proj.weight": normal(64, 96, seed=layer) for layer in range(3)}
    tensors["model.norm.weight"] = torch.ones(96)
    tensors["model.embed_tokens.weight"] = normal(32, 96, seed=9)
    save_file(tensors, tmp_path / "a.safetensors")
    given = {"checkpoint": str(tmp_path / "a.safetensors"), "outputs": False, "kernels": False}
    return finished(QuantizationParams.parse(given))[0]


@pytest.mark.parametrize("format_id", ["nf4", "int4-affine", "int8"])
@pytest.mark.parametrize("source", ["recorded", "checkpoint"])
def test_that_quantization_has_one_headline(source: str, format_id: str, request: pytest.FixtureRequest) -> None:
    result = recorded("quantization") if source == "recorded" else request.getfixturevalue("of_checkpoint")
    assert isinstance(result, QuantizationResult)
    params = result.params.changed(format=format_id)
    groups = quantization_view.groups(topic("quantization").plan(params), result, None)
    shown = by_label([number for _, numbers in groups for number in numbers])
    document = printed(result)
    metrics = {
        name.removeprefix(f"{format_id}."): metric["value"]
        for name, metric in document["metrics"].items()
        if name.startswith(f"{format_id}.")
    }
    (label,) = [label for label in shown if label.startswith("SNR of")]
    (size,) = [label for label in shown if label.startswith("quantized (")]
    assert shown[label] == format_quantity(metrics["snr_db"], "dB")
    assert shown["relative RMSE"] == format_quantity(100 * metrics["relative_rmse"], "%")
    assert shown["median block SNR"] == format_quantity(metrics["block_snr_db"], "dB")
    assert shown["largest error"] == format_quantity(metrics["max_abs_error"], "")
    assert shown["bits per parameter"] == format_quantity(metrics["bits_per_parameter"], "", 4)
    assert shown[size] == format_quantity(metrics["bytes"], "bytes")
    assert size == f"quantized ({format_quantity(document['metrics']['weights.bytes']['value'], 'bytes')} stored)"
    (total,) = [row for row in document["totals"] if row["format"] == format_id]
    assert (total["snr_db"], total["relative_rmse"]) == (metrics["snr_db"], metrics["relative_rmse"])


def test_that_lora_has_one_headline() -> None:
    result = recorded("lora")
    assert isinstance(result, LoraResult)
    assert result.history is not None
    last = len(result.history.total_rank)
    shown, metrics = by_label(run_numbers(result, result.history, last)), printed(result)["metrics"]
    for adapter, label in (("lora", "LoRA"), ("adalora", "AdaLoRA")):
        trained, share = (metrics[f"{adapter}.{name}"]["value"] for name in ("trainable", "share"))
        assert shown[f"{label} trains"] == f"{short_quantity(trained)} · {share:.3g}%"
    speeds = [metrics[f"steps_per_s.{adapter}"]["value"] for adapter in ("lora", "adalora")]
    assert shown["steps/s"] == " · ".join(f"{speed:.3g}" for speed in speeds)
    final = metrics["budget.final"]["value"]
    assert shown["total rank / budget"] == f"{final:,.0f} / {metrics['budget.target']['value']:,.0f}"


def test_that_each_method_of_fine_tuning_has_one_headline() -> None:
    result = recorded("fine-tuning")
    assert isinstance(result, FineTuningResult)
    plan, metrics = topic("fine-tuning").plan(result.params), printed(result)["metrics"]
    assert isinstance(plan, FineTuningPlan)
    for method in result.params.chosen:
        ((_, numbers),) = fine_tuning_view.key_metrics(plan, result, method)
        shown, of_method = by_label(numbers), {name: metrics[f"{method}.{name}"]["value"] for name in FIGURES}
        (label,) = [label for label in shown if label.startswith("trained by")]
        assert shown[label] == f"{of_method['trainable']:,.0f}"
        assert shown["share of all"] == format_quantity(100 * of_method["share"], "%")
        assert shown["memory per step"] == format_quantity(of_method["memory"], "bytes")
        assert shown["held-out loss"] == format_quantity(of_method["held_out"], "nats")
        assert shown["exact, unseen"] == format_quantity(100 * of_method["exact_match"], "%")
        assert shown["steps/s"] == format_quantity(of_method["steps_per_s"])


FIGURES = ("trainable", "share", "memory", "held_out", "exact_match", "steps_per_s")
