"""Remarks on the kernels of a run: from which size on an index of 32 bits wraps."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from core.contracts.errors import InternalError
from core.contracts.text import Text, tr, verbatim
from core.engine.steps import ProgressCallback
from core.format import quantity
from core.hardware.gpus import Gpu
from core.interpreter.frontend import Kernel
from core.interpreter.ir import Operation
from core.interpreter.shadows.births import CAST_TO_INT64
from core.proofs.ahead import Ahead, ahead
from core.proofs.expressions import expression
from core.sanitizer import kinds
from core.topics.kernel_lab.experiment.proving import Launches
from core.trace.tables import FaultRow
from core.user_code.own_work import own_work
from core.user_code.paths import in_project, shown


def wraps_ahead(
    launches: Launches, first: Mapping[str, int], gpu: Gpu, progress: ProgressCallback
) -> tuple[list[FaultRow], list[Text]]:
    """What wraps first in each kernel at sizes that fit into the memory of the GPU, at its first launch; and what
    Tilescope itself failed with, which costs no other finding."""
    largest, rows, failures = launches.largest(), list[FaultRow](), list[Text]()
    for number, (kernel, seen) in enumerate(largest):
        progress(number, len(largest), tr("looking for indices of {kernel} that will wrap", kernel=kernel.name))
        try:
            with own_work(tr("the indices of {kernel} that will wrap", kernel=kernel.name)):
                for found in ahead(kernel.plan.function, seen, gpu.memory_bytes):
                    operation = found.check.operation
                    assert operation is not None
                    rows.append(_row(found, operation, kernel, gpu, first.get(kernel.name, 0)))
        except InternalError as error:
            failures.append(error.text)
    return rows, failures


def _row(found: Ahead, operation: Operation, kernel: Kernel, gpu: Gpu, launch: int) -> FaultRow:
    location, tensor = operation.location, kernel.plan.function.arguments[found.tensor].name
    return FaultRow(
        launch=launch,
        kind=kinds.ADDRESS_OVERFLOW_AHEAD,
        tensor=tensor,
        file=shown(location.file),
        line=location.line,
        program=-1,
        other_program=None,
        index=-1,
        count=1,
        sentence=in_project(_sentence(found, operation, kernel.name, tensor, gpu)),
        severity="remark",
        function=kernel.name,
        repair=CAST_TO_INT64,
        value=str(found.launch.size),
    )


def _sentence(found: Ahead, operation: Operation, kernel: str, tensor: str, gpu: Gpu) -> Text:
    shape = ", ".join(f"{dim:,}" for dim in found.launch.tensors[found.tensor].shape).join("[]")
    return tr(
        "In {kernel} at {location}, {expression} is computed in {bits} bits. It fits in this run, but wraps from "
        "{size} = {value:,} on (here it is {now:,}). Then the launch has {programs:,} programs, {tensor} has the shape "
        "{shape}, and all tensors take {bytes}, which fit into the {memory} of {gpu}.",
        kernel=kernel,
        location=operation.location.label,
        expression=expression(operation),
        bits=found.check.bits,
        size=found.size,
        value=found.launch.size,
        now=found.now,
        programs=prod(found.launch.grid),
        tensor=tensor,
        shape=verbatim(shape),
        bytes=quantity(found.launch.bytes, "B"),
        memory=quantity(gpu.memory_bytes, "B"),
        gpu=gpu.name,
    )
