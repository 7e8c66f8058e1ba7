from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.commands import doctor
from core.contracts.text import Text, tr


@pytest.fixture
def quick_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the worker, which the tests of the command line start."""
    monkeypatch.setattr(doctor, "_worker", lambda: doctor.Check(tr("Worker"), doctor.State.OK, tr("started")))


def checks(capsys: pytest.CaptureFixture[str], problem: Text | None = None) -> tuple[int, dict[str, dict[str, str]]]:
    code = doctor.examine(as_json=True, display_problem=problem)
    return code, {check["name"]: check for check in json.loads(capsys.readouterr().out)}


@pytest.mark.usefixtures("quick_checks")
def test_that_a_complete_machine_passes_and_a_missing_display_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, by_name = checks(capsys, problem=tr("There is no display here."))
    assert code == 0
    assert by_name["Display"]["state"] == "optional"
    assert "screenshot" in by_name["Display"]["remedy"]
    assert by_name["torch"]["state"] == "ok"


@pytest.mark.usefixtures("quick_checks")
@pytest.mark.parametrize(
    ("library", "version", "remedy"),
    [
        ("torch", None, "requirements.lock"),
        ("PySide6-Essentials", "6.12.0", "PySide6-Essentials<6.12"),
    ],
)
def test_that_a_library_that_is_missing_or_known_to_crash_fails_with_a_remedy(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    version: str | None,
    remedy: str,
) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: version if name == library else real(name))
    code, by_name = checks(capsys)
    assert code == 1
    assert by_name[library]["state"] == "missing"
    assert remedy in by_name[library]["remedy"]


@pytest.mark.usefixtures("quick_checks")
def test_that_a_missing_triton_is_a_failure_on_linux_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "triton" else real(name))
    monkeypatch.setattr("sys.platform", "linux")
    assert checks(capsys)[0] == 1
    monkeypatch.setattr("sys.platform", "darwin")
    code, by_name = checks(capsys)
    assert code == 0
    assert by_name["triton"]["state"] == "optional"


@pytest.mark.usefixtures("quick_checks")
def test_that_at_80_columns_no_path_is_broken_and_no_other_line_is_longer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    python = f"/opt/{'a-rather-long-folder/' * 4}an environment/bin/python"
    monkeypatch.setattr("sys.executable", python)
    history = Path(f"/{'no-such-folder/' * 5}Application Support/Tilescope")
    monkeypatch.setattr(doctor, "data_folder", lambda: history)
    monkeypatch.setattr(doctor.os, "access", lambda *_: True)
    doctor.examine(as_json=False, display_problem=tr("There is no display here (neither of two variables is set)."))
    lines = capsys.readouterr().out.splitlines()
    assert any(f"({python})" in line for line in lines)
    assert any(line.endswith(f"  {history}") for line in lines)
    assert all(len(line) <= 80 for line in lines if python not in line and str(history) not in line)
    display = next(index for index, line in enumerate(lines) if " Display " in line)
    assert "python main.py screenshot all --out gallery" in " ".join(" ".join(lines[display:][:4]).split())
