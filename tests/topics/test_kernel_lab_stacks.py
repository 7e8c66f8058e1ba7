"""Whose fault an error is, and the user's own stack: what `trace --traceback` prints and the page logs."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from core.contracts.errors import InternalError, InvalidParams, RunFailed, TilescopeError
from core.engine.drive import failed
from core.topics.kernel_lab import TOPIC
from core.topics.kernel_lab.params import KernelLabParams

pytest.importorskip("triton")

KERNEL = """\
import torch, triton, triton.language as tl

@triton.jit
def fill_kernel(x_ptr, BLOCK: tl.constexpr):
    tl.store(x_ptr + tl.arange(0, BLOCK), 1.0)

def launch(x):
    fill_kernel[(1,)](x, BLOCK=64)

"""


def error_of(folder: Path, text: str) -> TilescopeError:
    path = folder / "mine.py"
    path.write_text(KERNEL + textwrap.dedent(text))
    steps = TOPIC.load_experiment()(KernelLabParams(file=str(path), function="main"), "cpu")
    with pytest.raises(TilescopeError) as caught:
        for _ in steps:
            pass
    return caught.value


def test_that_the_stack_has_the_users_frames_and_none_of_ours(tmp_path: Path) -> None:
    error = error_of(
        tmp_path,
        """
        def inner():
            try:
                {}["missing"]
            except KeyError as missing:
                raise ValueError("of mine") from missing

        def main():
            inner()
            launch(torch.zeros(64))
        """,
    )
    assert type(error) is RunFailed
    assert error.stack.count("Traceback (most recent call last):") == 2
    assert error.stack.index("KeyError: 'missing'") < error.stack.index("in main\n    inner()\n")
    assert error.stack.endswith("ValueError: of mine\n")
    assert "/core/" not in error.stack


def test_that_a_refused_launch_has_the_way_to_it(tmp_path: Path) -> None:
    error = error_of(tmp_path, "def main():\n    launch(torch.zeros(64))\n    launch(object())\n")
    assert not isinstance(error, InternalError)
    assert "in main\n    launch(object())" in error.stack
    assert error.stack.endswith("in launch\n    fill_kernel[(1,)](x, BLOCK=64)\n"), error.stack
    assert "triton/runtime" not in error.stack
    assert "Error" not in error.stack.splitlines()[-1]


def test_that_a_file_that_does_not_import_has_a_stack_too(tmp_path: Path) -> None:
    error = error_of(tmp_path, "1 / 0\ndef main():\n    launch(torch.zeros(64))\n")
    assert isinstance(error, InvalidParams)
    assert error.stack.endswith("ZeroDivisionError: division by zero\n")


BREAKS = ("executing", "lowering", "in torch below ours")
OURS = (str(Path(__file__).resolve().parents[2] / "core"), __file__)
"""This file stands in for what fails inside Tilescope."""


@pytest.mark.parametrize("case", BREAKS)
def test_that_an_error_inside_tilescope_says_so(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.interpreter import executor, frontend

    def broken(*_: object) -> None:
        if case == "in torch below ours":
            import torch

            torch.nn.functional.linear(torch.ones(2), torch.ones(3, 3))
        raise KeyError("lost")

    name = "parse_module" if case == "lowering" else "_bind"
    monkeypatch.setattr(frontend if case == "lowering" else executor, name, broken)
    monkeypatch.setattr("core.user_code.stack._OURS", OURS)
    error = error_of(
        tmp_path,
        f"""
        # {case}: another text, so that nothing is known of this kernel
        def main():
            try:
                launch(torch.zeros(64))
            except Exception:
                pass
        """,
    )
    assert isinstance(error, InternalError), error
    assert error.sentence.startswith("Tilescope itself failed while it worked on fill_kernel (")
    assert "mine.py" not in error.sentence
    assert "main raised" not in error.sentence
    told = failed("kernel-lab", error)
    assert not told.invalid_input
    assert ("RuntimeError" if case == "in torch below ours" else "KeyError: 'lost'") in told.detail


def test_that_counting_that_fails_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.topics.kernel_lab import analysis

    monkeypatch.setattr(analysis, "metrics", lambda *rows: [][0])
    monkeypatch.setattr("core.user_code.stack._OURS", OURS)
    error = error_of(tmp_path, "def main():\n    launch(torch.zeros(64))\n")
    assert isinstance(error, InternalError)
    assert error.sentence.startswith("Tilescope itself failed while it worked on the numbers of the trace (IndexError")


CALLBACKS = {
    "the grid": "fill_kernel[lambda meta: (meta['missing'],)](torch.zeros(64), BLOCK=64)",
    "a hook": "fill_kernel.add_pre_run_hook(lambda *a, **k: {}['missing']); launch(torch.zeros(64))",
    "a pointer": "fill_kernel[(1,)](Pointer(), BLOCK=64)",
}


@pytest.mark.parametrize("case", CALLBACKS)
def test_that_code_of_the_user_that_tilescope_calls_is_theirs(case: str, tmp_path: Path) -> None:
    error = error_of(
        tmp_path,
        f"""
        class Pointer:
            dtype = torch.float32
            asked = 0
            def data_ptr(self):
                self.asked += 1
                return 0 if self.asked < 2 else {{}}['missing']

        def main():
            {CALLBACKS[case]}
        """,
    )
    assert not isinstance(error, InternalError), error
    assert "main raised KeyError: 'missing'." in error.sentence
    assert "mine.py" in error.stack
