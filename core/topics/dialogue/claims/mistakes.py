"""What a wrong loss mask does, and whether the training loss tells."""

from __future__ import annotations

import numpy as np

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.judging import noise, not_tested, verdict
from core.contracts.text import Text, listed, sentences, tr, tr_in
from core.topics.dialogue.choices import DROP_MASK, ONE_PASS, PAD_WITH_END, SABOTAGE_LABELS
from core.topics.dialogue.result import Behaviour, Curve, DialogueResult

NOT_SABOTAGED = tr("This run did not make this mistake: choose it under Mistake on purpose.")
MOSTLY = 0.5
LEAST_FALL = 0.5
"""The share of its first value that a loss loses at least if it falls as it should."""

_WINDOW = 10


def unmasked_speaks_for_user(result: DialogueResult) -> Finding:
    both = _both(result, DROP_MASK)
    if both is None:
        return not_tested(NOT_SABOTAGED)
    sound, ill = both
    if np.isnan(sound.speaks_for_user):
        return not_tested(tr("In this template the end of a turn is what opens the user's: choose another template."))
    count = sound.generations
    text = tr(
        "Of {count} greedy generations that go on past the end of the answer, {ill:.0%} open a turn of the user and "
        "write in it if user turns were targets, and {sound:.0%} if they were masked ({provenance}).",
        count=count,
        ill=ill.speaks_for_user,
        sound=sound.speaks_for_user,
        provenance=result.measured.label,
    )
    stops = tr("{stops:.0%} of them have an end token first, so a server that stops there hides it.", stops=ill.stops)
    more = ill.speaks_for_user - sound.speaks_for_user
    holds = more > noise(ill.speaks_for_user, count, sound.speaks_for_user, count)
    return Finding(verdict(holds, ill.stops > MOSTLY), sentences(text, stops))


def pad_with_end_does_not_stop(result: DialogueResult) -> Finding:
    both = _both(result, PAD_WITH_END)
    if both is None:
        return not_tested(NOT_SABOTAGED)
    sound, ill = both
    text = tr(
        "Of {count} greedy generations of {tokens} tokens, {ill:.0%} have an end token if padding with the end token "
        "took it out of the loss, and {sound:.0%} otherwise ({provenance}).",
        count=ill.generations,
        tokens=ill.tokens,
        ill=ill.stops,
        sound=sound.stops,
        provenance=result.measured.label,
    )
    return Finding(
        verdict(sound.stops - ill.stops > noise(ill.stops, ill.generations, sound.stops, sound.generations)), text
    )


def mask_error_shows_in_the_loss(result: DialogueResult) -> Finding:
    """Whether some mistake keeps the training loss from falling as that of the sound training does."""
    sound = result.way(ONE_PASS)
    finished = [run for run in result.sabotages if run.finished]
    if sound is None or not sound.finished or not finished:
        return not_tested(NOT_SABOTAGED)
    least = min(LEAST_FALL, _fall(sound.curve) / 2)
    shows = [run.mistake for run in finished if _fall(run.curve) < least]
    curves = listed(
        [
            _told(tr("without a mistake"), sound.curve),
            *(_told(SABOTAGE_LABELS[run.mistake], run.curve) for run in finished),
        ]
    )
    text = tr(
        "From the first step to the mean of the last ten, the training loss goes, in nats: {curves} ({provenance}).",
        curves=curves,
        provenance=result.measured.label,
    )
    near = [run for run in finished if abs(_last(run.curve) - _last(sound.curve)) < _noise(sound.curve)]
    verdicts = tr_in(
        "mistakes",
        "All fall; {near} of {count} end within the scatter of the sound one's last ten steps.",
        near=len(near),
        count=len(finished),
    )
    return Finding(verdict(bool(shows), len(shows) < len(finished)), sentences(text, "" if shows else verdicts))


def _both(result: DialogueResult, mistake: str) -> tuple[Behaviour, Behaviour] | None:
    run = result.sabotage(mistake)
    if run is None or run.behaviour is None or result.behaviour is None:
        return None
    return result.behaviour, run.behaviour


def _last(curve: Curve) -> float:
    return float(np.mean(curve.loss[-_WINDOW:]))


def _fall(curve: Curve) -> float:
    """The share of its first value that a loss has lost at the end."""
    return 1 - _last(curve) / float(curve.loss[0])


def _noise(curve: Curve) -> float:
    """Twice the standard deviation of single steps."""
    return 2 * float(np.std(curve.loss[-_WINDOW:]))


def _told(name: Text, curve: Curve) -> Text:
    return tr_in(
        "in a sentence", "{name} {first:.2f} to {last:.2f}", name=name, first=float(curve.loss[0]), last=_last(curve)
    )


MISTAKE_CLAIMS = (
    Claim(
        "unmasked-speaks-for-user",
        tr("User turns must be masked, or the model learns to speak for the user."),
        tr("Hugging Face TRL documentation, SFTTrainer: train on assistant messages only"),
        unmasked_speaks_for_user,
    ),
    Claim(
        "pad-with-end-does-not-stop",
        tr("Padding with the end token takes it out of the loss, and the model does not stop."),
        tr("transformers, DataCollatorForLanguageModeling: labels equal to the pad token are ignored"),
        pad_with_end_does_not_stop,
    ),
    Claim(
        "mask-error-shows-in-loss",
        tr("A mask error shows in the training loss."),
        tr("Often assumed; against it: Karpathy 2019, A Recipe for Training Neural Networks"),
        mask_error_shows_in_the_loss,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
