import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.conftest import INTERPRETED

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(INTERPRETED, reason="this is that run")
def test_that_the_kernels_are_right_in_tritons_own_interpreter() -> None:
    """A second opinion beside the tracer's: the same tests on another executor, chosen before Triton is imported."""
    pytest.importorskip("triton")
    tests = ["tests/kernels/test_triton_attention.py", "tests/kernels/test_decode_kernels.py"]
    chosen = (
        "see_no_key or views or scores or (error_is_that_of_torch and float32 and (130x63 or 63x130 or 1x77)) "
        "or sees_no_key"
    )

    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-p", "no:cacheprovider", "-p", "no:xdist", "-k", chosen],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )

    assert outcome.returncode == 0, outcome.stdout
    assert "passed" in outcome.stdout
    assert "skipped" not in outcome.stdout
