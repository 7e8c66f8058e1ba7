"""Three ways to train on a conversation as rows and series. Regroups; computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core.contracts.text import Text, tr, tr_in, tr_plural, verbatim
from core.format import format_quantity
from core.topics.dialogue.choices import LAST_TURN_WAY, ONE_PASS, PER_TURN, WAY_LABELS
from core.topics.dialogue.result import DialogueResult, Equality, WayRun
from core.topics.dialogue.ways import WayCost
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.series import Series

WAY_NAMES: Mapping[str, Text] = {
    LAST_TURN_WAY: tr_in("way to train", "last turn only"),
    PER_TURN: tr_in("way to train", "one per turn"),
    ONE_PASS: tr_in("way to train", "all in one pass"),
}
WAY_COLOURS: Mapping[str, int] = {LAST_TURN_WAY: 1, PER_TURN: 3, ONE_PASS: 2}
_LEARNED, _WASTED, _LOST = Ink("good", 0.75), Ink("muted", 0.45), Ink("bad", 0.8)


def cost_rows(conversation: Sequence[WayCost], training: Sequence[WayCost]) -> RowSpec | None:
    """What each way computes, and what of it it learns from: for the page's conversation and for the training set."""
    bands = []
    if conversation:
        bands.append(Band(tuple(map(_cost_row, conversation)), str(tr("Conversation"))))
    if training:
        title = tr("Training set")
        bands.append(Band(tuple(map(_cost_row, training)), str(title)))
    if not bands:
        return None
    columns = (
        Column((str(tr("tokens computed")), str(tr("tokens"))), share=2.0, has_axis=False),
        Column((str(tr("targets lost")),), limits=(0.0, 1.0), has_axis=False),
    )
    legend = (
        LegendKey(str(tr("learned from")), _LEARNED),
        LegendKey(str(tr("only context")), _WASTED),
        LegendKey(str(tr("never learned from")), _LOST),
    )
    return RowSpec(columns, tuple(bands), (legend,))


def _cost_row(cost: WayCost) -> Row:
    tokens = Cell(
        bars=((Segment(cost.targets, _LEARNED), Segment(cost.tokens - cost.targets, _WASTED)),),
        texts=(
            str(tr("{tokens:,}, {waste:.0%} wasted", tokens=cost.tokens, waste=cost.waste)),
            f"{cost.tokens:,}",
        ),
    )
    lost = Cell(bars=((Segment(cost.lost, _LOST),),), texts=(f"{cost.lost:.0%}",))
    lines = (
        WAY_LABELS[cost.way],
        tr_plural(
            "{count:,} example of {tokens:,} tokens",
            "{count:,} examples of {tokens:,} tokens together",
            count=cost.examples,
            tokens=cost.tokens,
        ),
        tr("{targets:,} of {all:,} targets are learned from", targets=cost.targets, all=cost.all_targets),
        tr("{waste:.1%} of the tokens are computed for nothing but context", waste=cost.waste),
    )
    return Row(str(WAY_NAMES[cost.way]), (tokens, lost), "\n".join(map(str, lines)), cost.way)


def accuracy_series(runs: Sequence[WayRun]) -> list[Series]:
    """The share of right answers over the tokens computed; one ring per evaluation, further seeds faint behind."""
    found = []
    for run in runs:
        curve = run.curve
        if len(curve.eval_step) < 2:
            continue
        is_first = run.seed == runs[0].seed
        correct = np.asarray(curve.eval_correct, dtype=np.float64).mean(axis=1)
        style = "rings" if is_first else "faint"
        found.append(
            Series(
                str(WAY_NAMES[run.way]),
                curve.eval_tokens,
                correct,
                WAY_COLOURS[run.way],
                style,
                key=run.way,
                in_legend=is_first,
            )  # type: ignore[arg-type]
        )
    return found


def accuracy_read_out(runs: Sequence[WayRun]) -> Callable[[float], str | None]:
    """The right answers of each way once so many tokens were computed, turn by turn."""

    def read(tokens: float) -> str | None:
        lines = [str(tr("after {tokens:,} tokens", tokens=round(tokens)))]
        for run in runs:
            if run.seed == runs[0].seed and len(run.curve.eval_step):
                turns = run.curve.correct_at(tokens)
                shares = ", ".join(f"{share:.0%}" for share in turns.tolist())
                lines.append(
                    str(
                        tr(
                            "{way}: {share:.0%} right (turn by turn {shares})",
                            way=WAY_LABELS[run.way],
                            share=float(turns.mean()),
                            shares=shares,
                        )
                    )
                )
        return "\n".join(lines)

    return read


def history_note(result: DialogueResult | None) -> Text:
    """That the questions need the history."""
    need = None if result is None else result.history
    if need is None or len(need.with_history) < 2:
        return verbatim("")
    return tr(
        "Later turns need the history: {kept:.0%} right with it, {without:.0%} without.",
        kept=float(need.with_history[1:].mean()),
        without=float(need.without_history[1:].mean()),
    )


def gradient_series(equality: Equality | None) -> list[Series]:
    """The difference of the gradients of each parameter, as a share of its norm; zero cannot be drawn on this axis."""
    if equality is None or not equality.names:
        return []
    numbers = np.arange(1, len(equality.names) + 1)
    columns = (
        (tr("each example by its own mean"), equality.unmatched, 4),
        (tr("weighted alike, {precision}", precision="float32"), equality.float32, 1),
        (tr("weighted alike, {precision}", precision="float64"), equality.float64, 2),
        (tr("packed with document mask, {precision}", precision="float64"), equality.packed, 3),
    )
    return [
        Series(str(name), numbers, np.where(values > 0, values, np.nan), colour, "rings")
        for name, values, colour in columns
    ]


def gradient_read_out(equality: Equality | None) -> Callable[[float], str | None]:
    """The differences of one parameter."""

    def read(number: float) -> str | None:
        index = round(number) - 1
        if equality is None or not 0 <= index < len(equality.names):
            return None
        lines = [equality.names[index]]
        for series in gradient_series(equality):
            lines.append(
                str(
                    tr(
                        "{name}: {value}",
                        name=series.name,
                        value=format_quantity(float(np.nan_to_num(series.y[index]))),
                    )
                )
            )
        return "\n".join(lines)

    return read


def gradient_note(equality: Equality | None) -> Text:
    """At which share of the tokens."""
    if equality is None or not equality.per_turn_tokens:
        return verbatim("")
    return tr(
        "One pass computes {share:.0%} of the tokens of one example per turn.",
        share=equality.one_pass_tokens / equality.per_turn_tokens,
    )
