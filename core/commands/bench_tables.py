"""Prints the runs of `bench`: one table per point, with times, verdicts and errors; and what got slower."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.compiling.record import CompiledKernel
from core.contracts.text import Text as Message
from core.contracts.text import listed, tr, tr_plural, verbatim
from core.families import FAMILIES
from core.families.axes import case_text
from core.format import format_quantity, quantity
from core.hardware.gpus import gpus
from core.hardware.noise import Difference, Verdict
from core.recordings.changes import Change, Regressions
from core.recordings.run import FamilyRun, Outcome, Point, share_of_ceiling

_STYLES = {Verdict.FASTER: "green", Verdict.SLOWER: "red", Verdict.SAME: "dim", Verdict.UNKNOWN: "dim"}
_LEAST_WIDTH = 150
"""In columns: the width that the numbers need, used in a pipe and a narrower terminal too."""


def print_run(console: Console, run: FamilyRun, notices: Sequence[Message] = ()) -> None:
    """The device and its ceilings, then every point, and what a reader of the numbers should know."""
    console.width = max(console.width, _LEAST_WIDTH)
    label = FAMILIES[run.family].label if run.family in FAMILIES else verbatim(run.file)
    console.print(Text(str(tr("{family} on {device}", family=label, device=run.device.label)), style="bold"))
    if run.ceilings:
        reached = (
            tr(
                "{ceiling} {rate}",
                ceiling=ceiling.label,
                rate=quantity(ceiling.per_s, ceiling.unit),
            )
            for ceiling in run.ceilings
        )
        console.print(Text(str(tr("Measured ceilings: {ceilings}", ceilings=listed(reached))), style="dim"))
    for point in run.points:
        console.print()
        console.print(Text(case_text(point.case)))
        if point.problem:
            console.print(Text(f"  {point.problem}", style="yellow"))
        else:
            console.print(_table(run, point))
    console.print()
    for remark in _remarks(run):
        console.print(remark, soft_wrap=True)
    for notice in notices:
        console.print(Text(f"  {notice}", style="yellow"), soft_wrap=True)
    kernels = _kernels(run)
    if kernels is not None:
        console.print(kernels)
    console.print()


def print_regressions(console: Console, run: FamilyRun, found: Regressions) -> None:
    """What is slower than the baseline beyond noise, and what has no right result any more; or that nothing is."""
    name = run.name
    for change in found.lost:
        lost = tr(
            "{family}, {impl} at {case}: no right result any more: {reason}",
            family=name,
            impl=change.b.label,
            case=case_text(change.case),
            reason=change.lost_reason,
        )
        console.print(Text(str(lost), style="bold red"), soft_wrap=True)
    for change in found.slower:
        console.print(Text(str(_slower(name, change)), style="red"), soft_wrap=True)
    if not found.found and not found.compared:
        no_times = tr("{family}: the two runs have no times in common, so nothing was compared.", family=name)
        console.print(Text(str(no_times), style="yellow"), soft_wrap=True)
    elif not found.found:
        nothing = tr_plural(
            "{family}: of {count} time that both runs have, none is longer by more than {share:.0%}.",
            "{family}: of {count} times that both runs have, none is longer by more than {share:.0%}.",
            count=found.compared,
            family=name,
            share=found.threshold - 1,
        )
        console.print(Text(str(nothing), style="green"), soft_wrap=True)


def _slower(name: str, change: Change) -> Message:
    assert change.time is not None
    return tr(
        "{family}, {impl} at {case}: {ratio:.2f} times as long as before ({low:.2f} to {high:.2f})",
        family=name,
        impl=change.b.label,
        case=case_text(change.case),
        ratio=change.time.ratio,
        low=change.time.low,
        high=change.time.high,
    )


def _table(run: FamilyRun, point: Point) -> Table:
    """Columns in which no implementation has a value are left out."""
    modelled_on = gpus().get(run.gpu)
    titles = (
        tr("implementation"), tr("time"), tr("spread"), tr("× baseline"), tr("speed"), tr("of ceiling"),
        tr("RMS error"), tr("traced bytes"),
        tr("modelled") if modelled_on is None else tr("modelled on {gpu}", gpu=modelled_on.name),
    )  # fmt: skip
    rows = [_row(run, point, outcome) for outcome in point.outcomes]
    kept = [index for index in range(len(titles)) if index == 0 or any(str(row[index]) for row in rows)]
    table = _empty_table([titles[index] for index in kept])
    for row in rows:
        table.add_row(*(row[index] for index in kept))
    return table


def _empty_table(titles: Sequence[Message]) -> Table:
    """The first column is a name, the others are numbers; nothing is wrapped."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in titles:
        table.add_column(str(title), justify="right" if table.columns else "left", no_wrap=True)
    return table


