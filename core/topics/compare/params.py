"""The parameters of the compare page."""

from __future__ import annotations

from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import tr, tr_in, verbatim
from core.families import FAMILIES
from core.hardware.gpus import GPU_IDS, gpus

OWN_FILE = "file"
EXAMPLE_FILE = "resources/examples/compare_softmax.py"
QUICK, FULL = "quick", "full"
_OF_SIZE = tr("as the size or the file has it")


class CompareParams(Params):
    """`case` and the sweeps are texts such as 'heads=8, mask=none' and 'seq_len=512,1024', because every family, and
    every file, has parameters of its own. What `case` leaves out is as `size` has it. An empty sweep is that of the
    size; 'none' is a single point."""

    family: str = choice(
        "attention",
        *FAMILIES,
        OWN_FILE,
        labels={
            **{family_id: known.label for family_id, known in FAMILIES.items()},
            OWN_FILE: tr("a file of your own"),
        },
        label=tr("Family"),
        help=tr("The operation whose implementations are compared."),
        group=tr("Comparison"),
    )
    file: str = text(
        "",
        label=tr("File"),
        help=tr(
            "For a comparison of your own: a Python file with functions impl_... and reference. Empty: an example."
        ),
        file_filter="Python (*.py)",
        group=tr("Comparison"),
        if_empty=tr("the example"),
    )
    functions: str = text(
        "",
        label=tr("Functions"),
        help=tr("The functions of the file to compare, separated by commas. Empty: all whose names begin with impl_."),
        group=tr("Comparison"),
        if_empty=tr("all, impl_…"),
    )
    contenders: str = text(
        "",
        label=tr("Implementations"),
        help=tr("The implementations to compare, separated by commas. Empty: all."),
        group=tr("Comparison"),
        if_empty=tr_in("implementations", "all"),
    )
    size: str = choice(
        QUICK,
        QUICK,
        FULL,
        labels={QUICK: tr("seconds on a CPU"), FULL: tr("as on a large GPU")},
        label=tr("Size"),
        help=tr("The sizes that hold where none is set."),
        group=tr("Sizes"),
    )
    case: str = text(
        "",
        label=tr("Values"),
        help=tr("Values of the family's parameters, such as heads=8, mask=none. The others keep those of the size."),
        group=tr("Sizes"),
        if_empty=_OF_SIZE,
    )
    sweep: str = text(
        "",
        label=tr("Sweep"),
        help=tr("A parameter and its values, such as seq_len=512,1024. Empty: as the size has it. none: one point."),
        group=tr("Sizes"),
        if_empty=_OF_SIZE,
    )
    second_sweep: str = text(
        "",
        label=tr("Second sweep"),
        help=tr("Another parameter and its values: the first sweep is repeated for each of them."),
        group=tr("Sizes"),
        if_empty=tr_in("sweep", "none"),
    )
    checked: bool = switch(
        True,
        label=tr("Check"),
        help=tr("Check against float64. Without it, Triton kernels are only traced and compiled, and nothing runs."),
        group=tr("Timing"),
    )
    timed: bool = switch(
        True,
        label=tr("Time"),
        help=tr("Time what passed its check. Without it, errors, bytes and compiled code remain."),
        group=tr("Timing"),
    )
    rounds: int = number(
        20,
        minimum=3,
        maximum=500,
        label=tr("Rounds"),
        help=tr("Samples of each implementation. Eight are the fewest that can tell two of them apart."),
        group=tr("Timing"),
    )
    budget_s: float = number(
        2.0,
        minimum=0.1,
        maximum=600,
        step=0.5,
        label=tr("Time per point"),
        unit="s",
        help=tr("Rounds end after this time, but not before the third."),
        group=tr("Timing"),
    )
    threads: int = number(
        0,
        minimum=0,
        maximum=512,
        label=tr("CPU threads"),
        help=tr("Threads of PyTorch while it is timed on a CPU. 0: as many as it takes by itself."),
        group=tr("Timing"),
    )
    graphs: bool = switch(
        False,
        label=tr("CUDA graphs"),
        help=tr("On a GPU, time replays of CUDA graphs, which have no launch overhead."),
        group=tr("Timing"),
    )
    traced: bool = switch(
        True,
        label=tr("Trace"),
        help=tr("Count the bytes and FLOPs of Triton kernels from their addresses."),
        group=tr("Kernels"),
    )
    compiled: bool = switch(
        True,
        label=tr("Compile"),
        help=tr("Compile the Triton kernels for the GPU below, and show registers, shared memory and spills."),
        group=tr("Kernels"),
    )
    gpu: str = choice(
        "h200",
        *GPU_IDS,
        labels={gpu_id: verbatim(known.name) for gpu_id, known in gpus().items()},
        label=tr("GPU"),
        help=tr("The GPU that kernels are tiled, compiled and modelled for where there is none."),
        group=tr("Kernels"),
    )
    virtual_gpu: bool = switch(
        False,
        label=tr("Virtual GPU"),
        help=tr(
            "Without a GPU here, a file of your own finds the GPU above in host memory: device is cuda, and nothing is "
            "timed."
        ),
        group=tr("Kernels"),
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label=tr("Seed"), help=tr("Seed of the random inputs."), group=tr("Inputs")
    )
    recordings: str = text(
        "",
        label=tr("Recordings"),
        help=tr("A recording, or a folder of them, to show beside the run."),
        file_filter=tr("Recordings (*.json)"),
        if_empty=tr_in("recordings", "none"),
        group=tr("Recordings"),
        view_only=True,
    )
