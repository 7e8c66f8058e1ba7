"""A page whose first run should come within seconds of a cold start does not import what it never needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys
from core.topics.flash_attention import TOPIC
params = TOPIC.params(seq_len=64, heads=1, kv_heads=1)
for _ in TOPIC.load_live_experiment()(params, "cpu"):
    pass
print(*(name for name in ("torch._dynamo", "sympy") if name in sys.modules))
"""


def test_that_a_live_run_of_flash_attention_imports_neither_dynamo_nor_sympy() -> None:
    """Both together took longer than the run itself."""
    pytest.importorskip("triton")
    done = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
