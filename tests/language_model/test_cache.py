from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.language_model import cache as cache_module
from core.language_model import small_model as small_model_module
from core.language_model.cache import Cache, cache_folder
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel, small_model


def write(text: str):
    return lambda folder: (folder / "file").write_text(text)


def untrained(*_: object) -> None:
    raise AssertionError("nothing was to be trained")


def test_that_the_second_time_nothing_is_trained_and_the_model_is_the_same(
    trained: SmallModel, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_model_module, "pretrain", untrained)
    again = small_model(TINY, cache=Cache(tiny_cache))

    assert (trained.from_cache, again.from_cache) == (False, True)
    assert again.seconds == trained.seconds > 0
    assert again.losses.tolist() == trained.losses.tolist()
    assert (again.world, again.parameters, again.content_hash) == (
        trained.world,
        trained.parameters,
        trained.content_hash,
    )
    weights = again.model.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in trained.model.state_dict().items())
    text = "Ada Bolow, Education, <sep> Hogwarts"
    assert again.tokenizer(text)["input_ids"] == trained.tokenizer(text)["input_ids"]


def test_that_training_a_model_changes_neither_the_cache_nor_anothers(tiny: SmallModel, tiny_cache: Path) -> None:
    with torch.no_grad():
        tiny.model.model.embed_tokens.weight.zero_()
    assert small_model(TINY, cache=Cache(tiny_cache)).model.model.embed_tokens.weight.abs().sum() > 0


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "training.json", "digests.json"])
def test_that_a_truncated_entry_is_removed(trained: SmallModel, tmp_path: Path, name: str) -> None:
    cache = Cache(tmp_path)
    entry = cache.keep("copy", lambda folder: [_copy(file, folder) for file in trained.folder.iterdir()])
    assert cache.find("copy") == entry

    whole = (entry / name).read_bytes()
    (entry / name).write_bytes(whole[: len(whole) // 2])

    assert cache.find("copy") is None
    assert list(tmp_path.iterdir()) == []


def test_that_a_damaged_model_is_trained_again(
    trained: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_model_module, "pretrain", lambda *_: trained)
    entry = tmp_path / trained.content_hash
    entry.mkdir()
    (entry / "model.safetensors").write_bytes(b"\xff" * 100)

    again = small_model(TINY, cache=Cache(tmp_path))

    assert not again.from_cache
    assert Cache(tmp_path).find(trained.content_hash) == entry == again.folder


def test_that_work_stopped_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def stopped(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).keep("entry", stopped)
    assert list(tmp_path.iterdir()) == []


def test_that_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / ".unfinished-old", tmp_path / ".unfinished-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    Cache(tmp_path).keep("entry", write("x"))
    assert not old.exists()
    assert new.exists()


def test_that_threads_and_processes_that_keep_the_same_entry_leave_one_whole_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        entries = set(pool.map(lambda _: Cache(tmp_path).keep("entry", write("same")), range(32)))
    process = multiprocessing.get_context("fork").Process(target=_keep_many, args=(tmp_path,))
    process.start()
    _keep_many(tmp_path)
    process.join(30)

    assert process.exitcode == 0
    assert entries == {tmp_path / "entry"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entry", *(f"entry-{n}" for n in range(8))]
    assert all(Cache(tmp_path).find(path.name) for path in tmp_path.iterdir())


def test_that_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_entries=3)
    for number in range(3):
        entry = cache.keep(f"entry-{number}", write("x"))
        os.utime(entry, (1000 + number, 1000 + number))
    cache.find("entry-0")

    cache.keep("entry-3", write("x"))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["entry-0", "entry-2", "entry-3"]


def test_that_the_bytes_kept_are_bounded(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_bytes=2500)
    for number in range(4):
        os.utime(cache.keep(f"entry-{number}", write("x" * 1000)), (1000 + number, 1000 + number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entry-2", "entry-3"]


def test_that_a_folder_that_cannot_be_written_is_a_notice_not_a_failure(
    trained: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TilescopeError, match="is not writable"):
        Cache(tmp_path / "file").keep("entry", write("x"))

    monkeypatch.setattr(small_model_module, "pretrain", lambda *_: trained)
    model = small_model(TINY, cache=Cache(tmp_path / "file"))
    assert model.folder is None
    assert "trains the small model again" in str(model.notice)


def test_that_caches_live_where_caches_live(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("TILESCOPE_DATA_DIR")
    monkeypatch.setattr(cache_module.platformdirs, "user_cache_dir", lambda name, appauthor: f"/caches/{name}")
    assert cache_folder() == Path("/caches/tilescope")


def _copy(file: Path, folder: Path) -> None:
    if file.name != "digests.json":
        (folder / file.name).write_bytes(file.read_bytes())


def _keep_many(folder: Path) -> None:
    for number in range(8):
        Cache(folder).keep(f"entry-{number}", write(str(number)))
