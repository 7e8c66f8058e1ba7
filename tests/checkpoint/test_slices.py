"""Reading weights slice by slice, while the file stays and while it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint.opening import open_checkpoint
from core.checkpoint.slices import FileChanged, slices
from tests.checkpoint.files import normal, sharded


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("elements", [1, 63, 64, 65, 1000])
def test_that_slices_are_the_tensor(tmp_path: Path, dtype: torch.dtype, elements: int) -> None:
    expected = normal(elements, dtype=dtype)
    save_file({"pad": normal(3, dtype=torch.float16), "a": expected}, tmp_path / "a.safetensors")
    tensor = next(t for t in open_checkpoint(tmp_path / "a.safetensors").tensors if t.name == "a")
    parts = [torch.from_numpy(part.copy()) for part in slices(tensor, 64)]
    assert [len(part) for part in parts] == [64] * (elements // 64) + ([elements % 64] if elements % 64 else [])
    read = torch.cat(parts)
    assert torch.equal(read.view(torch.bfloat16) if dtype == torch.bfloat16 else read, expected)


def test_that_slices_share_one_buffer(tmp_path: Path) -> None:
    save_file({"a": normal(256)}, tmp_path / "a.safetensors")
    (tensor,) = open_checkpoint(tmp_path / "a.safetensors").tensors
    assert len({part.__array_interface__["data"][0] for part in slices(tensor, 64)}) == 1


def test_that_a_shard_deleted_in_between_is_reported(tmp_path: Path) -> None:
    index = sharded(tmp_path, [{"a": normal(128)}])
    (tensor,) = open_checkpoint(index).tensors
    steps = slices(tensor, 64)
    next(steps)
    tensor.shard.path.unlink()
    with pytest.raises(FileChanged, match=r"was deleted while it was read\. The tensors measured so far are kept"):
        next(steps)
    with pytest.raises(FileChanged, match=r"can no longer be read \(it does not exist\)"):
        next(slices(tensor, 64))


@pytest.mark.parametrize("change", ["truncate", "append", "rewrite"])
def test_that_a_shard_written_in_between_is_reported(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": normal(128)}, path)
    (tensor,) = open_checkpoint(path).tensors
    steps = slices(tensor, 64)
    next(steps)
    with path.open("r+b") as file:
        if change == "truncate":
            file.truncate(200)
        elif change == "append":
            file.seek(0, 2)
            file.write(b"more")
        else:
            file.seek(-1, 2)
            file.write(b"x")
    with pytest.raises(FileChanged, match="was written while it was read"):
        list(steps)


def test_that_bfloat16_bits_are_unchanged_by_reading(tmp_path: Path) -> None:
    every = np.arange(65536, dtype=np.uint16)
    save_file({"a": torch.from_numpy(every.view(np.int16)).view(torch.bfloat16)}, tmp_path / "a.safetensors")
    (tensor,) = open_checkpoint(tmp_path / "a.safetensors").tensors
    assert np.array_equal(np.concatenate([part.copy() for part in slices(tensor, 1000)]), every)
