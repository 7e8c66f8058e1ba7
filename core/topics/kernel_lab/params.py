"""The parameters of the kernel-lab page."""

from __future__ import annotations

from core.contracts.params import Params, number, switch, text
from core.contracts.text import tr

DEFAULT_FILE = "resources/examples/vector_add.py"


class KernelLabParams(Params):
    """The file and function to trace. `function` '' means `main`, or the only function that launches a kernel."""

    file: str = text(
        DEFAULT_FILE,
        label=tr("File"),
        help=tr("A Python file with Triton kernels and a function that launches them. CPU tensors are sufficient."),
        file_filter="Python (*.py)",
        group=tr("Kernel"),
    )
    function: str = text(
        "",
        label=tr("Function"),
        help=tr("The function to call without arguments. Empty: main, or the only function that launches a kernel."),
        group=tr("Kernel"),
    )
    addresses_only: bool = switch(
        False,
        label=tr("Addresses only"),
        help=tr("Trace only the addresses and skip the arithmetic. This is faster, but the kernels write no results."),
        group=tr("Tracing"),
    )
    memory_budget_mb: int = number(
        2048,
        minimum=64,
        maximum=65536,
        scale="log2",
        label=tr("Memory budget"),
        unit="MB",
        help=tr("Memory for the trace, and for the values of the programs that are executed together."),
        group=tr("Tracing"),
    )
