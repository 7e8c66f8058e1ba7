"""The command line as a user or a script meets it. One case of each kind has a fresh process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.commands.conftest import Command, Outcome

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--set", "seq_len=96", "--set", "heads=2", "--set", "kv_heads=1"]


def environment(**changes: str | None) -> dict[str, str]:
    merged: dict[str, str | None] = {**os.environ, "QT_QPA_PLATFORM": None, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def tilescope(*arguments: str, timeout: float = 110, **changes: str | None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "main.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**changes), capture_output=True, text=True, timeout=timeout
    )


BAD_INPUT = {
    "unknown command": (["dance"], "No such command 'dance'"),
    "unknown option": (["run", "flash-attention", "--fast"], "No such option: --fast"),
    "missing argument": (["run"], "Missing argument"),
    "unknown topic": (["run", "flash-atention"], "did you mean flash-attention?"),
    "unknown topic to verify": (["verify", "nothing"], "There is no topic 'nothing'"),
    "unknown parameter": (["run", "flash-attention", "--set", "seqlen=5"], "did you mean seq_len?"),
    "no equals sign": (["run", "flash-attention", "--set", "seq_len"], "--set takes name=value"),
    "out of range": (["run", "flash-attention", "--set", "seq_len=0"], "it must lie between 1 and 65536"),
    "not a number": (["run", "flash-attention", "--set", "seq_len=long"], "it must be a whole number"),
    "not a choice": (["run", "flash-attention", "--set", "dtype=fp4"], "use one of fp32, fp16, bf16"),
    "heads not divisible": (["run", "flash-attention", "--set", "kv_heads=3"], "choose a kv_heads that divides 4"),
    "tile beyond SRAM": (
        ["run", "flash-attention", "--set", "gpu=rtx-4090", "--set", "dtype=fp32", "--set", "head_dim=128",
         "--set", "block_q=128", "--set", "block_kv=128"],
        "shared memory",
    ),
    "beyond memory": (
        ["run", "flash-attention", "--set", "seq_len=65536", "--set", "batch=256", "--set", "heads=128",
         "--set", "kv_heads=128"],
        "memory",
    ),
    "unknown device": (["run", "flash-attention", "--device", "tpu"], "There is no device 'tpu'"),
    "window's parameters without a page": (["--set", "file=a.py"], "add --topic"),
    "window with an unknown parameter": (["--topic", "kernel-lab", "--set", "fil=a.py"], "did you mean file?"),
    "bad size": (["screenshot", "flash-attention", "--out", "unused", "--size", "big"], "WIDTHxHEIGHT"),
    "bad theme": (["screenshot", "all", "--out", "unused", "--theme", "pink"], "the themes are dark, light"),
    "folder that cannot be": (["screenshot", "all", "--out", "LICENSE/x"], "cannot be created"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUT)
def test_that_bad_input_gets_one_sentence_and_exit_code_2(
    case: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    arguments, fragment = BAD_INPUT[case]
    assert_one_sentence(command(*arguments), fragment)


def test_that_a_process_of_its_own_ends_with_that_sentence_and_code() -> None:
    arguments, fragment = BAD_INPUT["unknown topic"]
    assert_one_sentence(tilescope(*arguments), fragment)


def assert_one_sentence(outcome: Outcome | subprocess.CompletedProcess[str], fragment: str) -> None:
    assert outcome.returncode == 2, outcome.stderr
    assert outcome.stdout == ""
    assert fragment in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1
    assert "Traceback" not in outcome.stderr


WITHOUT_A_DISPLAY = "python main.py screenshot all --out gallery"


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be absent")
@pytest.mark.parametrize("display", [None, "", ":9731", "nonsense", ":999999999"])
def test_that_without_a_display_the_window_says_so_and_points_to_pictures(
    display: str | None, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    assert_one_sentence(command(), WITHOUT_A_DISPLAY)


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be absent")
def test_that_a_process_of_its_own_does_not_abort_without_a_display() -> None:
    assert_one_sentence(tilescope(DISPLAY=None, WAYLAND_DISPLAY=None), WITHOUT_A_DISPLAY)


def test_that_run_prints_one_json_object_with_traced_bytes_and_errors() -> None:
    outcome = tilescope("run", "flash-attention", *SMALL, "--set", "causal=true", "--json")
    assert outcome.returncode == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    assert set(document) == {"topic", "params", "provenance", "metrics", "claims", "messages"}
    assert document["messages"] == []
    assert document["params"]["seq_len"] == 96
    assert {"device", "backend", "torch", "triton"} <= set(document["provenance"])
    metrics = document["metrics"]
    for name in ("flash.S_bytes", "flash.P_bytes"):
        assert metrics[name]["value"] == 0
    for name in ("standard.S_bytes", "standard.P_bytes"):
        assert metrics[name]["value"] > 0
    for name in ("standard.S_bytes", "flash.S_bytes", "flash.read_bytes", "standard.read_bytes"):
        assert metrics[name]["provenance"] == "traced"
        assert metrics[name]["unit"] == "bytes"
    assert 0 < metrics["flash.max_abs_error"]["value"] < 1e-2
    assert all(claim["verdict"] and claim["evidence"] for claim in document["claims"])


@pytest.mark.usefixtures("one_engine")
def test_that_verify_prints_evidence_and_no_claim_surprises(command: Command) -> None:
    outcome = command("verify", "flash-attention", "--json")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    rows = json.loads(outcome.stdout)
    assert len(rows) >= 5
    assert all(row["evidence"] and not row["surprising"] for row in rows)
    assert any(row["expected"] == "does not hold" and row["verdict"] == "does not hold" for row in rows)


def test_that_without_triton_a_run_says_so_in_one_sentence(tmp_path: Path) -> None:
    package = tmp_path / "triton"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('No module named triton')\n")
    outcome = tilescope("run", "flash-attention", *SMALL, PYTHONPATH=str(tmp_path))
    assert outcome.returncode == 2, outcome.stdout + outcome.stderr
    assert "triton" in outcome.stderr.lower()
    assert len(outcome.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_that_an_interrupt_ends_the_run_and_leaves_no_process() -> None:
    arguments = [sys.executable, "main.py", "run", "flash-attention", "--set", "seq_len=4096"]
    # Its own session, as a shell gives each command: the interrupt reaches the worker too, as with Ctrl+C.
    process = psutil.Popen(
        arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        children = children_of(process)
        assert children, f"ended before it had a worker: {process.stderr.read().decode()}"
        os.killpg(process.pid, signal.SIGINT)
        # How long a start that is interrupted takes is a matter of the machine's load.
        _, stderr = process.communicate(timeout=90)
        assert process.returncode == 130, stderr.decode()
        assert b"Traceback" not in stderr
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def children_of(process: psutil.Popen) -> list[psutil.Process]:
    """The processes that it starts, as soon as there is one; none if it ends before."""
    while not (children := process.children(recursive=True)):
        with suppress(psutil.TimeoutExpired):
            process.wait(timeout=0.05)
            return []
    return children
