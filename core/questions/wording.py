"""Phrases about questions: what a run found, what was guessed, how long runs take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.contracts.claims import Verdict
from core.contracts.text import EMPTY, Text, tr, tr_in, tr_plural, verbatim
from core.format import quantity

if TYPE_CHECKING:
    from core.questions.question import Question

OUTCOMES: Mapping[str, Text] = {
    "right": tr_in("outcome", "right"),
    "close": tr_in("outcome", "close"),
    "wrong": tr_in("outcome", "missed"),
}
"""By `Outcome`."""


def guessed(question: Question, value: Any) -> Text:
    """A guess or the truth as the user reads it: a number with its unit, an option, or a verdict."""
    from core.questions.guesses import NumberGuess

    if isinstance(value, Verdict):
        return value.label
    if isinstance(question.guess, NumberGuess):
        return quantity(float(value), question.guess.unit)
    return question.options.get(value, EMPTY)


def found(question: Question, metrics: Mapping[str, Any], truth: Any) -> Text:
    """What a run found, as the user reads it, with the provenance of its numbers; empty where it found nothing."""
    from core.questions.guesses import metrics_of

    if truth is None or question.guess is None:
        return EMPTY
    provenances = {metrics[name].provenance for name in metrics_of(question.guess) if name in metrics}
    value = guessed(question, truth)
    if len(provenances) != 1:
        return value
    return tr("{value} ({provenance})", value=value, provenance=provenances.pop().label)


def duration(seconds: float) -> Text:
    """A predicted time, no more exact than it is: 'about 40 s', 'about 3 min'."""
    if seconds < 1:
        return tr("less than 1 s")
    if seconds < 60:
        return tr("about {count} s", count=_rounded(seconds))
    return tr("about {count} min", count=math.ceil(seconds / 60))


def durations(seconds: float, unknown: int) -> Text:
    """The time of several runs, of which `unknown` have never been timed."""
    more = tr_plural("{count} run of unknown length", "{count} runs of unknown length", count=unknown)
    if not unknown:
        return duration(seconds)
    return tr("{time} and {more}", time=duration(seconds), more=more) if seconds > 0 else more


def changes(question: Question) -> Text:
    """The parameters that the page is opened with, where they are not the defaults."""
    return verbatim(", ".join(f"{name} = {value}" for name, value in question.set.items())) if question.set else EMPTY


def _rounded(seconds: float) -> int:
    step = 1 if seconds < 10 else 5
    return step * math.ceil(seconds / step)
