"""What a compiled NVIDIA kernel needs of each thread, read from its binary by the tool that comes with Triton."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_TIMEOUT_S = 60


def usage(asm: Any) -> tuple[int | None, int]:
    """Registers and bytes of the stack frame, of a thread. Triton's kernels keep no arrays there: it holds spills."""
    import triton

    cuobjdump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
        cubin.write(asm["cubin"])
        cubin.flush()
        command = [str(cuobjdump), "--dump-resource-usage", cubin.name]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S).stdout
    registers, stack, local = (
        [int(count) for count in re.findall(rf"\b{name}:(\d+)", printed)] for name in ("REG", "STACK", "LOCAL")
    )
    return max(registers, default=None), max(stack, default=0) + max(local, default=0)
