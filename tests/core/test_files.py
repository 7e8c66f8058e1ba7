from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from core import language
from core.files import NotRegular, TooLarge, open_regular, read_regular, reason_of, write_whole


def full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a device", "link to a pipe"])
def test_that_what_is_no_file_is_refused_without_waiting(kind: str, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    if kind.startswith("link"):
        link.symlink_to("/dev/zero" if kind.endswith("device") else pipe)
    path = {"pipe": pipe, "device": Path("/dev/zero"), "folder": tmp_path}.get(kind, link)
    with pytest.raises(NotRegular) as refused:
        open_regular(path)
    assert str(reason_of(refused.value)) == "it is not a regular file"


def test_that_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100))
    assert read_regular(tmp_path / "file", 100) == bytes(100)
    with pytest.raises(TooLarge) as refused:
        read_regular(tmp_path / "file", 99)
    assert str(reason_of(refused.value)) == "it is larger than 99 B"


def test_that_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "whole", b"data")
    assert (tmp_path / "whole").read_bytes() == b"data"
    assert mode_of(tmp_path / "whole") == mode_of(tmp_path / "usual")


def test_that_a_file_that_is_replaced_keeps_its_permissions_and_its_links(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old")
    file.chmod(0o750)
    link.symlink_to(file)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (file.read_bytes(), mode_of(file)) == (b"new", 0o750)
    assert sorted(tmp_path.iterdir()) == [file, link]


@pytest.mark.parametrize("before", [None, b"old"])
def test_that_a_full_disk_changes_nothing(
    before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    if before is not None:
        file.write_bytes(before)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, b"new")
    assert list(tmp_path.iterdir()) == ([] if before is None else [file])
    assert before is None or file.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs /dev/null")
def test_that_a_device_is_written_to_and_not_replaced() -> None:
    write_whole(Path("/dev/null"), b"data")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_that_a_reason_is_told_in_the_language_and_an_unknown_one_in_the_system_s_words() -> None:
    with language.using("zh"):
        assert str(reason_of(OSError(errno.ENOENT, "No such file or directory"))) == "文件不存在"
    assert str(reason_of(OSError(errno.EXDEV, "Invalid cross-device link"))) == "Invalid cross-device link"
    assert str(reason_of(OSError("nothing known"))) == "nothing known"
