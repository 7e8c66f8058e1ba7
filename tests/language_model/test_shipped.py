"""The small model in resources/models: what it was trained with, its loss, and when it is not used."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoint.header import read_header
from core.contracts.errors import TilescopeError
from core.language_model import shipped, text, world
from core.language_model import small_model as small_model_module
from core.language_model.cache import Cache, is_whole
from core.language_model.evaluation import windows_loss
from core.language_model.model_config import STANDARD, TINY, ModelConfig
from core.language_model.pretrain import pretrain
from core.language_model.ship import HELD_OUT_DOCUMENTS, held_out_loss, ship
from core.language_model.shipped import FOLDER, data_hash, origin, record, shipped_folder
from core.language_model.small_model import SmallModel, small_model
from core.language_model.text import TRAINING_TEXTS, documents
from core.language_model.tokenizer import train_tokenizer
from core.language_model.torch_state import torch_threads
from core.language_model.windows import held_out_windows
from core.language_model.world import build_world

MAX_BYTES = 3_000_000
ROUNDING = 2e-6
"""Nats per token. Other threads, batches, attention kernels or CPU instructions changed the loss by less than 2e-7."""


def untrained(*_: object) -> None:
    raise AssertionError("nothing was to be trained")


@pytest.fixture
def standard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SmallModel:
    """The standard model, with an empty cache."""
    monkeypatch.setattr(small_model_module, "pretrain", untrained)
    model = small_model(STANDARD, cache=Cache(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
    return model


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the folder that comes with the program."""
    return Path(shutil.copytree(FOLDER, tmp_path / "copy"))


def test_that_the_standard_model_is_there_without_training(standard: SmallModel) -> None:
    assert standard.from_cache
    assert str(standard.notice) == ""
    assert standard.folder == FOLDER
    assert standard.world == build_world()
    assert len(standard.losses) == STANDARD.steps
    assert standard.parameters == record()["parameters"]
    assert all(
        weight.dtype == torch.float32 and torch.equal(weight, weight.bfloat16().float())
        for weight in standard.model.parameters()
    )


def test_that_the_shipped_weights_have_the_recorded_loss(standard: SmallModel) -> None:
    assert standard.world is not None
    held_out = record()["held_out"]
    measured = held_out_loss(standard.model, standard.tokenizer, standard.world)
    assert held_out["documents"] == HELD_OUT_DOCUMENTS
    assert measured.tokens == held_out["tokens"]
    assert measured.loss == pytest.approx(held_out["loss_bfloat16"], abs=ROUNDING)
    with torch.no_grad():  # what the tolerance tells apart: one matrix of 28, changed by a hundredth
        standard.model.model.layers[0].self_attn.q_proj.weight.mul_(1.01)
    changed = held_out_loss(standard.model, standard.tokenizer, standard.world)
    assert abs(changed.loss - measured.loss) > 2 * ROUNDING


def test_that_rounding_the_weights_costs_next_to_nothing() -> None:
    held_out = record()["held_out"]
    difference = abs(held_out["loss_bfloat16"] - held_out["loss_float32"])
    assert 2 * ROUNDING < difference < 2e-3
    assert record()["losses"][0] == pytest.approx(np.log(STANDARD.vocabulary), rel=0.05)


