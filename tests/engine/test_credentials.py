"""The files of the credentials: for the owner's eyes only, whatever was there before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.engine import credentials


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_that_new_credentials_take_over_no_permissions_and_no_link(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "credentials", tmp_path / "elsewhere"
    folder.mkdir()
    (folder / credentials.KEY).write_text("old")
    (folder / credentials.KEY).chmod(0o644)
    (folder / credentials.CERTIFICATE).symlink_to(elsewhere)
    credentials.create(folder)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert credentials.exist_in(folder)
    assert not elsewhere.exists()
