"""Shapes of a checkpoint's tensors through the quantization experiment: metrics, tables and messages agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.format import quantity
from core.topics.quantization.details import details
from core.topics.quantization.experiment import samples
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import QuantizationResult
from tests.checkpoint.gguf_writing import normal_weights
from tests.same_result import same
from tests.topics.quantization_runs import finished, messages

UP, EXPERTS = "model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.experts.down_proj"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(samples, "_CONTROL_ELEMENTS", 1 << 12)


def run_on(folder: Path, weights: dict[str, np.ndarray]) -> QuantizationResult:
    save_file({name: torch.from_numpy(values.copy()) for name, values in weights.items()}, folder / "a.safetensors")
    params = {"checkpoint": str(folder / "a.safetensors"), "outputs": False, "kernels": False}
    return finished(QuantizationParams.parse(params))[0]


def test_that_straddling_outliers_and_experts_agree_everywhere(tmp_path: Path) -> None:
    up, experts = normal_weights(64, 128), normal_weights(3, 40, 100, seed=1)
    up[:, 5] *= 30
    result = run_on(tmp_path, {UP: up, EXPERTS: experts, "model.norm.weight": np.ones(100, np.float32)})
    shapes = {row.tensor: row for row in result.shapes}
    assert set(shapes) == {UP, EXPERTS, "model.norm.weight"}
    of_experts = shapes[EXPERTS]
    assert result.value("shapes.straddling_blocks") == of_experts.blocks_over_rows > 0
    assert result.value("shapes.straddling_expert_blocks") == of_experts.blocks_over_experts == 1
    assert result.value("shapes.straddling_snr_db") == pytest.approx(of_experts.snr_db)
    assert result.value("shapes.aligned_snr_db") == pytest.approx(of_experts.aligned_snr_db)
    assert result.value("shapes.outlier_power") == shapes[UP].outlier_power > 500
    assert result.value("experts.count") == len(result.experts) == 3
    assert result.value("experts.worst_snr_db") == min(row.snr_db for row in result.experts)
    straddling, outlier, worst = (
        next(text for text in messages(result) if word in text)
        for word in ("hold weights of two rows", "is an outlier channel", "is the worst in NF4")
    )
    assert (
        f"{of_experts.blocks_over_rows} blocks hold weights of two rows, 1 of them of two experts ({EXPERTS}"
        in straddling
    )
    assert f"their SNR is {quantity(of_experts.snr_db, 'dB', 4)}" in straddling
    assert f"Column 5 of {UP}" in outlier
    assert f"{quantity(result.value('experts.worst_snr_db'), 'dB')} against" in worst
    shown = details(result)
    assert [row["snr_db"] for row in shown["shapes"]] == [row.snr_db for row in result.shapes]
    assert [row["snr_db"] for row in shown["experts"]] == [row.snr_db for row in result.experts]
    assert same(QuantizationResult.from_bytes(result.to_bytes()), result)


def test_that_tied_embeddings_are_said(tmp_path: Path) -> None:
    embedding = normal_weights(32, 64)
    alone = run_on(tmp_path, {"model.embed_tokens.weight": embedding, UP: normal_weights(64, 64, seed=1)})
    assert any("is the only embedding: if the model has an output head, it is tied" in text for text in messages(alone))
    both = {"model.embed_tokens.weight": embedding, "lm_head.weight": embedding, UP: normal_weights(64, 64, seed=1)}
    assert any("they are tied and stored twice" in text for text in messages(run_on(tmp_path, both)))
    other = {**both, "lm_head.weight": normal_weights(32, 64, seed=2)}
    assert not any("tied" in text for text in messages(run_on(tmp_path, other)))


def test_that_tensors_of_whole_blocks_say_nothing_of_straddling(tmp_path: Path) -> None:
    result = run_on(tmp_path, {UP: normal_weights(64, 128)})
    assert result.value("shapes.straddling_blocks") == 0
    assert "shapes.straddling_snr_db" not in result.metrics
    assert not any("two rows" in text or "outlier" in text for text in messages(result))