def _row(run: FamilyRun, point: Point, outcome: Outcome) -> Sequence[Text | str]:
    share = share_of_ceiling(run, point, outcome)
    error = "" if outcome.rms_error is None else f"{outcome.rms_error:.2e}"
    return (
        Text(f"  {outcome.label}"),
        _time(outcome),
        f"± {format_quantity(outcome.spread_ms / 2, 'ms')}" if outcome.time_ms_samples else "",
        _times(point.difference(run.baseline, outcome.impl), is_baseline=outcome.impl == run.baseline),
        _speed(point, outcome),
        "" if share is None else f"{share[1]:.0%}",
        Text(error, style="bold red" if outcome.passed is False else ""),
        "" if outcome.traced is None else format_quantity(outcome.traced.bytes, "bytes"),
        _band(outcome),
    )


def _time(outcome: Outcome) -> Text | str:
    if outcome.out_of_memory:
        return Text(str(tr("no memory")), style="yellow")
    return "" if outcome.time_ms is None else format_quantity(outcome.time_ms, "ms")


def _times(compared: Difference | None, *, is_baseline: bool) -> Text:
    """How many times as long as the baseline, in the colour of the verdict; '≈' where it cannot be told apart."""
    if compared is None or is_baseline:
        return Text("")
    mark = {Verdict.SAME: "≈ ", Verdict.UNKNOWN: "? "}.get(compared.verdict, "")
    return Text(f"{mark}{compared.ratio:.2f}", style=_STYLES[compared.verdict])


def _speed(point: Point, outcome: Outcome) -> str:
    """FLOPs of the formula per second or, where it has none, bytes."""
    if outcome.time_ms is None:
        return ""
    seconds = outcome.time_ms * 1e-3
    if point.flops:
        return format_quantity(point.flops / seconds, "FLOP/s")
    return format_quantity(point.least_bytes / seconds, "B/s") if point.least_bytes else ""


def _band(outcome: Outcome) -> str:
    band = outcome.modelled
    if band is None:
        return ""
    return f"{format_quantity(band.low_ms, 'ms')} – {format_quantity(band.high_ms, 'ms')}"


def _remarks(run: FamilyRun) -> Iterator[Text]:
    """What is said of contenders, each sentence once: why there is no time, what is wrong, what is different."""
    said: set[str] = set()
    if emulated := _emulated(run):
        yield Text(f"  {emulated}", style="dim")
    for point in run.points:
        for outcome in point.outcomes:
            for text, is_wrong in _sentences(point, outcome):
                sentence = str(tr("{label}: {reason}", label=outcome.label, reason=text))
                if sentence not in said:
                    said.add(sentence)
                    yield Text(f"  {sentence}", style="bold red" if is_wrong else "dim")


def _emulated(run: FamilyRun) -> Message | None:
    """Which implementations have no time because no GPU ran them; None if there is none."""
    outcomes = (outcome for point in run.points for outcome in point.outcomes)
    labels = dict.fromkeys(str(outcome.label) for outcome in outcomes if outcome.runs_on == "emulated")
    if not labels:
        return None
    return tr("No GPU here: the TTIR interpreter executed {labels}, so they have no time.", labels=listed(labels))


def _sentences(point: Point, outcome: Outcome) -> Iterator[tuple[Message, bool]]:
    """Each with whether it says that a result did not pass its check."""
    if outcome.passed is False:
        inaccurate = tr(
            "not accurate enough at {case}: its RMS error is {error:.2e}, and at most {allowed:.2e} is allowed",
            case=case_text(point.case),
            error=math.nan if outcome.rms_error is None else outcome.rms_error,
            allowed=outcome.allowed_rms_error or 0.0,
        )
        yield outcome.reason or inaccurate, True
    elif outcome.reason:
        yield outcome.reason, False
    if outcome.note:
        yield outcome.note, False


def _kernels(run: FamilyRun) -> Table | None:
    """The compiled kernels, each form of them once; None where nothing was compiled."""
    titles = (
        tr("compiled kernel"), tr("implementation"), tr("first at"), tr("GPU"), tr("warps"), tr("stages"),
        tr("registers"), tr("spilled"), tr("shared memory"), tr("instructions"),
    )  # fmt: skip
    table = _empty_table(titles)
    found: dict[CompiledKernel, tuple[str, str]] = {}
    for point in run.points:
        where = case_text({name: point.case[name] for name in run.swept if name in point.case})
        for outcome in point.outcomes:
            for kernel in outcome.compiled:
                found.setdefault(kernel, (str(outcome.label), where))
    for kernel, (label, where) in found.items():
        if kernel.problem:
            table.add_row(Text(f"  {kernel.function}"), label, where, kernel.target, Text(str(kernel.problem), "red"))
            continue
        table.add_row(
            Text(f"  {kernel.function}"),
            Text(label),
            Text(where),
            kernel.target,
            str(kernel.num_warps),
            str(kernel.num_stages),
            str(kernel.registers),
            Text(format_quantity(float(kernel.spilled_bytes or 0), "bytes"), "red" if kernel.spilled_bytes else ""),
            format_quantity(float(kernel.shared_bytes or 0), "bytes"),
            " ".join(kernel.instructions),
        )
    return table if found else None
