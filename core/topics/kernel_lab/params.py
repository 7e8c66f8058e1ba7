"""The parameters of the kernel-lab page."""

from __future__ import annotations

from core.contracts.params import Params, number, switch, text

DEFAULT_FILE = "resources/examples/vector_add.py"


class KernelLabParams(Params):
    """The file and function to trace. `function` '' means `main`, or the only function that launches a kernel."""

    file: str = text(
        DEFAULT_FILE,
        label="File",
        help="A Python file with Triton kernels and a function that launches them. CPU tensors are sufficient.",
        file_filter="Python (*.py)",
        group="Kernel",
    )
    function: str = text(
        "",
        label="Function",
        help="The function to call without arguments. Empty: main, or the only function that launches a kernel.",
        group="Kernel",
    )
    addresses_only: bool = switch(
        False,
        label="Addresses only",
        help="Trace only the addresses and skip the arithmetic. This is faster, but the kernels write no results.",
        group="Tracing",
    )
    memory_budget_mb: int = number(
        2048,
        minimum=64,
        maximum=65536,
        scale="log2",
        label="Memory budget",
        unit="MB",
        help="Memory for the values of the programs that are executed together.",
        group="Tracing",
    )
