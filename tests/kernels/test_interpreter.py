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
    families = ("triton_attention", "attention_gradients", "decode_kernels")
    tests = [f"tests/kernels/test_{family}.py" for family in families]
    chosen = (
        "see_no_key or views or scores or (error_is_that_of_torch and float32 and (130x63 or 63x130 or 1x77)) "
        "or sees_no_key or neither_get_nor_give"
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
