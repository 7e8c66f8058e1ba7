"""Model folders made to stop or to exhaust whoever opens them: refused at once, in one sentence, by every topic."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from types import SimpleNamespace

import pytest

from core.contracts.errors import InvalidParams
from core.contracts.registry import topic
from core.language_model import folder as folder_module
from core.language_model import folder_files
from core.language_model.folder import open_folder
from core.language_model.folder_config import MAX_LAYERS, MAX_WIDTH, least_parameters, size_problem
from core.language_model.small_model import SmallModel

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 2.0
Harm = Callable[[Path], object]


def sizes(**changes: object) -> Harm:
    def harm(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return harm


def replaced(name: str, put: Callable[[Path], object]) -> Harm:
    def harm(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        put(folder / name)

    return harm


def fifo(name: str) -> Harm:
    return replaced(name, os.mkfifo)


def device(name: str) -> Harm:
    return replaced(name, lambda path: path.symlink_to("/dev/zero"))


def sparse(name: str, size: int) -> Harm:
    def put(path: Path) -> None:
        path.touch()
        os.truncate(path, size)

    return replaced(name, put)


def index(names: int) -> Harm:
    def harm(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        shards = {f"t{number}": "model-1.safetensors" for number in range(names)}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))

    return harm


def without_weights(harm: Harm) -> Harm:
    def both(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        harm(folder)

    return both


HARMS: dict[str, tuple[Harm, str]] = {
    "a pipe as configuration": (fifo("config.json"), "config.json .it is not a regular file"),
    "a pipe as weights": (fifo("model.safetensors"), "model.safetensors .it is not a regular file"),
    "a pipe as index": (without_weights(fifo("model.safetensors.index.json")), "index.json .it is not a regular file"),
    "a pipe as tokenizer": (fifo("tokenizer.json"), "tokenizer.json .it is not a regular file"),
    "a pipe as what only a library opens": (fifo("generation_config.json"), "it is not a regular file"),
    "a device as configuration": (device("config.json"), "config.json .it is not a regular file"),
    "a device as weights": (device("model.safetensors"), "model.safetensors .it is not a regular file"),
    "a device as index": (
        without_weights(device("model.safetensors.index.json")),
        "index.json .it is not a regular file",
    ),
    "a device as tokenizer": (device("tokenizer.json"), "tokenizer.json .it is not a regular file"),
    "a terabyte of configuration": (sparse("config.json", 1 << 40), "far too large"),
    "a terabyte of tokenizer": (sparse("tokenizer.json", 1 << 40), "far too large"),
    "a terabyte of weights": (sparse("model.safetensors", 1 << 40), "truncated or damaged weights"),
    "an index of 300,000 tensors": (index(300_000), "far too large"),
    "a nested configuration": (replaced("config.json", lambda path: path.write_text('{"a":' * 100_000)), "is not JSON"),
    "a number of 10,000 digits": (
        replaced("config.json", lambda path: path.write_text('{"hidden_size":' + "9" * 10_000 + "}")),
        "is not JSON",
    ),
    "a million layers": (sizes(num_hidden_layers=1_000_000), "num_hidden_layers = 1000000, and it must be"),
    "a width that is no whole number": (sizes(hidden_size=1e9), r"hidden_size = 1000000000\.0, and it must be"),
    "a width of 1e9": (sizes(hidden_size=10**9), "hidden_size = 1000000000, and it must be"),
    "a width of 4,000 digits": (sizes(hidden_size=10**4000), "hidden_size = 1000"),
    "a negative width": (sizes(hidden_size=-128), "hidden_size = -128"),
    "no layers": (sizes(num_hidden_layers=0), "num_hidden_layers = 0"),
    "true layers": (sizes(num_hidden_layers=True), "num_hidden_layers = True"),
    "text as width": (sizes(hidden_size="x" * 10_000), "hidden_size = 'xxx"),
    "a list as width": (sizes(hidden_size=[[128]]), "hidden_size = a list or an object"),
    "an object as vocabulary": (sizes(vocab_size={"a": {}}), "vocab_size = a list or an object"),
    "nested widths": (sizes(intermediate_size=[[[1]]]), "intermediate_size = a list or an object"),
    "infinite heads": (sizes(num_attention_heads=float("inf")), "num_attention_heads = inf"),
    "a huge part": (sizes(text_config={"num_hidden_layers": 10**6}), "num_hidden_layers = 1000000"),
    "more than the memory": (sizes(hidden_size=MAX_WIDTH, num_hidden_layers=MAX_LAYERS), "of memory are free"),
    "more than its weights": (sizes(hidden_size=4096), "but its weights hold"),
}


@pytest.fixture
def folder(trained: SmallModel, tmp_path: Path) -> Path:
    assert trained.folder is not None
    return Path(shutil.copytree(trained.folder, tmp_path / "mine"))


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("a text")
    return path


@pytest.mark.parametrize("name", ["lora", "fine-tuning", "quantization"])
@pytest.mark.parametrize("case", HARMS)
def test_that_a_hostile_folder_is_refused_before_the_run(case: str, name: str, folder: Path, text_file: Path) -> None:
    harm, sentence = HARMS[case]
    harm(folder)
    values = {"model": str(folder)} | ({"text_file": str(text_file)} if name == "quantization" else {})
    params = topic(name).params.parse(values)

    start = process_time()
    with pytest.raises(InvalidParams, match=sentence) as refusal:
        topic(name).check(params)
    topic(name).plan(params)

    assert process_time() - start < LIMIT_S
    assert refusal.value.field == "model"
    assert "\n" not in refusal.value.sentence
    assert len(refusal.value.sentence) < 400 + len(str(folder))


@pytest.mark.parametrize("case", HARMS)
def test_that_a_run_refuses_a_hostile_folder_as_the_check_does(case: str, folder: Path) -> None:
    harm, sentence = HARMS[case]
    harm(folder)
    with pytest.raises(InvalidParams, match=sentence):
        open_folder(folder, field="model")


@pytest.mark.parametrize("name", ["lora", "fine-tuning", "quantization"])
def test_that_a_whole_folder_passes(name: str, folder: Path, text_file: Path) -> None:
    values = {"model": str(folder)} | ({"text_file": str(text_file)} if name == "quantization" else {})
    topic(name).check(topic(name).params.parse(values))


def test_that_a_folder_of_the_users_layout_passes(folder: Path) -> None:
    """Subfolders, links to files elsewhere (as caches have them) and links to nothing do no harm."""
    (folder / "runs").mkdir()
    (folder / "gone").symlink_to(folder / "nowhere")
    shutil.move(folder / "config.json", folder.parent / "blob")
    (folder / "config.json").symlink_to(folder.parent / "blob")
    assert folder_files.inspect(folder).parameters > 0


@pytest.mark.parametrize("harm", [fifo("text.txt"), device("text.txt")])
def test_that_a_text_that_never_ends_is_refused(harm: Harm, folder: Path, text_file: Path) -> None:
    harm(text_file.parent)
    params = topic("quantization").params.parse({"model": str(folder), "text_file": str(text_file)})
    with pytest.raises(InvalidParams, match="it is not a regular file") as refusal:
        topic("quantization").check(params)
    assert refusal.value.field == "text_file"


def test_that_sizes_left_to_the_library_are_counted_before_anything_is_allocated(
    folder: Path, trained: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Llama's configuration without sizes describes 7 billion parameters."""
    (folder / "config.json").write_text('{"model_type": "llama"}')
    free = SimpleNamespace(available_memory_bytes=100 * trained.parameters)
    monkeypatch.setattr(folder_files, "host_facts", lambda: free)
    monkeypatch.setattr(folder_module, "_model", lambda files: pytest.fail("the model was built"))
    with pytest.raises(InvalidParams, match="of memory are free"):
        open_folder(folder)


