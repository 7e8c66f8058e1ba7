"""Incomplete downloads: which file is missing, and how users get it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint.opening import open_checkpoint
from core.contracts.errors import InvalidParams
from tests.checkpoint.files import normal, sharded, written

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 4976698672\n"


def sentence(path: Path) -> str:
    with pytest.raises(InvalidParams) as caught:
        open_checkpoint(path, "checkpoint")
    return caught.value.sentence


def test_that_a_part_without_its_siblings_opens_and_says_which_are_missing(tmp_path: Path) -> None:
    save_file({"a": normal(3)}, tmp_path / "model-00001-of-00002.safetensors")
    opened = open_checkpoint(tmp_path / "model-00001-of-00002.safetensors")
    assert opened.missing == ("model-00002-of-00002.safetensors",)
    text = str(opened.incomplete)
    assert "part 1 of 2" in text
    assert f"model-00002-of-00002.safetensors is missing from {tmp_path}" in text
    assert f"hf download OWNER/MODEL model-00002-of-00002.safetensors --local-dir {tmp_path}" in text
    save_file({"b": normal(3)}, tmp_path / "model-00002-of-00002.safetensors")
    assert not open_checkpoint(tmp_path / "model-00001-of-00002.safetensors").incomplete


def test_that_a_folder_of_parts_without_an_index_needs_all_of_them(tmp_path: Path) -> None:
    index = sharded(tmp_path, [{"abcdef"[n]: normal(3)} for n in range(6)])
    index.unlink()
    assert len(open_checkpoint(tmp_path).tensors) == 6
    (tmp_path / "model-00004-of-00006.safetensors").unlink()
    assert "model-00004-of-00006.safetensors is missing" in sentence(tmp_path)
    for number in (1, 2, 3):
        (tmp_path / f"model-0000{number}-of-00006.safetensors").unlink()
    text = sentence(tmp_path)
    assert "model-00003-of-00006.safetensors and 1 more are missing" in text
    assert "--include 'model-*.safetensors'" in text


def test_that_an_index_says_how_to_get_its_missing_parts(tmp_path: Path) -> None:
    index = sharded(tmp_path, [{"a": normal(3)}, {"b": normal(4)}])
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    for path in (index, tmp_path):
        assert "hf download OWNER/MODEL model-00002-of-00002.safetensors" in sentence(path)


@pytest.mark.parametrize("name", ["model.safetensors", "model-00001-of-00002.safetensors"])
def test_that_a_git_lfs_pointer_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(POINTER.format(oid="0" * 64))
    text = sentence(tmp_path / name)
    assert "is a git-lfs pointer" in text
    assert "4.98 GB" in text
    assert "git lfs pull" in text
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "is a git-lfs pointer" in sentence(tmp_path / name)


@pytest.mark.parametrize("page", ["<!doctype html><html>", "  <html>", '{"error":"Repository not found"}'])
def test_that_a_saved_web_page_is_told(tmp_path: Path, page: str) -> None:
    (tmp_path / "model.safetensors").write_text(page)
    assert "is a web page or an error message" in sentence(tmp_path)


def test_that_a_header_that_claims_more_says_how_much_is_there(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1000), "b": torch.zeros(1000), "c": torch.zeros(500)}, tmp_path / "a.safetensors")
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(whole[:5000])
    text = sentence(tmp_path / "a.safetensors")
    assert "is truncated" in text
    assert "2 of 3 tensors are incomplete or missing" in text
    assert "hf download OWNER/MODEL a.safetensors" in text
    assert "continues a download" in sentence(written(tmp_path / "b.safetensors", b"{}", announced=1000))


def test_that_an_unfinished_download_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.crdownload").write_bytes(b"")
    assert "model.safetensors.crdownload is an unfinished download" in sentence(tmp_path)


def test_that_a_name_that_only_looks_like_a_part_is_a_file(tmp_path: Path) -> None:
    for name in ("model-00000-of-00000.safetensors", "model-00001-of-99999.safetensors", "model-1-of-2.safetensors"):
        save_file({"a": normal(3)}, tmp_path / name)
        assert not open_checkpoint(tmp_path / name).incomplete
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {}}))
