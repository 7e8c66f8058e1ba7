"""Hostile checkpoints and model folders: opened, and planned and checked by every page that reads one.

No file may be executed, waited for, or read beyond bounds that are checked first.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from core.checkpoint.opening import open_checkpoint
from core.contracts import registry
from core.contracts.errors import TilescopeError
from core.language_model.folder_files import inspect
from tests.robustness.attempt import Attempt, Fault, why_not_clear
from tests.robustness.damage import ODD, damaged, damaged_tree

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 16,
    "max_position_embeddings": 32,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}


class Bomb:
    """Creates a file if it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = str(marker)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self._marker, "w"))


def attempts(number: int, rng: Random, folder: Path) -> Attempt:
    """One way to be hostile, in turn."""
    build = _WAYS[number % len(_WAYS)]
    model = folder / "model"
    model.mkdir()
    marker = folder / "executed"
    path = build(rng, model, marker) or model

    def work() -> None:
        sentences = [_sentence(lambda: open_checkpoint(path)), _sentence(lambda: inspect(model))]
        for topic_id, values in (
            ("quantization", {"checkpoint": str(path)}),
            ("quantization", {"model": str(model), "outputs": True, "text_file": str(model / "config.json")}),
            ("lora", {"model": str(model)}),
            ("fine-tuning", {"model": str(model)}),
        ):
            topic = registry.topic(topic_id)
            params = topic.params.parse(values)
            sentences += [
                _sentence(lambda t=topic, p=params: t.plan(p)),
                _sentence(lambda t=topic, p=params: t.check(p)),
            ]
        if marker.exists():
            raise Fault("a file was executed")
        for problem in map(why_not_clear, filter(None, sentences)):
            if problem:
                raise Fault(problem)

    return Attempt(build.__name__.strip("_").replace("_", " "), work, limit_s=180.0)  # eleven readings of one file


def tensors(rng: Random | None = None) -> dict[str, tuple[str, list[int]]]:
    """The names, types and shapes of a small Llama."""
    layer = "model.layers.0."
    sides = {"self_attn.q_proj": [8, 8], "self_attn.k_proj": [8, 8], "mlp.up_proj": [16, 8], "mlp.down_proj": [8, 16]}
    shapes = {"model.embed_tokens.weight": [16, 8], "model.norm.weight": [8]}
    return {
        name: ("F32", shape)
        for name, shape in {**shapes, **{f"{layer}{kind}.weight": shape for kind, shape in sides.items()}}.items()
    }


def header_of(entries: dict[str, tuple[str, list[int]]]) -> tuple[dict[str, Any], bytes]:
    """The header of a valid file with these tensors, and its data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in entries.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    return header, bytes(range(256)) * (end // 256) + bytes(end % 256)


def encoded(header: Any, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8", "surrogatepass")
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def valid() -> bytes:
    return encoded(*header_of(tensors()))


def _complete(model: Path, without: str = "") -> None:
    """A folder in Hugging Face's layout, without one of its files."""
    files = {
        WEIGHTS: valid(),
        "config.json": json.dumps(CONFIG).encode(),
        "tokenizer.json": b'{"model": {"vocab": {}}}',
    }
    for name, data in files.items():
        if name != without:
            (model / name).write_bytes(data)