def test_that_the_copies_of_a_run_are_counted_before_the_run(
    folder: Path, trained: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(available_memory_bytes=int(1.5 * 4 * trained.parameters))
    for module in ("folder_files", "memory_check"):
        monkeypatch.setattr(f"core.language_model.{module}.host_facts", lambda: free)
    for name, field in (("lora", "compare_full"), ("fine-tuning", "methods")):
        with pytest.raises(InvalidParams, match=r"Training . copies") as refusal:
            topic(name).check(topic(name).params.parse({"model": str(folder)}))
        assert refusal.value.field == field


def test_that_the_check_imports_no_library(folder: Path, text_file: Path) -> None:
    script = f"""
import sys
from core.contracts.registry import topic
for name, more in (("lora", {{}}), ("fine-tuning", {{}}), ("quantization", {{"text_file": {str(text_file)!r}}})):
    topic(name).check(topic(name).params.parse({{"model": {str(folder)!r}, **more}}))
sys.exit(bool({{"torch", "transformers", "safetensors"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60).returncode == 0


def test_that_public_sizes_are_possible() -> None:
    """The largest of their kind: Llama 3.1 405B, DeepSeek V3, Gemma 3n with one width per layer, GPT-2 and OPT."""
    llama = {"num_hidden_layers": 126, "hidden_size": 16384, "intermediate_size": 53248, "vocab_size": 128256,
             "num_attention_heads": 128, "num_key_value_heads": 8, "max_position_embeddings": 131072}  # fmt: skip
    deepseek = {"num_hidden_layers": 61, "hidden_size": 7168, "moe_intermediate_size": 2048, "n_routed_experts": 256,
                "q_lora_rank": 1536, "kv_lora_rank": 512, "vocab_size": 129280}  # fmt: skip
    gemma = {"text_config": {"intermediate_size": [16384] * 30, "hidden_size": 2048, "num_hidden_layers": 30}}
    gpt2 = {"n_layer": 48, "n_embd": 1600, "n_inner": None, "n_head": 25, "n_positions": 1024, "vocab_size": 50257}
    opt = {"num_hidden_layers": 24, "hidden_size": 1024, "word_embed_proj_dim": 512, "vocab_size": 50272}
    totals = {"llama": (llama, 405.9e9), "deepseek": (deepseek, 671e9), "gemma": (gemma, 8e9), "gpt2": (gpt2, 1.56e9),
              "opt": (opt, 0.331e9)}  # fmt: skip
    for config, parameters in totals.values():
        assert size_problem(config) is None
        assert 0 < least_parameters(config) < parameters
