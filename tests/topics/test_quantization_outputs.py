"""What formats do to a model's loss: the small model (tiny here) and a user's folder."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.checkpoint.coding import restored_weights
from core.contracts.errors import InvalidParams, MissingRequirement
from core.language_model.cache import Cache
from core.language_model.evaluation import TextLoss, windows_loss
from core.language_model.model import linear_names
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel, small_model
from core.topics.quantization import TOPIC
from core.topics.quantization.experiment import outputs, samples
from core.topics.quantization.experiment.restoring import quantizable_weights, quantized, restore_in_place
from core.topics.quantization.params import QuantizationParams
from kernels.quantization.formats import FORMATS, FormatId
from tests.topics.quantization_runs import finished, messages

QUICK = {"compare": "int4", "kernels": False, "blocks": 8}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def trained(cache: Path) -> SmallModel:
    return small_model(TINY, cache=Cache(cache / "cache" / "language-models"))


@pytest.fixture(autouse=True)
def tiny_instead(cache: Path, trained: SmallModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(cache))
    monkeypatch.setattr(outputs, "STANDARD", TINY)
    monkeypatch.setattr(outputs, "SMALL_TOKENS", 640)
    monkeypatch.setattr(samples, "_CONTROL_ELEMENTS", 1 << 12)


@pytest.fixture
def folder(trained: SmallModel, tmp_path: Path) -> Path:
    assert trained.folder is not None
    return Path(shutil.copytree(trained.folder, tmp_path / "mine"))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("Harry Potter was educated at Hogwarts, and so was everybody else. " * 60)
    return path


def report(done: int, total: int) -> None:
    assert 0 <= done < total


@pytest.mark.parametrize("format_id", FORMATS)
@pytest.mark.parametrize("nested", [0, 16])
def test_that_weights_restored_in_pieces_are_those_of_the_whole(
    format_id: FormatId, nested: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.topics.quantization.experiment.restoring._PIECE_ELEMENTS", 256)
    weights = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    weights[64:96] = 0
    expected = restored_weights(weights, format_id, 32, nested)
    restore_in_place(weights, format_id, 32, nested)
    np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-7)


def test_that_a_model_has_its_own_weights_again_to_the_bit_whatever_happens(trained: SmallModel) -> None:
    names = linear_names(trained.model)
    before = {name: weight.clone() for name, weight in trained.model.state_dict().items()}

    def interrupted() -> None:
        with quantized(quantizable_weights(trained.model), FormatId.NF4, 64, 256, report):
            after = trained.model.state_dict()
            assert [name for name in after if not torch.equal(after[name], before[name])] == [
                f"{name}.weight" for name in names
            ]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(torch.equal(weight, before[name]) for name, weight in trained.model.state_dict().items())


def test_that_the_small_model_is_measured_as_it_is_and_in_each_format() -> None:
    result, _ = finished(QuantizationParams.parse(QUICK))
    rows = {row.format: row for row in result.outputs}
    assert list(rows) == ["", "nf4", "int4"]
    for row in rows.values():
        assert row.model == "small model"
        assert row.perplexity == pytest.approx(math.exp(row.loss))
        assert row.loss_increase == pytest.approx(row.loss - rows[""].loss)
        assert row.loss_stderr > 0
    assert (rows[""].increase_stderr, rows[""].quantized_layers, rows[""].bits_per_parameter) == (0, 0, 32)
    assert rows["nf4"].quantized_layers == 2 * 7
    assert (rows["nf4"].tokens, rows["nf4"].vocabulary) == (640, TINY.vocabulary)
    assert 0 < rows["nf4"].increase_stderr < rows["nf4"].loss_stderr
    pairs = {(row.format, row.other): row for row in result.output_pairs}
    assert set(pairs) == {("", "nf4"), ("", "int4"), ("nf4", "int4")}
    assert pairs["nf4", "int4"].loss_difference == pytest.approx(rows["nf4"].loss - rows["int4"].loss)
    assert pairs["", "nf4"].stderr == pytest.approx(rows["nf4"].increase_stderr)
    assert result.value("outputs.reference.loss") == rows[""].loss
    assert result.value("outputs.nf4.loss") == rows["nf4"].loss
    assert "standard error" in str(result.metrics["outputs.nf4.loss"].note)


def test_that_a_users_folder_has_its_perplexity_on_their_text(folder: Path, text: Path, trained: SmallModel) -> None:
    params = QuantizationParams.parse({**QUICK, "model": str(folder), "text_file": str(text), "text_tokens": 600})
    result, _ = finished(params)
    rows = [row for row in result.outputs if row.model == "mine"]
    assert [row.format for row in rows] == ["", "nf4", "int4"]
    assert [row.tokens for row in rows] == [599] * 3
    assert result.value("folder.nf4.perplexity") == rows[1].perplexity
    assert result.value("folder.reference.perplexity") == pytest.approx(math.exp(rows[0].loss))
    tokens = [
        trained.tokenizer.bos_token_id,
        *trained.tokenizer(text.read_text(), add_special_tokens=False)["input_ids"],
    ]
    windows = [torch.tensor(tokens[begin : min(begin + 128, 600)]) for begin in range(0, 599, 127)]
    assert windows_loss(trained.model, windows).loss == pytest.approx(rows[0].loss, abs=1e-5)


def test_that_what_is_wrong_with_a_folder_is_refused_before_the_run_or_reported_after_it(
    folder: Path, text: Path, tmp_path: Path
) -> None:
    for changes, field, sentence in (
        ({"model": str(tmp_path / "none")}, "model", "none does not exist"),
        ({"model": str(folder)}, "text_file", "needs a text"),
        ({"model": str(folder), "text_file": str(tmp_path / "none.txt")}, "text_file", "There is no file"),
    ):
        with pytest.raises(InvalidParams, match=sentence) as refused:
            TOPIC.check(QuantizationParams.parse({**QUICK, **changes}))
        assert refused.value.field == field
    (folder / "tokenizer.json").write_text("{")  # only the library reads it
    params = QuantizationParams.parse({**QUICK, "model": str(folder), "text_file": str(text)})
    result, _ = finished(params)
    assert any("a tokenizer that transformers could not load" in message for message in messages(result))
    assert [row.format for row in result.outputs] == ["", "nf4", "int4"]
    (folder / "config.json").write_text("{")
    with pytest.raises(InvalidParams, match=r"config\.json that is not JSON"):
        TOPIC.check(params)


def test_that_a_model_that_gives_no_numbers_leaves_none(folder: Path, text: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"].fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    params = QuantizationParams.parse({**QUICK, "compare": "", "model": str(folder), "text_file": str(text)})
    result, _ = finished(params)
    rows = [row for row in result.outputs if row.model == "mine"]
    assert all(row.loss is None and row.perplexity is None for row in rows)


def test_that_the_memory_needed_beside_a_model_is_checked_first(
    folder: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Little:
        available_memory_bytes = 1000

    monkeypatch.setattr(outputs, "host_facts", Little)
    params = QuantizationParams.parse({**QUICK, "model": str(folder), "text_file": str(text)})
    result, _ = finished(params)
    assert any("are free: use a smaller model" in message for message in messages(result))


def test_that_the_standard_error_is_what_other_texts_would_scatter_by() -> None:
    rng = np.random.default_rng(0)
    tokens = np.full(200, 64.0)
    means, errors = [], []
    for _ in range(200):
        hard = rng.normal(2.0, 0.5, 200) * tokens
        first = TextLoss(hard.sum() / tokens.sum(), 12800, hard, tokens)
        second = TextLoss(0, 12800, hard + rng.normal(0.01, 0.02, 200) * tokens, tokens)
        second = TextLoss(second.window_sums.sum() / tokens.sum(), 12800, second.window_sums, tokens)
        difference, error = second.minus(first)
        means.append((first.loss, difference))
        errors.append((first.standard_error, error))
    np.testing.assert_allclose(np.std(means, axis=0), np.mean(errors, axis=0), rtol=0.15)
    with pytest.raises(ValueError, match="different windows"):
        first.minus(TextLoss(1.0, 2, np.array([2.0]), np.array([2.0])))
    assert math.isnan(TextLoss(1.0, 2, np.array([2.0]), np.array([2.0])).standard_error)


def test_that_a_small_model_that_cannot_be_had_costs_a_sentence_and_not_the_run(
    folder: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*args: object) -> SmallModel:
        raise MissingRequirement("There is no room to train the small model: free some.")

    monkeypatch.setattr(outputs, "small_model", unavailable)
    result, _ = finished(QuantizationParams.parse({**QUICK, "model": str(folder), "text_file": str(text)}))
    assert "There is no room to train the small model: free some." in messages(result)
    assert {row.model for row in result.outputs} == {"mine"}
    assert "nf4.snr_db" in result.metrics
