"""The table of compiled kernels: what the compiler says each takes of the chosen GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.compiling.record import CompiledKernel
from core.contracts.text import Text, tr
from core.format import format_quantity
from gui.pages.compare.shown import Shown
from gui.widgets.figure import sram_bytes
from gui.widgets.record_model import Column

EMPTY = tr("No implementation here is a Triton kernel: there is nothing to compile.")


@dataclass(frozen=True)
class CompiledRow:
    """One kernel of an implementation at the point that is looked at; `kernel` is None before it was compiled."""

    impl: str
    label: Text
    number: int
    kernel: CompiledKernel | None
    remark: Text | None


def compiled_rows(shown: Shown) -> Iterator[CompiledRow]:
    """The kernels of the Triton implementations, in the order of their launches."""
    point = shown.point(shown.run)
    for contender in shown.plan.contenders:
        if contender.kind != "triton":
            continue
        outcome = None if point is None else point.outcome(contender.id)
        if outcome is None or not outcome.compiled:
            yield CompiledRow(contender.id, contender.label, 0, None, _why_not(shown, outcome is not None))
            continue
        for number, kernel in enumerate(outcome.compiled):
            yield CompiledRow(contender.id, contender.label, number, kernel, kernel.problem or None)


def _why_not(shown: Shown, was_run: bool) -> Text:
    if not shown.plan.params.compiled:
        return tr("Switch “Compile” on in the form.")
    return tr("It was not compiled here.") if was_run else tr("not run yet")


COLUMNS: tuple[Column[CompiledRow], ...] = (
    Column("impl", tr("Implementation"), tr("The implementation"), lambda row: row.label, number=False,
           order=lambda row: str(row.label)),
    Column("kernel", tr("Kernel"), tr("The compiled function"),
           lambda row: None if row.kernel is None else row.kernel.function, number=False, mono=True),
    Column("target", tr("Target"), tr("The GPU that it was compiled for"),
           lambda row: None if row.kernel is None else row.kernel.target, number=False),
    Column("registers", tr("Registers"), tr("Registers of a thread"),
           lambda row: None if row.kernel is None else row.kernel.registers),
    Column("spills", tr("Spills"), tr("Bytes that a thread keeps in memory for lack of registers"),
           lambda row: None if row.kernel is None else row.kernel.spilled_bytes,
           lambda value: format_quantity(value, "bytes"), unit="bytes",
           tone=lambda row: "bad" if row.kernel is not None and row.kernel.spilled_bytes else ""),
    Column("shared", tr("Shared memory"), tr("Shared memory of a thread block"),
           lambda row: None if row.kernel is None else row.kernel.shared_bytes, sram_bytes, unit="bytes"),
    Column("warps", tr("Warps"), tr("Warps of a thread block"),
           lambda row: None if row.kernel is None else row.kernel.num_warps or None),
    Column("stages", tr("Stages"), tr("Stages of the software pipeline"),
           lambda row: None if row.kernel is None else row.kernel.num_stages or None),
    Column("instructions", tr("Instructions"), tr("Special instructions that it contains"),
           lambda row: None if row.kernel is None else ", ".join(row.kernel.instructions) or None, number=False),
    Column("remark", tr("Remark"), tr("Why it was not compiled"), lambda row: row.remark, number=False,
           order=lambda row: str(row.remark), stretch=True),
)  # fmt: skip
