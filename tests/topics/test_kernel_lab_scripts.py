"""Files that are run as scripts, with a command line, on a virtual GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.contracts.errors import InvalidParams, RunFailed
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import plan
from tests.topics.test_kernel_lab_files import run

pytest.importorskip("triton")

SCRIPT = """
import argparse, sys
import torch, triton, triton.language as tl

@triton.jit
def fill(x_ptr, N: tl.constexpr):
    tl.store(x_ptr + tl.arange(0, N), 1.0)

def launch(size):
    x = torch.empty(size, device="cuda")
    fill[(1,)](x, N=size)
    print(__name__, x.device, sys.argv[1:], torch.cuda.get_device_capability())

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=8)
    launch(parser.parse_args().size)
    sys.exit(0)
"""


def params(folder: Path, text: str = SCRIPT, **given: str) -> KernelLabParams:
    path = folder / "script.py"
    path.write_text(text)
    return KernelLabParams.parse({"file": str(path), **given})


def test_that_a_script_runs_as_main_with_its_arguments_on_the_gpu_of_the_page(tmp_path: Path) -> None:
    result = run(params(tmp_path, arguments="--size '16'", gpu="h200"))
    assert result.value("accesses") == 16
    (printed,) = result.log
    assert printed.text == "__main__ cuda:0 ['--size', '16'] (9, 0)\n"


def test_that_a_file_without_a_function_to_call_is_run_as_a_script(tmp_path: Path) -> None:
    assert plan(params(tmp_path)).function == "__main__"
    assert run(params(tmp_path)).value("accesses") == 8
    called = SCRIPT + "\ndef main():\n    launch(4)\n"
    assert plan(params(tmp_path, called)).function == "main"
    assert run(params(tmp_path, called, function="__main__")).value("accesses") == 8


def test_that_errors_of_scripts_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"script\.py:17: the script called sys\.exit\(2\)"):
        run(params(tmp_path, arguments="--unknown"))
    with pytest.raises(RunFailed, match=r"script\.py:2: the script raised ValueError: wrong\."):
        run(params(tmp_path, "\nraise ValueError('wrong')", function="__main__"))
    with pytest.raises(InvalidParams, match=r"launched no Triton kernel.* another GPU than NVIDIA H200"):
        run(params(tmp_path, "print('this needs a B200')", gpu="h200"))
    with pytest.raises(InvalidParams, match="close the quote") as caught:
        run(params(tmp_path, arguments="--size 'unclosed"))
    assert caught.value.field == "arguments"
