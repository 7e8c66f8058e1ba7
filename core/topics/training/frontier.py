"""Reward against KL: the evaluations of the stages that learn from preferences, and their comparison. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.topics.training.curves import Curves
from core.topics.training.result import Comparison, FrontierPoint
from core.topics.training.stage_ids import POLICY_STAGES

BY_TOKENS, BY_KL = "tokens", "kl"


def frontier_points(stage: str, curves: Curves) -> tuple[FrontierPoint, ...]:
    """One point per evaluation of a stage."""
    scores = dict(zip(*map(list, curves.points("eval/scores")), strict=True))
    tokens = dict(zip(*map(list, curves.points("num_tokens")), strict=True))
    divergences = dict(zip(*map(list, curves.points("eval/kl")), strict=True))
    return tuple(
        FrontierPoint(
            stage=stage,
            step=int(step),
            num_tokens=int(tokens.get(step, 0)),
            kl=float(divergences[step]),
            true_reward=float(reward),
            score=float(scores[step]) if step in scores else None,
        )
        for step, reward in zip(*curves.points("eval/true_reward"), strict=True)
        if step in divergences
    )


def comparisons(points: Sequence[FrontierPoint], start: FrontierPoint) -> tuple[Comparison, ...]:
    """The stages at the largest number of tokens, and at the largest KL, that all of them reached; none for one stage.

    At equal tokens, a stage stands where it was at its last evaluation with at most as many; DPO has generated all of
    its tokens before its first step and stands at its end. At equal KL, the rewards are interpolated between the two
    evaluations between which the stage first passed it, beginning with the SFT model, whose KL is 0.
    """
    by_stage = {name: [point for point in points if point.stage == name] for name in POLICY_STAGES}
    by_stage = {name: found for name, found in by_stage.items() if found}
    if len(by_stage) < 2:
        return ()
    return (_at_equal_tokens(by_stage), _at_equal_kl(by_stage, start))


def _at_equal_tokens(by_stage: Mapping[str, Sequence[FrontierPoint]]) -> Comparison:
    amount = min(found[-1].num_tokens for found in by_stage.values())
    reached = [[point for point in found if point.num_tokens <= amount] or found for found in by_stage.values()]
    return Comparison(BY_TOKENS, float(amount), tuple(found[-1] for found in reached))


def _at_equal_kl(by_stage: Mapping[str, Sequence[FrontierPoint]], start: FrontierPoint) -> Comparison:
    amount = min(max(point.kl for point in found) for found in by_stage.values())
    return Comparison(BY_KL, amount, tuple(_where(found, start, amount) for found in by_stage.values()))


def _where(found: Sequence[FrontierPoint], start: FrontierPoint, kl: float) -> FrontierPoint:
    """Where a stage first passed a KL that it reaches."""
    before = start
    for after in found:
        if after.kl >= kl:
            break
        before = after
    share = (kl - before.kl) / (after.kl - before.kl) if after.kl > before.kl else 1.0

    def between(first: float, second: float) -> float:
        return first + share * (second - first)

    has_scores = before.score is not None and after.score is not None
    return FrontierPoint(
        stage=after.stage,
        step=after.step,
        num_tokens=round(between(before.num_tokens, after.num_tokens)) if before is not start else after.num_tokens,
        kl=kl,
        true_reward=between(before.true_reward, after.true_reward),
        score=between(before.score or 0.0, after.score or 0.0) if has_scores else None,
    )
