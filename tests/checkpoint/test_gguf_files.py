"""GGUF files are opened, counted by type and restored; damaged ones get one sentence.

The witnesses are blocks packed by hand, and the package's own reader for headers.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.checkpoint.gguf_files.header import read_gguf
from core.checkpoint.measuring import Quantization
from core.checkpoint.names import layer_and_kind
from core.checkpoint.opening import Checkpoint, open_checkpoint
from core.checkpoint.quantized.reading import weight_slices, with_restored
from core.checkpoint.quantized.storage import storage_rows
from core.checkpoint.roles import Role
from core.contracts.errors import InvalidParams
from kernels.quantization.formats import FormatId
from tests.checkpoint.gguf_writing import BY_HAND, normal_weights, write_gguf
from tests.checkpoint.surveying import report_of

UP = "blk.0.ffn_up.weight"


def model(path: Path) -> Path:
    """A layer with types that are restored, a norm, a router, experts and the embedding."""
    tensors = {
        "token_embd.weight": ("Q8_0", normal_weights(64, 256)),
        "blk.0.attn_norm.weight": ("F32", np.ones(256, np.float32)),
        "blk.0.attn_q.weight": ("Q4_0", normal_weights(256, 256, seed=1)),
        UP: ("F16", normal_weights(512, 256, seed=2)),
        "blk.0.ffn_gate_inp.weight": ("F32", normal_weights(4, 256, seed=3)),
        "blk.0.ffn_down_exps.weight": ("Q5_1", normal_weights(4, 128, 64, seed=4)),
    }
    return write_gguf(path, tensors, name="tiny", tokenizer_model="none", token_list=[f"t{i}" for i in range(500)])


def restored(checkpoint: Checkpoint, name: str) -> np.ndarray:
    (tensor,) = [tensor for tensor in with_restored(checkpoint).measured if tensor.name == name]
    return np.concatenate([part.copy() for part in weight_slices(tensor, 4096)]).reshape(tensor.shape)


@pytest.mark.parametrize("dtype", BY_HAND)
def test_that_blocks_packed_by_hand_are_restored(dtype: str, tmp_path: Path) -> None:
    blocks = [BY_HAND[dtype]() for _ in range(6)]
    codes = np.frombuffer(b"".join(packed for packed, _ in blocks), np.uint8).reshape(3, -1)
    checkpoint = open_checkpoint(write_gguf(tmp_path / "a.gguf", {UP: (dtype, codes)}))
    expected = np.array([weights for _, weights in blocks], np.float32).reshape(3, -1)
    np.testing.assert_array_equal(restored(checkpoint, UP), expected)


def test_that_the_header_says_what_the_packages_own_reader_says(tmp_path: Path) -> None:
    path = model(tmp_path / "a.gguf")
    tensors, metadata = read_gguf(path)
    theirs = gguf.GGUFReader(path)
    assert {(each.name, each.dtype, each.shape[::-1], each.begin, each.bytes) for each in tensors} == {
        (each.name, each.tensor_type.name, tuple(map(int, each.shape)), int(each.data_offset), int(each.n_bytes))
        for each in theirs.tensors
    }
    assert (metadata["general.architecture"], metadata["llama.block_count"]) == ("llama", 1)


def test_that_tensors_are_listed_by_type_with_their_shares(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(model(tmp_path / "a.gguf"))
    rows = {row.format: row for row in storage_rows(checkpoint)}
    assert {name: row.bytes for name, row in rows.items()} == {
        "Q8_0": 64 * 256 // 32 * 34,
        "F32": 4 * (256 + 4 * 256),
        "Q4_0": 256 * 256 // 32 * 18,
        "F16": 2 * 512 * 256,
        "Q5_1": 4 * 128 * 64 // 32 * 24,
    }
    assert sum(row.share for row in rows.values()) == pytest.approx(1)
    assert rows["Q4_0"].bits_per_weight == 4.5
    assert rows["Q4_0"].restorable == 1
    roles = {tensor.name: tensor.role for tensor in checkpoint.tensors}
    assert roles["token_embd.weight"] is Role.EMBEDDING
    assert roles["blk.0.attn_norm.weight"] is Role.NORM
    assert roles["blk.0.ffn_gate_inp.weight"] is Role.ROUTER
    assert roles["blk.0.ffn_down_exps.weight"] is Role.MATRIX
    assert layer_and_kind("blk.0.attn_q.weight") == (0, "attn_q")


def test_that_quantized_tensors_are_measured_when_they_are_restored(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(model(tmp_path / "a.gguf"))
    assert {tensor.name for tensor in checkpoint.skipped} == {
        "token_embd.weight",
        "blk.0.attn_q.weight",
        "blk.0.ffn_down_exps.weight",
    }
    rows = report_of(with_restored(checkpoint), Quantization((FormatId.INT8,), 32), tmp_path)
    by_name = {row.tensor: row for row in rows}
    assert len(by_name) == len(checkpoint.tensors)
    assert by_name["blk.0.attn_q.weight"].dtype == "Q4_0"
    assert by_name["blk.0.ffn_down_exps.weight"].shape == "4 x 128 x 64"


def test_that_a_split_file_is_opened_as_a_whole(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-0000{number}-of-00002.gguf" for number in (1, 2))
    write_gguf(first, {UP: ("Q8_0", normal_weights(32, 32))})
    assert "m-00002-of-00002.gguf is missing" in str(open_checkpoint(first).incomplete)
    write_gguf(second, {"output.weight": ("Q8_0", normal_weights(32, 32))})
    for path in (first, second, tmp_path):
        checkpoint = open_checkpoint(path)
        assert {tensor.name for tensor in checkpoint.tensors} == {UP, "output.weight"}
        assert not checkpoint.incomplete
    write_gguf(tmp_path / "other.gguf", {UP: ("F16", normal_weights(32, 32))})
    with pytest.raises(InvalidParams, match="holds 3 GGUF files"):
        open_checkpoint(tmp_path)


def header(tensors: int = 0, entries: int = 0, version: int = 3, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def tensor(name: bytes = b"a", sizes: tuple[int, ...] = (32,), dtype: int = 8, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, dtype, offset)


LIST_OF_LISTS = struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 8

DAMAGED = {
    "other letters": (b"GGML" + header()[4:], "does not begin with the letters GGUF"),
    "version 1": (header(version=1), "version 1 of GGUF"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    "empty": (b"", "ends inside its header"),
    "ends early": (header(1, 0), "ends inside its header"),
    "tensors beyond counting": (header(2**60), "more than 200,000 tensors"),
    "entries beyond counting": (header(0, 2**60), "metadata entries"),
    "a name beyond the file": (header(1, 0, rest=struct.pack("<Q", 2**62)), "no text"),
    "a text beyond the file": (header(0, 1, rest=text(b"k") + struct.pack("<IQ", 8, 2**62)), "ends inside"),
    "a list beyond the file": (header(0, 1, rest=text(b"k") + struct.pack("<IIQ", 9, 4, 2**62)), "ends inside"),
    "a list of texts beyond counting": (header(0, 1, rest=text(b"k") + struct.pack("<IIQ", 9, 8, 2**62)), "invalid"),
    "lists in lists": (header(0, 1, rest=text(b"k") + LIST_OF_LISTS), "invalid entry for k"),
    "an unknown value": (header(0, 1, rest=text(b"k") + struct.pack("<I", 77)), "invalid entry for k"),
    "a name that is no text": (header(1, 0, rest=tensor(b"\xff\xfe") + bytes(64)), "no text"),
    "many dimensions": (header(1, 0, rest=tensor(sizes=(1,) * 9)), "invalid entry for a"),
    "sizes beyond counting": (header(1, 0, rest=tensor(sizes=(2**40, 2**40)) + bytes(64)), "invalid entry for a"),
    "an odd row": (header(1, 0, rest=tensor(sizes=(33,)) + bytes(64)), "no whole blocks of Q8_0"),
    "twice": (header(2, 0, rest=2 * tensor() + bytes(128)), "lists a twice"),
    "truncated": (header(1, 0, rest=tensor(sizes=(3200,)) + bytes(64)), "is truncated"),
    "overlapping": (header(2, 0, rest=tensor() + tensor(b"b") + bytes(128)), "overlap"),
    "no alignment": (
        header(1, 1, rest=text(b"general.alignment") + struct.pack("<II", 4, 0) + tensor() + bytes(64)),
        "invalid entry for general.alignment",
    ),
    "no tensors": (header(), "holds no tensors"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "git-lfs pointer"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_that_a_damaged_file_gets_one_sentence(damage: str, tmp_path: Path) -> None:
    contents, expected = DAMAGED[damage]
    path = tmp_path / "a.gguf"
    path.write_bytes(contents)
    with pytest.raises(InvalidParams) as raised:
        open_checkpoint(path, "checkpoint")
    assert expected in str(raised.value)
    assert raised.value.field == "checkpoint"


def test_that_a_type_that_the_package_does_not_know_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(header(2, 0, rest=tensor() + tensor(b"b", dtype=999, offset=64)) + bytes(256))
    checkpoint = open_checkpoint(path)
    assert {each.name: str(each.skipped) for each in checkpoint.skipped}["b"] == "GGML-999 is not a supported type"
    assert sum(row.bytes for row in storage_rows(checkpoint)) > 34


@given(data=st.data())
def test_that_any_change_of_a_byte_opens_or_gets_a_sentence(data: st.DataObject, tmp_path_factory: object) -> None:
    folder = tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    path = folder / "changed.gguf"
    whole = model(folder / "whole.gguf").read_bytes() if not path.exists() else (folder / "whole.gguf").read_bytes()
    place = data.draw(st.integers(0, 12_000))
    changed = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    path.write_bytes(changed[: data.draw(st.integers(0, len(changed)))] if data.draw(st.booleans()) else changed)
    with suppress(InvalidParams):
        for each in with_restored(open_checkpoint(path)).measured:
            assert sum(len(part) for part in weight_slices(each)) == each.elements
