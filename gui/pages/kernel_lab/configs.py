"""The list of the configurations of autotuned kernels."""

from __future__ import annotations

from operator import attrgetter

from core.contracts.text import Text, tr, tr_in
from core.format import format_quantity
from core.topics.kernel_lab.result import ConfigRow
from gui.widgets.record_model import Column

NO_CONFIGS = tr("The configurations of autotuned kernels are listed here. Click one to run it.")


def _tip(row: ConfigRow) -> str:
    if row.problem:
        return str(row.problem)
    if row.chosen:
        return str(tr("{kernel} ran this configuration.", kernel=row.function))
    if row.kept is False:
        return str(tr("Pruning leaves this configuration out. Click it to run it anyway."))
    return str(tr("Click to run {kernel} with this configuration.", kernel=row.function))


def _tone(row: ConfigRow) -> str:
    return "bad" if row.problem else "good" if row.chosen else "faint" if row.kept is False else ""


def _number(name: str, title: Text, help: Text) -> Column[ConfigRow]:
    return Column(name, title, help, attrgetter(name), missing="", tip=_tip)


def _bytes(name: str, title: Text, help: Text) -> Column[ConfigRow]:
    return Column(
        name,
        title,
        help,
        attrgetter(name),
        lambda size: format_quantity(size, "bytes"),
        missing="",
        mono=False,
        tip=_tip,
    )


CONFIG_COLUMNS: tuple[Column[ConfigRow], ...] = (
    Column("number", tr_in("column", "No."), tr("The number of the configuration"), attrgetter("number"), tip=_tip),
    Column(
        "config", tr("Configuration"), tr("The parameters of the configuration"), lambda row: row.config,
        number=False, tip=_tip, tone=_tone, stretch=True,
    ),
    _bytes("read_bytes", tr("Read"), tr("Bytes that the launch read")),
    _bytes("written_bytes", tr("Written"), tr("Bytes that the launch wrote")),
    _number("registers", tr("Registers"), tr("Registers of a thread")),
    _number("spills", tr("Spills"), tr("Registers of a thread that are kept in memory")),
    Column(
        "difference", tr("Difference"), tr("The largest difference of a result from that of the first configuration"),
        attrgetter("difference"), lambda apart: f"{apart:.3g}", missing="", tip=_tip,
    ),
)  # fmt: skip
