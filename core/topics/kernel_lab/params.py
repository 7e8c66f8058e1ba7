"""The parameters of the kernel-lab page."""

from __future__ import annotations

from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import tr, tr_in, verbatim
from core.hardware.gpus import GPU_IDS, gpus

DEFAULT_FILE = "resources/examples/vector_add.py"


class KernelLabParams(Params):
    """The file and function to trace.

    `function` '' means `main`, or the only function that launches a kernel, or the file as a script (`__main__`).
    """

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
        help=tr(
            "The function to call without arguments. Empty: main, or the only function that launches a kernel, or the "
            "file as a script, which is __main__."
        ),
        group=tr("Kernel"),
    )
    arguments: str = text(
        "",
        label=tr("Arguments"),
        help=tr(
            "The command line of the file, as after python FILE. It is then run as a script if no function is set."
        ),
        if_empty=tr_in("arguments", "none"),
        group=tr("Kernel"),
    )
    gpu: str = choice(
        "rtx-4090",
        *GPU_IDS,
        labels={gpu_id: verbatim(known.name) for gpu_id, known in gpus().items()},
        label=tr("GPU"),
        help=tr("Without a GPU here, the file finds one of this kind in host memory: a virtual CUDA device."),
        group=tr("Kernel"),
    )
    addresses_only: bool = switch(
        False,
        label=tr("Addresses only"),
        help=tr("Trace only the addresses and skip the arithmetic. This is faster, but the kernels write no results."),
        group=tr("Tracing"),
    )
    config: int = number(
        0,
        minimum=0,
        maximum=4096,
        label=tr("Configuration"),
        help=tr(
            "The number of the configuration that autotuned kernels run, as listed under Findings. 0: the first that "
            "pruning leaves and Triton compiles."
        ),
        group=tr("Tracing"),
    )
    try_configs: bool = switch(
        False,
        label=tr("Try all configurations"),
        help=tr(
            "Also trace and compile every configuration of autotuned kernels on the same tensors, and compare traffic, "
            "registers and results. What they wrote is taken back."
        ),
        group=tr("Tracing"),
    )
    prove: bool = switch(
        False,
        label=tr("Prove for all sizes"),
        help=tr(
            "Also say for each kernel whether it stays in bounds and has no write-write race for all sizes, not only "
            "for those of this run: a proof, a smallest counterexample, or the line because of which neither is known."
        ),
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
    time_limit_s: int = number(
        300,
        minimum=0,
        maximum=86400,
        label=tr("Time limit"),
        unit="s",
        help=tr(
            "After this time the function is stopped, and the result holds the launches so far: for scripts that "
            "repeat their launches thousands of times. 0: no limit. Counting and checking the launches comes after it."
        ),
        group=tr("Tracing"),
    )
