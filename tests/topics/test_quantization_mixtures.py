"""A folder with a mixture of experts: its experts are quantized too, and the time is said before the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.checkpoint.coding import restored_weights
from core.commands.run import as_document
from core.language_model.folder import open_folder
from core.topics.quantization import TOPIC
from core.topics.quantization.experiment import outputs, samples
from core.topics.quantization.experiment.restoring import quantizable_weights, quantized
from core.topics.quantization.folder_time import folder_time
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.plan import plan
from kernels.quantization.formats import FormatId
from tests.language_model.model_folders import KINDS, model_folder

KINDS_OF_EXPERTS = {
    "mixtral": {},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
}
LAYERS, EXPERTS = 2, 4
WORDS = "The school taught Ada how to read in the year of the flood. " * 40


@pytest.fixture(scope="module", params=KINDS_OF_EXPERTS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    KINDS.setdefault(request.param, {})
    return model_folder(tmp_path_factory.mktemp(request.param), request.param, **KINDS_OF_EXPERTS[request.param])


def params_for(folder: Path, text: Path, **changes: object) -> QuantizationParams:
    given = {"model": str(folder), "text_file": str(text), "text_tokens": 512, "compare": "int8", "kernels": False}
    return QuantizationParams.parse({**given, **changes})


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(WORDS)
    return tmp_path / "text.txt"


def test_that_each_expert_is_quantized_alone_and_routers_are_not(folder: Path) -> None:
    model = open_folder(folder, field="model").model
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    weights = quantizable_weights(model)
    with quantized(weights, FormatId.NF4, 64, 16, lambda *_: None):
        changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
        fused = {name: weight.clone() for name, weight in weights.items() if weight.ndim == 3}
    assert len(fused) == 2 * LAYERS  # gate and up in one, down
    assert all(len(weight) == EXPERTS for weight in fused.values())
    assert set(fused) <= changed
    assert not any(
        "norm" in name or "embed" in name or "lm_head" in name or name.endswith("gate.weight") for name in changed
    )
    for name, weight in fused.items():
        for expert in range(EXPERTS):
            alone = restored_weights(before[name][expert].numpy().ravel(), FormatId.NF4, 64, 16)
            torch.testing.assert_close(weight[expert].ravel(), torch.from_numpy(alone), rtol=1e-5, atol=1e-7)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_that_the_perplexity_of_a_mixture_is_measured_in_four_bits(
    folder: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases: list[str] = []
    losses = outputs.folder_losses(params_for(folder, text), lambda done, total, what: phases.append(str(what)))
    reference, nf4, int8 = losses.outputs
    assert (reference.quantized_experts, nf4.quantized_experts) == (0, 2 * LAYERS * EXPERTS)
    assert nf4.quantized_layers == 4 * LAYERS  # the projections of attention
    assert nf4.perplexity is not None
    assert reference.perplexity is not None
    assert abs(nf4.loss_increase) > abs(int8.loss_increase) > 0
    note = str(outputs.output_metrics([nf4])["folder.nf4.perplexity"].note)
    assert "8 linear layers and 16 matrices of experts quantized" in note
    assert phases[0] == str(folder_time(params_for(folder, text)))


def test_that_the_time_is_said_before_the_run(folder: Path, text: Path) -> None:
    params = params_for(folder, text)
    (remark,) = plan(params).remarks
    assert remark.text == folder_time(params)
    assert "read 512 tokens 3 times takes about" in str(remark.text)
    stored, active = (int(number.replace(",", "")) for number in _numbers(str(remark.text)))
    model = open_folder(folder, field="model").model
    assert stored == sum(weight.numel() for weight in model.parameters())
    fused = sum(weight.numel() for weight in quantizable_weights(model).values() if weight.ndim == 3)
    assert active == stored - fused // 2  # two of four experts
    assert not plan(params_for(folder, text, outputs=False)).remarks
    assert not folder_time(params_for(folder / "none", text))


def _numbers(text: str) -> tuple[str, str]:
    words = text.split()
    return words[words.index("parameters,") - 1], words[words.index("passes") + 1].rstrip(".")


def test_that_the_topic_prints_the_time_with_a_run(folder: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = params_for(folder, text)
    monkeypatch.setattr(samples, "_CONTROL_ELEMENTS", 1 << 10)
    result = TOPIC.result(params=params)
    assert str(folder_time(params)) in [message["text"] for message in as_document(result, [])["messages"]]
