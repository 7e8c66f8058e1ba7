"""The parameters of the kernel-lab page."""

from __future__ import annotations

from core.contracts.params import Params, number, switch, text

DEFAULT_FILE = "resources/examples/vector_add.py"


class KernelLabParams(Params):
    """Which function of which file to trace. `function` '' is `main`, or the only function that launches."""

    file: str = text(
        DEFAULT_FILE,
        label="File",
        help="A Python file with Triton kernels and a function that launches them; CPU tensors will do.",
        file_filter="Python (*.py)",
        group="Kernel",
    )
    function: str = text(
        "",
        label="Function",
        help="The function to call, without arguments. Empty: main, or the only one that launches a kernel.",
        group="Kernel",
    )
    addresses_only: bool = switch(
        False,
        label="Addresses only",
        help="Skip the arithmetic and follow the addresses alone: faster, and what the kernels compute is not written.",
        group="Tracing",
    )
    memory_budget_mb: int = number(
        2048,
        minimum=64,
        maximum=65536,
        scale="log2",
        label="Memory budget",
        unit="MB",
        help="What the values of the programs that are executed together may take.",
        group="Tracing",
    )
