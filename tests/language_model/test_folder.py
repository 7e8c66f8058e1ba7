from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.contracts.errors import InvalidParams
from core.language_model import folder_files
from core.language_model.data import prompt_ids
from core.language_model.folder import open_folder
from core.language_model.generation import generate
from core.language_model.small_model import SmallModel

Spoil = Callable[[Path], object]


@pytest.fixture
def folder(trained: SmallModel, tmp_path: Path) -> Path:
    """A valid model folder."""
    assert trained.folder is not None
    return Path(shutil.copytree(trained.folder, tmp_path / "mine"))


def with_config(**changes: object) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return spoil


def write(name: str, contents: str) -> Spoil:
    return lambda folder: (folder / name).write_text(contents)


def remove(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def into_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def into_shards(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, part in parts.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()


def without_a_shard(folder: Path) -> None:
    into_shards(folder)
    (folder / "model-2.safetensors").unlink()


def with_an_index(change: Callable[[dict[str, str]], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        into_shards(folder)
        path = folder / "model.safetensors.index.json"
        index = json.loads(path.read_text())
        change(index["weight_map"])
        path.write_text(json.dumps(index))

    return spoil


def without_a_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


SPOILED: dict[str, tuple[Spoil, str]] = {
    "no configuration": (remove("config.json"), "has no config.json"),
    "configuration not JSON": (write("config.json", "{"), "config.json that is not JSON"),
    "configuration a list": (write("config.json", "[]"), "not a JSON object"),
    "no weights": (remove("model.safetensors"), "has no weights"),
    "pickled": (into_pickle, r"pickled weights \(pytorch_model.bin\).*save_pretrained"),
    "truncated": (truncated, r"truncated or damaged weights \(model.safetensors\)"),
    "not safetensors": (write("model.safetensors", "hello"), "truncated or damaged"),
    "a shard absent": (without_a_shard, "lacks 1 of its 2 shards, such as model-2.safetensors"),
    "a shard outside": (with_an_index(lambda shards: shards.update(x="../x.safetensors")), "points outside the folder"),
    "a shard without a tensor": (
        with_an_index(lambda shards: shards.update(x="model-1.safetensors")),
        "lacks 1 tensor listed",
    ),
    "an index of nothing": (with_an_index(lambda shards: shards.clear()), "without a list of weights"),
    "a tensor absent": (
        without_a_tensor,
        r"lacks 1 weight of the model \(model.layers.1.mlp.up_proj.weight\)",
    ),
    "no tokenizer": (remove("tokenizer.json"), "has no tokenizer"),
    "tokenizer damaged": (write("tokenizer.json", "{}"), "tokenizer that transformers could not load"),
    "unknown architecture": (with_config(model_type="nothing-like-it"), "'nothing-like-it', which transformers"),
    "no architecture": (with_config(model_type=None), "architecture 'None'"),
    "code of its own": (with_config(model_type="own", auto_map={"AutoConfig": "a.B"}), "never runs"),
    "no causal model": (with_config(model_type="t5", architectures=["T5ForConditionalGeneration"]), "not a causal"),
    "quantized": (with_config(quantization_config={"quant_method": "gptq"}), "already quantized"),
    "other sizes": (with_config(intermediate_size=999), "could not load"),
    "impossible sizes": (with_config(num_attention_heads=0), "num_attention_heads = 0"),
    "adapter beside": (write("adapter_config.json", "{}"), "holds an adapter next to"),
}


def test_that_an_opened_folder_is_the_model_that_was_saved(folder: Path, trained: SmallModel) -> None:
    ticks: list[float] = []
    opened = open_folder(folder, lambda done, total, phase: ticks.append(done / total))

    assert (opened.world, opened.parameters, opened.folder) == (None, trained.parameters, folder)
    assert opened.name == "mine"
    assert not opened.model.training
    assert (ticks[0], ticks[-1]) == (0, 1)
    prompts = [prompt_ids(trained.tokenizer, "Ada Bolow, Home, Sizport")]
    assert generate(opened.model, opened.tokenizer, prompts) == generate(trained.model, trained.tokenizer, prompts)


def test_that_shards_are_opened_and_changed_files_have_another_hash(folder: Path, trained: SmallModel) -> None:
    before = open_folder(folder).content_hash
    into_shards(folder)
    opened = open_folder(str(folder))
    assert opened.content_hash != before
    weights = opened.model.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in trained.model.state_dict().items())


@pytest.mark.parametrize("case", SPOILED)
def test_that_what_is_wrong_with_a_folder_is_one_sentence(folder: Path, case: str) -> None:
    spoil, sentence = SPOILED[case]
    spoil(folder)

    with pytest.raises(InvalidParams, match=sentence) as refusal:
        open_folder(folder, field="model_folder")

    assert refusal.value.field == "model_folder"
    assert str(folder) in refusal.value.sentence
    assert "\n" not in refusal.value.sentence


def test_that_pickles_and_code_in_a_folder_are_never_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    code = f"open({str(mark)!r}, 'w')\nfrom transformers import LlamaConfig as Own\n"
    for name in ("modeling_own.py", "configuration_own.py", "__init__.py"):
        (folder / name).write_text(code)
    with_config(auto_map={"AutoConfig": "configuration_own.Own", "AutoModelForCausalLM": "modeling_own.Own"})(folder)
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")

    assert open_folder(folder).parameters > 0
    assert not mark.exists()


def test_that_a_file_or_nothing_in_place_of_a_folder_is_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParams, match="is a file: choose the folder"):
        open_folder(folder / "config.json")
    with pytest.raises(InvalidParams, match="nowhere does not exist"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(InvalidParams, match=r"does not exist|cannot be opened"):
        open_folder("x" * 5000)


def test_that_a_folder_without_permission_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.language_model.folder_files.os.access", lambda *_: False)
    with pytest.raises(InvalidParams, match="is not readable"):
        open_folder(folder)


def test_that_a_model_beyond_the_free_memory_is_refused_before_it_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trained: SmallModel
) -> None:
    class Host:
        available_memory_bytes = 4 * trained.parameters - 1

    monkeypatch.setattr(folder_files, "host_facts", Host)
    with pytest.raises(InvalidParams, match="of memory are free"):
        open_folder(folder)


def test_that_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][-1], "id": 5000, "content": "<far>"})
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(InvalidParams, match="a tokenizer with token id"):
        open_folder(folder)
