"""Trainings with a mistake beside the sound one: losses that look the same, and what the models do. Regroups only."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.contracts.text import Text, tr, tr_in, tr_plural
from core.topics.dialogue.choices import DROP_MASK, FORGET_DOCUMENT_MASK, ONE_PASS, PAD_WITH_END
from core.topics.dialogue.result import Behaviour, Curve, DialogueResult, Generation, LeakedAnswer
from gui.charts.series import Series
from gui.theme import Theme, mix
from gui.widgets.html_view import coloured, safe

SOUND = "sound"
_SHOWN_LEAKS = 3
LABELS: Mapping[str, Text] = {
    SOUND: tr_in("training", "sound"),
    DROP_MASK: tr_in("training", "no loss mask"),
    PAD_WITH_END: tr_in("training", "padded with the end"),
    FORGET_DOCUMENT_MASK: tr_in("training", "no document mask"),
}
COLOURS: Mapping[str, int] = {SOUND: 2, DROP_MASK: 4, PAD_WITH_END: 1, FORGET_DOCUMENT_MASK: 3}
_SPECIAL = re.compile(r"(&lt;\S+?&gt;)")
"""Special tokens in escaped text, in any of the usual notations."""


@dataclass(frozen=True)
class TrainedModel:
    """One training: sound, or with a mistake."""

    name: str
    curve: Curve
    behaviour: Behaviour | None
    finished: bool


def trained_models(result: DialogueResult | None) -> tuple[TrainedModel, ...]:
    """The sound training first, as far as each has come."""
    if result is None:
        return ()
    models = []
    sound = result.way(ONE_PASS)
    if sound is not None and sound.curve.steps:
        models.append(TrainedModel(SOUND, sound.curve, result.behaviour, sound.finished))
    models += [
        TrainedModel(run.mistake, run.curve, run.behaviour, run.finished) for run in result.sabotages if run.curve.steps
    ]
    return tuple(models)


def loss_series(models: tuple[TrainedModel, ...]) -> list[Series]:
    """The training loss of each."""
    return [
        Series(
            str(LABELS[model.name]),
            np.arange(1, model.curve.steps + 1),
            model.curve.loss,
            COLOURS[model.name],
            key=model.name,
            in_legend=False,
        )
        for model in models
    ]


def behaviour_html(models: tuple[TrainedModel, ...], chosen: str, result: DialogueResult | None, theme: Theme) -> str:
    """What each model does when it speaks, and generations of the chosen one."""
    head = coloured(safe(tr("share that stops · that speaks for the user")), theme.muted)
    lines = [head, *(_shares_html(model, model.name == chosen, theme) for model in models)]
    parts = ["<br>".join(lines)]
    model = next((model for model in models if model.name == chosen), None)
    if model is None:
        return "".join(parts)
    if chosen == FORGET_DOCUMENT_MASK:
        parts += _leak_html(result, theme)
    if model.behaviour is not None:
        parts += [_generation_html(shown, theme) for shown in model.behaviour.shown]
    elif not model.finished:
        going = tr("The training goes on.")
        parts.append(f"<p>{coloured(safe(going), theme.muted)}</p>")
    return "".join(parts)


def _shares_html(model: TrainedModel, is_chosen: bool, theme: Theme) -> str:
    """The name of a training in the colour of its line, and what the model does in numbers."""
    behaviour = model.behaviour
    stops = math.nan if behaviour is None else behaviour.stops
    speaks = math.nan if behaviour is None else behaviour.speaks_for_user
    name = coloured(
        f"━ <b>{safe(LABELS[model.name])}</b>",
        theme.series[COLOURS[model.name]],
        theme.accent_soft if is_chosen else "",
    )
    first = coloured(_share(stops), theme.bad if stops < 0.5 else theme.text)
    second = coloured(_share(speaks), theme.bad if speaks > 0.5 else theme.text)
    return f"{name} {first} · {second}"


def _share(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.0%}"


def _generation_html(generation: Generation, theme: Theme) -> str:
    """A generation, its end marked: what follows it would never be seen; special tokens stand out."""
    prompt = coloured(safe(generation.prompt), theme.muted)
    text = _SPECIAL.sub(lambda token: coloured(f"<b>{token[1]}</b>", theme.accent), safe(generation.text))
    if generation.ended < 0:
        end: Text = tr("It does not stop.")
    else:
        end = tr_plural("It stops after {count} token.", "It stops after {count} tokens.", count=generation.ended)
    verdict = coloured(safe(end), theme.bad if generation.ended < 0 else theme.good)
    if generation.speaks_for_user:
        verdict += " " + coloured(safe(tr("It speaks for the user.")), theme.bad)
    expected = coloured(safe(tr("expected: {text}", text=generation.expected)), theme.muted)
    return f"<p>{prompt}<br>{text}<br>{verdict} {expected}</p>"


def _leak_html(result: DialogueResult | None, theme: Theme) -> list[str]:
    """Answers that take what another conversation of the row told."""
    answers = () if result is None else [answer for answer in result.leaked_answers if answer.took]
    return [_leaked_html(answer, theme) for answer in list(answers)[:_SHOWN_LEAKS]]


def _leaked_html(answer: LeakedAnswer, theme: Theme) -> str:
    told = tr("before it: {text}", text=answer.neighbour)
    return (
        f"<p>{coloured(safe(answer.question), theme.accent)}<br>"
        f"{coloured(safe(answer.packed), theme.text, mix(theme.sunken, theme.bad, 0.35))}<br>"
        f"{coloured(safe(told), theme.muted)}</p>"
    )