def test_that_transformers_opens_the_folder_and_computes_the_same(standard: SmallModel) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    theirs = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER, local_files_only=True)
    prompt = next(documents(build_world(), TRAINING_TEXTS))
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert ids == standard.tokenizer(prompt, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        ours, expected = (model(input_ids=torch.tensor([ids])).logits for model in (standard.model, theirs))
    torch.testing.assert_close(ours, expected)


def test_that_the_weights_are_small_and_in_bfloat16() -> None:
    tensors = read_header(FOLDER / "model.safetensors")
    assert {tensor.dtype for tensor in tensors} == {"BF16"}
    assert sum(tensor.elements for tensor in tensors) == record()["parameters"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MAX_BYTES


def test_that_the_record_says_what_reproduces_the_model() -> None:
    facts = record()
    assert facts["command"] == "python -m core.language_model.ship"
    assert {"python", "torch", "transformers", "tokenizers", "numpy"} <= set(facts["versions"])
    assert facts["recipe"]["seed"] == STANDARD.seed
    assert facts["threads"] == 1


def test_that_the_texts_and_the_tokens_are_those_of_the_training(standard: SmallModel) -> None:
    assert origin(STANDARD) == {name: record()[name] for name in ("recipe", "code_version", "data_sha256")}
    tokenizer = train_tokenizer(islice(documents(build_world(), TRAINING_TEXTS), 4000), STANDARD.vocabulary)
    assert tokenizer.get_vocab() == standard.tokenizer.get_vocab()


def test_that_a_change_of_the_texts_changes_their_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = [data_hash(build_world()), data_hash(build_world(seed=1)), data_hash(build_world(people=66))]
    with monkeypatch.context() as patch:
        patch.setattr(world, "UNSTATED_SHARE", 0.07)
        hashes.append(data_hash(build_world()))
    with monkeypatch.context() as patch:
        patch.setattr(text, "CARDS_SHARE", 0.26)
        hashes.append(data_hash(build_world()))
    assert len(set(hashes)) == 5
    assert data_hash(build_world()) == hashes[0]


@pytest.mark.parametrize("name", [field.name for field in fields(ModelConfig)])
def test_that_no_other_configuration_gets_the_shipped_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factor = 2.0 if name == "learning_rate" else 2
    config = replace(STANDARD, **{name: getattr(STANDARD, name) * factor or 1})
    assert config != STANDARD
    assert shipped_folder(config) is None
    monkeypatch.setattr(small_model_module, "pretrain", untrained)
    with pytest.raises(AssertionError, match="trained"):
        small_model(config, cache=Cache(tmp_path))


@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "config.json", "training.json", "digests.json"]
)
def test_that_a_damaged_file_is_one_sentence(copy: Path, name: str, damage: str) -> None:
    assert shipped_folder(STANDARD, copy) == copy
    contents = (copy / name).read_bytes()
    if damage == "missing":
        (copy / name).unlink()
    else:
        half = len(contents) // 2
        changed = bytes([contents[half] ^ 1]) + contents[half + 1 :] if damage == "altered" else b""
        (copy / name).write_bytes(contents[:half] + changed)
    with pytest.raises(TilescopeError, match=r"missing or damaged.*restore the folder .*copy\.$"):
        shipped_folder(STANDARD, copy)


@pytest.mark.parametrize(("module", "name"), [(shipped, "CODE_VERSION"), (text, "_PRONOUN_SHARE")])
def test_that_weights_of_other_code_or_other_texts_are_not_used(
    module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, 0.5)
    with pytest.raises(TilescopeError, match=r"other code or on other texts.*replace it with python -m .*ship\.$"):
        shipped_folder(STANDARD)


def test_that_without_the_shipped_model_one_is_trained_and_cached_and_every_run_says_so(
    trained: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "STANDARD", TINY)
    monkeypatch.setattr(small_model_module, "shipped_folder", partial(shipped_folder, folder=tmp_path / "gone"))
    trainings: list[ModelConfig] = []
    monkeypatch.setattr(small_model_module, "pretrain", lambda config, _: trainings.append(config) or trained)

    first, second = (small_model(TINY, cache=Cache(tmp_path / "cache")) for _ in range(2))

    assert trainings == [TINY]
    assert (first.from_cache, second.from_cache) == (False, True)
    assert "one trained on this machine is used instead" in str(first.notice)
    assert first.notice == second.notice


def test_that_what_is_shipped_is_the_trained_model_rounded_and_its_own_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "left over").touch()
    facts = ship(folder, TINY)
    monkeypatch.setattr(shipped, "STANDARD", TINY)
    monkeypatch.setattr(small_model_module, "shipped_folder", partial(shipped_folder, folder=folder))
    with monkeypatch.context() as patch:
        patch.setattr(small_model_module, "pretrain", untrained)
        model = small_model(TINY, cache=Cache(tmp_path / "cache"))

    assert is_whole(folder)
    assert facts == {name: record(folder)[name] for name in facts}
    expected = pretrain(TINY, threads=1)
    weights = model.model.state_dict()
    for name, weight in expected.model.state_dict().items():
        assert torch.equal(weights[name], weight.bfloat16().float())
    assert model.losses.tolist() == expected.losses.tolist()
    windows = held_out_windows(expected.world, expected.tokenizer, HELD_OUT_DOCUMENTS)
    with torch_threads(1):
        losses = [windows_loss(each, windows).loss for each in (expected.model, model.model)]
    assert losses == [facts["held_out"]["loss_float32"], facts["held_out"]["loss_bfloat16"]]
