import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, np.ndarray]:
    """What Triton's interpreter makes of every case: outputs and addresses. One process for all of them."""
    path = tmp_path_factory.mktemp("interpreter") / "cases.npz"
    command = [sys.executable, "-m", "tests.interpreter.interpreter_run", str(path)]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False
    )
    if "only 0-dimensional arrays can be converted to Python scalars" in done.stderr:
        pytest.skip("the interpreter of this Triton does not run on this numpy")
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}
