"""Opening a checkpoint: what is read, and the sentence for each thing that is none."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from core.checkpoint.opening import open_checkpoint
from core.contracts.errors import InvalidParams
from tests.checkpoint.files import normal, sharded, written

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def sentence(path: Path) -> str:
    with pytest.raises(InvalidParams) as caught:
        open_checkpoint(path, "checkpoint")
    assert caught.value.field == "checkpoint"
    assert caught.value.sentence.endswith(".")
    return caught.value.sentence


def test_that_the_headers_agree_with_the_safetensors_library(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a.0.w": normal(63, 5), "a.1.w": normal(1000, dtype=torch.float32), "n": torch.arange(3)}, path)
    opened = open_checkpoint(path)
    with safe_open(path, "pt") as theirs:
        assert {tensor.name for tensor in opened.tensors} == set(theirs.keys())
        for tensor in opened.tensors:
            assert list(tensor.shape) == theirs.get_slice(tensor.name).get_shape()
            assert tensor.dtype == theirs.get_slice(tensor.name).get_dtype()
    assert [tensor.name for tensor in opened.skipped] == ["n"]
    assert "does not hold floating-point weights" in str(opened.skipped[0].skipped)


def test_that_an_index_a_folder_and_a_shard_open(tmp_path: Path) -> None:
    index = sharded(tmp_path / "m", [{"a": normal(3)}, {"b": normal(4), "c": normal(5)}])
    for path in (index, index.parent):
        assert sorted(tensor.name for tensor in open_checkpoint(path).tensors) == ["a", "b", "c"]
        assert len(open_checkpoint(path).shards) == 2
    assert [t.name for t in open_checkpoint(index.parent / "model-00001-of-00002.safetensors").tensors] == ["a"]
    index.unlink()
    assert len(open_checkpoint(tmp_path / "m").tensors) == 3


def test_that_a_whole_model_beside_an_unrelated_index_is_what_a_folder_means(tmp_path: Path) -> None:
    save_file({"a": normal(3)}, tmp_path / "model.safetensors")
    (tmp_path / "other.safetensors.index.json").write_text("{}")
    assert [tensor.name for tensor in open_checkpoint(tmp_path).tensors] == ["a"]


def test_that_empty_tensors_and_scalars_are_read(tmp_path: Path) -> None:
    save_file({"none": torch.zeros(0, 4), "one": torch.tensor(2.0)}, tmp_path / "a.safetensors")
    opened = open_checkpoint(tmp_path / "a.safetensors")
    assert {t.name: (t.elements, str(t.skipped)) for t in opened.tensors} == {
        "none": (0, "the tensor is empty"),
        "one": (1, ""),
    }


@pytest.mark.parametrize(
    ("header", "announced", "expected"),
    [
        (b"", 200_000_000, "announces a header of 200,000,000 bytes"),
        (b"{}", 2**63, "announces a header"),
        (b"{}", 50, "ends inside its header"),
        (b"{nonsense", None, "is not JSON"),
        (b"[1]", None, "is not a list of tensors"),
        (b'{"a": 1, "a": 2}', None, "lists a twice"),
        (b"[" * 100_000, None, "is not JSON"),
        (b'{"\\ud800": 1}', None, "is not JSON"),
        ('{"a": 1}'.encode("utf-16"), None, "is not JSON"),
        (b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 8]}}', None, "is not JSON"),
        ({"a": {**ONE, "shape": [2**63]}}, None, "has an invalid entry for a"),
        ({"a": {**ONE, "shape": [2**62] * 300}}, None, "gives a 300 dimensions, and at most 64 are allowed"),
        ({"a": {"dtype": "F32"}}, None, "has an invalid entry for a"),
        ({"a": {**ONE, "shape": [-2]}}, None, "has an invalid entry for a"),
        ({"a": {**ONE, "shape": [True]}}, None, "has an invalid entry for a"),
        ({"a": {**ONE, "data_offsets": [8, 0]}}, None, "has an invalid entry for a"),
        ({"a": {**ONE, "shape": [3]}}, None, "has 8 bytes for a, but F32 [3] takes 12"),
        ({"a": ONE, "b": ONE}, None, "the bytes of a and b overlap"),
        ({"a": {**ONE, "shape": [2**40], "data_offsets": [0, 2**42]}}, None, "is truncated: a ends"),
        ({}, None, "holds no tensors"),
    ],
)
def test_that_a_broken_file_is_one_sentence(tmp_path: Path, header: Any, announced: int | None, expected: str) -> None:
    assert expected in sentence(written(tmp_path / "a.safetensors", header, bytes(8), announced))


def test_that_a_truncated_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": normal(1000)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert "is truncated: a ends 100 B behind the end" in sentence(path)
    path.write_bytes(whole[:5])
    assert "is only 5 bytes long" in sentence(path)
    path.write_bytes(b"")
    assert "is only 0 bytes long" in sentence(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_that_no_damage_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.safetensors"
    save_file({"a.0.weight": torch.ones(4), "b": torch.ones(3, dtype=torch.int64)}, path)
    contents = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(contents[: data.draw(st.integers(0, len(contents)))])
    with suppress(InvalidParams):
        opened = open_checkpoint(path)
        assert all(0 <= t.begin <= t.end <= path.stat().st_size for t in opened.tensors)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a.pt", "a.pth", "a.ckpt"])
def test_that_pickles_are_refused_with_a_way_to_convert(tmp_path: Path, name: str) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / name)
    for path in (tmp_path / name, tmp_path):
        assert "pickle checkpoint" in sentence(path)
        assert "save_file(torch.load(" in sentence(path)


def test_that_an_index_of_pickles_is_refused_with_a_way_to_convert(tmp_path: Path) -> None:
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "pytorch_model-00001-of-00001.bin"}}))
    assert (
        "If you trust it, convert it with Hugging Face Transformers' from_pretrained and save_pretrained"
        in sentence(index)
    )
    index = index.rename(tmp_path / "model.safetensors.index.json")
    assert "pytorch_model-00001-of-00001.bin is a pickle checkpoint" in sentence(index)


def test_that_a_pickle_under_another_name_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    assert "pickle checkpoint" in sentence(tmp_path / "a.safetensors")


def test_that_what_is_no_checkpoint_says_what_would_do(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"ONNX")
    assert "is not a checkpoint: open a .safetensors file" in sentence(tmp_path / "a.onnx")
    assert "does not exist" in sentence(tmp_path / "nowhere.safetensors")
    assert "holds no .safetensors or .gguf file" in sentence(tmp_path)
    assert "cannot be read" in sentence(Path("/" + "x" * 5000))
    assert "~nobody-of-that-name does not exist" in sentence(Path("~nobody-of-that-name/a.safetensors"))
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert "is not a checkpoint" in sentence(tmp_path / "pipe.safetensors")
    (tmp_path / "loop.safetensors").symlink_to("loop.safetensors")
    assert "does not exist" in sentence(tmp_path / "loop.safetensors")


def test_that_links_lead_to_the_files(tmp_path: Path) -> None:
    save_file({"a": normal(3)}, tmp_path / "blob")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").symlink_to(tmp_path / "blob")
    assert len(open_checkpoint(tmp_path / "m").measured) == 1
    (tmp_path / "blob").unlink()
    assert "does not exist" in sentence(tmp_path / "m")


def test_that_layers_that_are_quantized_already_are_skipped_with_their_scales(tmp_path: Path) -> None:
    halves = torch.ones(4, dtype=torch.float16)
    tensors = {
        "gptq.qweight": torch.ones(4, dtype=torch.int32),
        "gptq.scales": halves.clone(),
        "gptq.bias": halves.clone(),
        "bnb.weight": torch.ones(4, dtype=torch.uint8),
        "bnb.weight.absmax": halves.clone(),
        "fp8.weight": torch.ones(4).to(torch.float8_e4m3fn),
        "fp8.weight_scale_inv": torch.ones(1),
        "plain.weight": halves.clone(),
        "plain.scales": halves.clone(),
    }
    save_file(tensors, tmp_path / "a.safetensors")
    opened = open_checkpoint(tmp_path / "a.safetensors")
    assert sorted(tensor.name for tensor in opened.measured) == ["gptq.bias", "plain.scales", "plain.weight"]
    why = {tensor.name: str(tensor.skipped) for tensor in opened.skipped}
    assert (
        why["gptq.scales"]
        == why["bnb.weight.absmax"]
        == why["fp8.weight_scale_inv"]
        == "it holds the scales of a quantized tensor"
    )
    assert why["fp8.weight"] == "F8_E4M3 is already quantized: it holds codes, not weights"


def test_that_a_missing_shard_is_named(tmp_path: Path) -> None:
    index = sharded(tmp_path, [{"a": normal(3)}, {"b": normal(4)}, {"c": normal(4)}])
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    assert "needs model-00002-of-00003.safetensors, which is missing" in sentence(index)
    (tmp_path / "model-00003-of-00003.safetensors").unlink()
    assert "and 1 more, which are missing" in sentence(index)


def test_that_an_index_that_lies_is_one_sentence(tmp_path: Path) -> None:
    index = sharded(tmp_path, [{"a": normal(3)}])
    weight_map = json.loads(index.read_text())["weight_map"]
    index.write_text(json.dumps({"weight_map": {**weight_map, "b": weight_map["a"]}}))
    assert "does not hold b, which the index" in sentence(index)
    index.write_text(json.dumps({"weight_map": {"a": "../a.safetensors"}}))
    assert "is not in its folder" in sentence(index)
    for text in ("{", "[]", '{"weight_map": 3}', "{}"):
        index.write_text(text)
        assert "is not an index of shards" in sentence(index)


def test_that_a_name_in_two_shards_is_refused(tmp_path: Path) -> None:
    save_file({"a": normal(3)}, tmp_path / "x.safetensors")
    save_file({"a": normal(3)}, tmp_path / "y.safetensors")
    assert "a is in both x.safetensors and y.safetensors" in sentence(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_that_a_file_without_permission_says_so(tmp_path: Path) -> None:
    save_file({"a": normal(3)}, tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").chmod(0)
    assert "You have no permission to read" in sentence(tmp_path / "a.safetensors")


def test_that_a_refusal_of_the_system_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"a": normal(3)}, tmp_path / "a.safetensors")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert "You have no permission to read" in sentence(tmp_path / "a.safetensors")
