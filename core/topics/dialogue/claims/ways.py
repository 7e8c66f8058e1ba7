"""What is learned from a conversation, and at what cost."""

from __future__ import annotations

import numpy as np

from core.contracts.claims import Claim, Finding
from core.contracts.judging import noise, verdict
from core.contracts.text import sentences, tr, verbatim
from core.topics.dialogue.choices import LAST_TURN_WAY, ONE_PASS, PER_TURN
from core.topics.dialogue.claims.untrained import not_trained
from core.topics.dialogue.result import DialogueResult, WayRun

ROUNDING = {"float32": 1e-4, "float64": 1e-11}
"""Largest difference of two gradients, as a share of their norm, that rounding explains: the sums are the same, in
another order."""


def one_pass_is_one_example_per_turn(result: DialogueResult) -> Finding:
    found = result.equality
    if found is None:
        return not_trained()
    single, double = float(found.float32.max()), float(found.float64.max())
    text = tr(
        "Over {conversations} conversations with {turns} assistant turns, the gradients of all {parameters} parameters "
        "differ by at most {single:.1e} of their norm in float32 and {double:.1e} in float64, which is rounding. One "
        "pass computed {one_pass:,} tokens, one example per turn {per_turn:,}: {share:.0%} ({provenance}).",
        conversations=found.conversations,
        turns=found.turns,
        parameters=len(found.names),
        single=single,
        double=double,
        one_pass=found.one_pass_tokens,
        per_turn=found.per_turn_tokens,
        share=found.one_pass_tokens / found.per_turn_tokens,
        provenance=result.measured.label,
    )
    unmatched = tr(
        "With the mean of each example as its loss, where a short turn weighs as much as a long one, they differ by up "
        "to {unmatched:.0%}.",
        unmatched=float(found.unmatched.max()),
    )
    same = single < ROUNDING["float32"] and double < ROUNDING["float64"]
    return Finding(verdict(same and found.one_pass_tokens < found.per_turn_tokens), sentences(text, unmatched))


def last_turn_loses_targets(result: DialogueResult) -> Finding:
    last, whole = result.way(LAST_TURN_WAY), result.way(ONE_PASS)
    if last is None or whole is None or not (last.finished and whole.finished):
        return not_trained()
    before, after = _early(last, result), _early(whole, result)
    count = _asked(result) * (result.params.turns - 1)
    text = tr(
        "With the last turn as the only target, {lost:.0%} of the targets of {turns} turns are lost, and as many "
        "tokens are computed (counted). After {steps} steps, answers in the turns before the last are right in "
        "{before:.0%}, against {after:.0%} with all assistant turns as targets ({provenance}).",
        lost=last.cost.lost,
        turns=result.params.turns,
        steps=result.params.steps,
        before=before,
        after=after,
        provenance=result.measured.label,
    )
    learns = before > noise(before, count)
    limit = tr("What the last turn teaches helps a little in the others.") if learns else ""
    holds = last.cost.lost > 0 and after - before > noise(before, count, after, count)
    return Finding(verdict(holds, learns), sentences(text, limit))


def one_pass_learns_most(result: DialogueResult) -> Finding:
    runs = {way: result.way(way) for way in (LAST_TURN_WAY, PER_TURN, ONE_PASS)}
    done = {way: run for way, run in runs.items() if run is not None and run.finished}
    if len(done) < len(runs):
        return not_trained()
    tokens = min(float(run.curve.num_tokens[-1]) for run in done.values())
    at_tokens = {way: float(run.curve.correct_at(tokens).mean()) for way, run in done.items()}
    at_steps = {way: float(run.curve.correct_after(result.params.steps).mean()) for way, run in done.items()}
    text = tr(
        "Right answers in held-out conversations, mean over the turns: after {steps} steps {last:.0%} (last turn "
        "only), {split:.0%} (one example per turn) and {whole:.0%} (one pass); after {tokens:,.0f} tokens "
        "{last_tokens:.0%}, {split_tokens:.0%} and {whole_tokens:.0%} ({provenance}).",
        steps=result.params.steps,
        last=at_steps[LAST_TURN_WAY],
        split=at_steps[PER_TURN],
        whole=at_steps[ONE_PASS],
        tokens=tokens,
        last_tokens=at_tokens[LAST_TURN_WAY],
        split_tokens=at_tokens[PER_TURN],
        whole_tokens=at_tokens[ONE_PASS],
        provenance=result.measured.label,
    )
    count = _asked(result) * result.params.turns
    whole = at_tokens[ONE_PASS]
    ahead = [whole - share > noise(whole, count, share, count) for way, share in at_tokens.items() if way != ONE_PASS]
    return Finding(verdict(all(ahead)), text)


def later_turns_need_history(result: DialogueResult) -> Finding:
    found = result.history
    if found is None:
        return not_trained()
    having, lacking = float(found.with_history[1:].mean()), float(found.without_history[1:].mean())
    count = found.conversations * (len(found.with_history) - 1)
    text = tr(
        "Answers after the first turn are right in {having:.0%} with the history, and in {lacking:.0%} if the question "
        "stands alone ({provenance}).",
        having=having,
        lacking=lacking,
        provenance=result.measured.label,
    )
    return Finding(verdict(having - lacking > noise(having, count, lacking, count)), text)


def _early(run: WayRun, result: DialogueResult) -> float:
    """Right answers in the turns before the last."""
    return float(np.mean(run.curve.correct_after(result.params.steps)[:-1]))


def _asked(result: DialogueResult) -> int:
    """Held-out conversations."""
    return result.history.conversations if result.history is not None else 0


WAY_CLAIMS = (
    Claim(
        "one-pass-equals-one-example-per-turn",
        tr(
            "All assistant turns in one pass give the gradients of one example per turn, weights matched, at a "
            "fraction of the tokens."
        ),
        tr("Vaswani et al. 2017, arXiv 1706.03762, section 3.2.3: a position does not see later ones"),
        one_pass_is_one_example_per_turn,
    ),
    Claim(
        "last-turn-loses-targets",
        tr("If only the last turn is a target, only the last turn is learned from."),
        tr("TRL documentation, SFTTrainer: completion_only_loss"),
        last_turn_loses_targets,
    ),
    Claim(
        "one-pass-learns-most",
        tr("At equal cost, all assistant turns in one pass teach the most."),
        tr("TRL documentation, SFTTrainer: assistant_only_loss"),
        one_pass_learns_most,
    ),
    Claim(
        "later-turns-need-history",
        tr("Later turns are answered from the history."),
        verbatim("Reddy et al. 2018, arXiv 1808.07042"),
        later_turns_need_history,
    ),
)
"""The last one is a check of the conversations that the others are measured on."""