def _damaged_bytes(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    (model / WEIGHTS).write_bytes(damaged(valid(), rng))


def _damaged_header(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    header, data = header_of(tensors())
    (model / WEIGHTS).write_bytes(encoded(damaged_tree(header, rng), data))


def _length_of_the_header(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    header, data = header_of(tensors())
    length = rng.choice([0, 1, 2**20, 10**8, 10**8 + 1, 2**31, 2**63, 2**64 - 1, rng.randrange(2**64)])
    (model / WEIGHTS).write_bytes(encoded(header, data, length))


def _sparse_file(rng: Random, model: Path, marker: Path) -> None:
    """Hundreds of gigabytes as the file system tells it, nothing on the disk."""
    _complete(model)
    name = rng.choice([WEIGHTS, "config.json", "tokenizer.json", INDEX])
    with (model / name).open("r+b" if (model / name).exists() else "wb") as file:
        if name == WEIGHTS:
            file.write((99_999_999).to_bytes(8, "little"))
        file.truncate(rng.choice([2**33, 2**38, 2**40]))
    if name == INDEX:
        (model / WEIGHTS).unlink()


def _offsets(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    header, data = header_of(tensors())
    for name in rng.sample([name for name in header if name != "__metadata__"], 2):
        begin, end = header[name]["data_offsets"]
        step = rng.choice([-8, -1, 1, 4, 8, 2**20, 2**62])
        header[name]["data_offsets"] = rng.choice(
            [[begin + step, end + step], [end, begin], [begin, end + step], [begin]]
        )
    (model / WEIGHTS).write_bytes(encoded(header, data))


def _dimensions(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    count, side = rng.choice([65, 1_000, 300_000, 3_000_000]), rng.choice(["1", "2", "0", "9223372036854775807"])
    shape = ",".join([side] * count)
    (model / WEIGHTS).write_bytes(
        encoded(f'{{"w":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,4]}}}}'.encode(), bytes(4))
    )


def _tensors(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    count = rng.choice([10_000, 100_000, 201_000, 400_000, 1_500_000])
    entry = ':{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = "{" + ",".join(f'"t{index}"{entry}' for index in range(count)) + "}"
    (model / WEIGHTS).write_bytes(encoded(header.encode(), b""))


def _names(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    header, data = header_of(tensors())
    name = rng.choice(
        [
            "\x1b[2J\x1b[31m",
            "\x00",
            "",
            "a\nb",
            "\u202egnp.exe",
            "x" * 100_000,
            "\ud800",
            "../" * 50,
            "model.layers.99999999999999999999.q",
        ]
    )
    first = next(iter(tensors()))
    header[name] = header.pop(first)
    if rng.random() < 0.5:
        header[name]["shape"] = [1, 2, 3]
    (model / WEIGHTS).write_bytes(encoded(header, data))


def _dtypes(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    header, data = header_of(tensors())
    for name in header:
        if name != "__metadata__" and rng.random() < 0.5:
            header[name]["dtype"] = rng.choice(
                ["F64", "F8_E4M3", "C64", "BOOL", "U64", "F4", "F6_E2M3", "f32", "", "\x1b", "x" * 9_999]
            )
    (model / WEIGHTS).write_bytes(encoded(header, data))


def _deep_json(rng: Random, model: Path, marker: Path) -> Path:
    depth = rng.choice([500, 5_000, 100_000])
    text = rng.choice(["[", '{"a":']) * depth
    name = rng.choice([WEIGHTS, INDEX, "config.json"])
    _complete(model, WEIGHTS if name == INDEX else "")
    (model / name).write_bytes(encoded(text.encode(), b"") if name == WEIGHTS else text.encode())
    return model / name if name == INDEX else model


def _not_a_regular_file(rng: Random, model: Path, marker: Path) -> Path:
    """A pipe, a device, a socket, a folder or a loop of links, where a file should be."""
    name = rng.choice([WEIGHTS, WEIGHTS, INDEX, "config.json", "tokenizer.json", "model-00001-of-00001.safetensors"])
    _complete(model, WEIGHTS if "0" in name or name == INDEX else "")
    target = model / name
    target.unlink(missing_ok=True)
    if "0" in name:
        (model / INDEX).write_text(json.dumps({"weight_map": {"w": name}}))
    way = rng.choice(
        ["pipe", "pipe", "zero", "random", "full", "terminal", "socket", "folder", "loop", "dangling", "memory"]
    )
    if way == "pipe":
        os.mkfifo(target)
    elif way == "socket":
        with socket.socket(socket.AF_UNIX) as end, suppress(OSError):
            end.bind(str(target))
    elif way == "folder":
        target.mkdir()
    else:
        devices = {
            "zero": "/dev/zero",
            "random": "/dev/urandom",
            "full": "/dev/full",
            "terminal": "/dev/tty",
            "loop": name,
        }
        target.symlink_to({**devices, "dangling": "/nowhere", "memory": "/proc/self/mem"}[way])
    return rng.choice([target, model])


def _pickles(rng: Random, model: Path, marker: Path) -> Path:
    name = rng.choice(["pytorch_model.bin", "model.pt", "model.ckpt", WEIGHTS, INDEX, "config.json", "tokenizer.json"])
    _complete(model, WEIGHTS if name.endswith((".bin", ".pt", ".ckpt", ".index.json")) else "")
    (model / name).write_bytes(pickle.dumps(Bomb(marker), protocol=rng.randint(0, 5)))
    return rng.choice([model / name, model])


def _code(rng: Random, model: Path, marker: Path) -> None:
    """A folder that asks for its own code to be run."""
    _complete(model)
    (model / "modeling_evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    (model / "__init__.py").write_text(f"open({str(marker)!r}, 'w')\n")
    auto = {
        name: f"modeling_evil.{name}" for name in ("AutoConfig", "AutoModelForCausalLM", "AutoModel", "AutoTokenizer")
    }
    (model / "config.json").write_text(
        json.dumps({**CONFIG, "model_type": "evil", "auto_map": auto, "trust_remote_code": True})
    )


def _index(rng: Random, model: Path, marker: Path) -> Path:
    _complete(model, WEIGHTS)
    shard = "model-00001-of-00001.safetensors"
    (model / shard).write_bytes(valid())
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(tensors(), shard)}
    way = rng.randrange(5)
    if way == 0:
        index["weight_map"] = dict.fromkeys(
            tensors(),
            rng.choice(
                ["../x", "/etc/passwd", "/dev/zero", "a/b", "", ".", "..", "\x00", shard[:-1], "x" * 5_000, INDEX]
            ),
        )
    elif way == 1:
        index["weight_map"]["no such tensor"] = shard
    elif way == 2:
        count = rng.choice([100_000, 300_000, 1_500_000])
        text = ",".join(f'"{n}":"{shard if rng.random() < 1 else n}"' for n in range(count))
        (model / INDEX).write_text(f'{{"weight_map":{{{text}}}}}')
        return model
    elif way == 3:
        (model / INDEX).write_bytes(damaged(json.dumps(index).encode(), rng))
        return model / INDEX
    else:
        index = damaged_tree(index, rng)
    (model / INDEX).write_text(json.dumps(index))
    return rng.choice([model, model / INDEX])


def _shards(rng: Random, model: Path, marker: Path) -> None:
    """Many shards, or loose shards that hold the same tensors."""
    _complete(model, WEIGHTS)
    for number in range(rng.choice([2, 50, 1_000])):
        (model / f"model-{number:05}-of-99999.safetensors").write_bytes(
            valid() if number % 3 else damaged(valid(), rng)
        )


def _config(rng: Random, model: Path, marker: Path) -> None:
    """Sizes that no machine holds, or that are no sizes."""
    _complete(model)
    config: Any = dict(CONFIG)
    keys = [name for name, value in CONFIG.items() if type(value) is int]
    for key in rng.sample(keys, rng.randint(1, len(keys))):
        config[key] = rng.choice(
            [0, -1, 10**6, 10**12, 2**63, 10**400, 0.5, 1e308, "8", None, [], {}, True, float("nan")]
        )
    if rng.random() < 0.3:
        config = damaged_tree(config, rng)
    if rng.random() < 0.1:
        config["model_type"] = rng.choice(ODD)
    (model / "config.json").write_text(json.dumps(config))


def _large_json(rng: Random, model: Path, marker: Path) -> None:
    _complete(model)
    blanks = b" " * rng.choice([2**20, 2**24, 70 * 2**20])
    (model / rng.choice(["config.json", "tokenizer.json"])).write_bytes(json.dumps(CONFIG).encode() + blanks)


def _missing(rng: Random, model: Path, marker: Path) -> Path:
    """A file is missing, or the path itself is no path."""
    _complete(model, rng.choice([WEIGHTS, "config.json", "tokenizer.json"]))
    odd = [
        "nowhere",
        "a" * 300,
        "b/" * 1_000,
        "~nobody/x",
        "\x1b[2J",
        "x.safetensors",
        "..",
        ".",
        "/",
        "/proc/self/fd",
        "/dev",
    ]
    return rng.choice([model, model / rng.choice(odd)])


def _undecodable_names(rng: Random, model: Path, marker: Path) -> Path:
    _complete(model)
    name = (
        os.fsencode(model)
        + b"/"
        + rng.choice(
            [b"\xff\xfe.safetensors", b"model-\x80-of-2.safetensors", b"\x1b[31m.safetensors", b"a\nb.safetensors"]
        )
    )
    (model / WEIGHTS).unlink()
    with open(name, "wb") as file:
        file.write(valid())
    return rng.choice([model, Path(os.fsdecode(name))])


def _many_files(rng: Random, model: Path, marker: Path) -> None:
    _complete(model, rng.choice(["", WEIGHTS]))
    for number in range(2_000):
        (model / f"f{number}.{rng.choice(['json', 'txt', 'safetensors.tmp'])}").touch()


_WAYS: tuple[Callable[[Random, Path, Path], Path | None], ...] = (
    _damaged_bytes,
    _damaged_header,
    _length_of_the_header,
    _sparse_file,
    _offsets,
    _dimensions,
    _damaged_header,
    _names,
    _dtypes,
    _deep_json,
    _not_a_regular_file,
    _pickles,
    _not_a_regular_file,
    _code,
    _index,
    _shards,
    _config,
    _config,
    _large_json,
    _missing,
    _undecodable_names,
    _damaged_bytes,
    _index,
    _tensors,
    _many_files,
)


def _sentence(work: Callable[[], Any]) -> str:
    """What the work says is wrong; '' for nothing."""
    try:
        planned = work()
    except TilescopeError as error:
        return error.sentence or " "
    return str(getattr(planned, "problem", ""))
