"""What the curves of a training say: typical troubles, each with the threshold that it is told by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts.archive import Array
from core.contracts.text import Text, tr
from core.topics.training.curves import Curves

LN_2 = math.log(2)
MIN_POINTS = 8
"""Fewer values of a metric tell nothing about its course."""

KL_LIMITS = {"objective/kl": 20.0, "eval/kl": 20.0, "kl": 0.5}
"""Nats per answer; `kl` of GRPO is per token."""
_SAMPLED = ("objective/kl", "kl")
"""Estimated from the sampled tokens alone."""
KL_GROWTH = 1.5
ZERO_STD_SHARE = 0.5
ENTROPY_SHARE = 0.2
LN_2_DISTANCE = 0.01
CLIPPED_SHARE = 1e-6
HACKED_LOSS = 0.25
SERIOUS = frozenset(("not-finite", "reward-hacking", "kl-runaway", "entropy-collapse"))
"""Remarks after which the model of a stage is not what was wanted, however far the stage came."""
_ENTROPIES = ("policy/entropy_avg", "entropy", "objective/entropy", "eval/entropy")
_CLIPPED = ("policy/clipfrac_avg", "clip_ratio/region_mean", "clip_ratio")
_PREFERENCE_METRICS = ("rewards/margins", "rewards/accuracies", "margin", "accuracy")


@dataclass(frozen=True)
class Remark:
    """One sentence or two about the curves of `metrics`. `step` is where it begins, None if it is about all steps."""

    id: str
    text: Text
    metrics: tuple[str, ...]
    step: int | None = None


@dataclass(frozen=True)
class NotFinite:
    """The first value of a log that is NaN or infinite."""

    step: int
    metric: str


def remarks(curves: Curves, not_finite: NotFinite | None = None) -> tuple[Remark, ...]:
    """Everything conspicuous, the gravest first; empty if nothing is."""
    found: list[Remark] = []
    if not_finite is not None:
        found.append(_not_finite(not_finite))
    for check in _CHECKS:
        found += check(curves)
    return tuple(found)


def serious_ones(found: Sequence[Remark]) -> tuple[Remark, ...]:
    """Those of SERIOUS, one of each kind."""
    by_kind = {remark.id: remark for remark in reversed(found) if remark.id in SERIOUS}
    return tuple(reversed(by_kind.values()))


def _not_finite(first: NotFinite) -> Remark:
    text = tr(
        "{metric} is NaN or infinite at step {step}: what comes after it is not worth reading. Lower the learning "
        "rate, or look for a batch without labels.",
        metric=first.metric,
        step=first.step,
    )
    return Remark("not-finite", text, (first.metric,), first.step)


def _kl_runaway(curves: Curves) -> Iterator[Remark]:
    for name, limit in KL_LIMITS.items():
        steps, values = curves.points(name)
        if len(values) < MIN_POINTS:
            continue
        middle, end = _part(values, 0.45, 0.55), _part(values, 0.9, 1.0)
        if end > limit and end > KL_GROWTH * middle:
            growth = end / middle if middle > 0 else math.inf
            yield Remark("kl-runaway", _runaway(name, end, limit, growth), (name,), _first(steps, values > limit))


def _runaway(metric: str, end: float, limit: float, growth: float) -> Text:
    numbers: dict[str, str | float] = {"metric": metric, "end": end, "limit": limit, "growth": growth}
    if metric in _SAMPLED:
        return tr(
            "KL runaway: {metric} (sampled) ends at {end:.3g} nats (limit {limit:g}). That is {growth:.1f} times its "
            "value halfway. Raise the KL weight, or lower the learning rate.",
            **numbers,
        )
    return tr(
        "KL runaway: {metric} ends at {end:.3g} nats (limit {limit:g}). That is {growth:.1f} times its value halfway. "
        "Raise the KL weight, or lower the learning rate.",
        **numbers,
    )


def _zero_deviation(curves: Curves) -> Iterator[Remark]:
    steps, shares = curves.points("frac_reward_zero_std")
    if len(shares) >= MIN_POINTS and (end := _part(shares, 0.9, 1.0)) > ZERO_STD_SHARE:
        text = tr(
            "Zero reward deviation: at the end, all answers of {share:.0%} of the groups have the same reward "
            "(frac_reward_zero_std, above {limit:.0%}), so they teach nothing. Use prompts that are neither too easy "
            "nor too hard, larger groups, or a finer reward.",
            share=end,
            limit=ZERO_STD_SHARE,
        )
        yield Remark("zero-deviation", text, ("frac_reward_zero_std",), _first(steps, shares > ZERO_STD_SHARE))
        return
    steps, deviations = curves.points("reward_std")
    if len(deviations) >= MIN_POINTS and _part(deviations, 0.9, 1.0) == 0:
        text = tr(
            "Zero reward deviation: reward_std is 0 at the end, so no answer is better than another and nothing is "
            "learned. Check the reward function."
        )
        yield Remark("zero-deviation", text, ("reward_std",), _first(steps, deviations == 0))


def _entropy_collapse(curves: Curves) -> Iterator[Remark]:
    for name in _ENTROPIES:
        steps, values = curves.points(name)
        if len(values) < MIN_POINTS:
            continue
        start, end = _part(values, 0.0, 0.1), _part(values, 0.9, 1.0)
        if start > 0 and end < ENTROPY_SHARE * start:
            text = tr(
                "Entropy collapse: {metric} falls from {start:.3g} to {end:.3g} (limit {share:.0%}). The answers are "
                "almost always the same. Raise the KL weight, or lower the learning rate.",
                metric=name,
                start=start,
                end=end,
                share=ENTROPY_SHARE,
            )
            yield Remark("entropy-collapse", text, (name,), _first(steps, values < ENTROPY_SHARE * start))
            return


def _stuck_at_ln_2(curves: Curves) -> Iterator[Remark]:
    if not any(name in curves.metrics for name in _PREFERENCE_METRICS):
        return
    steps, losses = curves.points("loss")
    if len(losses) < MIN_POINTS:
        return
    later = losses[len(losses) // 2 :]
    if bool((np.abs(later - LN_2) < LN_2_DISTANCE).all()):
        text = tr(
            "Loss stuck at ln 2: in the second half of the steps, all losses lie within {distance:g} of 0.693, which "
            "is what a coin scores on two answers. Check that chosen and rejected answers differ, that they are not "
            "cut to the same beginning, and that the learning rate is not too low.",
            distance=LN_2_DISTANCE,
        )
        yield Remark("ln-2", text, ("loss",), int(steps[len(losses) // 2]))


def _never_clipped(curves: Curves) -> Iterator[Remark]:
    for name in _CLIPPED:
        _, shares = curves.points(name)
        if len(shares) >= MIN_POINTS and float(shares.max()) < CLIPPED_SHARE:
            yield Remark("never-clipped", why_not_clipped(name, curves), (name,))
            return


def why_not_clipped(metric: str, curves: Curves) -> Text:
    """The reason for a clip fraction of 0 at all steps."""
    steps = len(curves.points(metric)[1])
    stopped = len(curves.points("policy/stopped_early")[1])
    if stopped > steps / 2:
        return tr(
            "Clip fraction at 0: the target KL stopped {count:,} of {steps:,} steps (policy/stopped_early) before "
            "{metric} could count clipped tokens. The learning rate is too high.",
            count=stopped,
            steps=steps,
            metric=metric,
        )
    return tr(
        "Clip fraction at 0: {metric} never rises above {limit:g}, so clipping does nothing. With one pass over each "
        "batch that is expected; otherwise the learning rate is very low.",
        metric=metric,
        limit=CLIPPED_SHARE,
    )


def _hacked(curves: Curves) -> Iterator[Remark]:
    score_steps, scores = curves.points("eval/scores")
    steps, rewards = curves.points("eval/true_reward")
    if len(scores) < 3 or len(rewards) < 3:
        return
    best = int(np.argmax(rewards))
    score_then = float(scores[int(np.argmin(np.abs(score_steps - steps[best])))])
    lost = float(rewards[best] - rewards[-1])
    if lost > HACKED_LOSS and scores[-1] > score_then:
        text = tr(
            "Reward hacking from step {step}: eval/scores rises from {before:.2f} to {after:.2f}. eval/true_reward "
            "falls by {lost:.2f} (limit {limit:g}). Raise the KL weight, or stop earlier.",
            step=int(steps[best]),
            before=score_then,
            after=float(scores[-1]),
            lost=lost,
            limit=HACKED_LOSS,
        )
        yield Remark("reward-hacking", text, ("eval/scores", "eval/true_reward"), int(steps[best]))


_CHECKS: tuple[Callable[[Curves], Iterator[Remark]], ...] = (
    _hacked,
    _kl_runaway,
    _entropy_collapse,
    _zero_deviation,
    _stuck_at_ln_2,
    _never_clipped,
)


def _part(values: Array, start: float, end: float) -> float:
    """Mean of the values from one share of the curve to another; of one value at least."""
    first = min(len(values) - 1, int(start * len(values)))
    return float(values[first : max(first + 1, round(end * len(values)))].mean())


def _first(steps: Array, where: Array) -> int | None:
    found = np.flatnonzero(where)
    return int(steps[found[0]]) if len(found) else None
