"""What the reward model, PPO, DPO and GRPO do, and what they need."""

from __future__ import annotations

import math

from core.contracts.claims import Claim, Finding
from core.contracts.judging import noise, not_tested, verdict
from core.contracts.text import Text, listed, sentences, tr, tr_in
from core.format import quantity
from core.topics.training.claims.unfinished import not_run
from core.topics.training.remarks import LN_2
from core.topics.training.result import StageRun, TrainingResult
from core.topics.training.sabotage import NO_KL
from core.topics.training.stage_ids import DPO, GRPO, POLICY_STAGES, PPO, REWARD, STAGE_LABELS

LEAST_GAIN = 0.25
"""Points of the rule between two means of 192 answers that are more than noise: about two standard errors."""
LN_2_ERROR = 1e-3
ROLES = {
    "policy": tr("policy"),
    "reference": tr("reference"),
    "reward": tr("reward model"),
    "value": tr("value model"),
}


def reward_model_ranks(result: TrainingResult) -> Finding:
    found = result.reliability
    if found is None:
        return not_run(result, REWARD) or not_tested(tr("This run has no held-out pairs."))
    pairs = int(found.pairs.sum())
    text = tr(
        "Of {pairs} held-out pairs, the reward model prefers the right answer in {accuracy:.1%} ({provenance}); chance "
        "is 50%. Its confidence is off by {error:.1%} on average.",
        pairs=pairs,
        accuracy=found.accuracy_of_all,
        provenance=result.measured.label,
        error=found.expected_error,
    )
    return Finding(verdict(found.accuracy_of_all - 0.5 > noise(0.5, pairs)), text)


def rl_raises_reward(result: TrainingResult) -> Finding:
    trained = [stage for stage in (PPO, GRPO) if stage in result.stages and result.stages[stage].finished]
    if not trained:
        return not_run(result, PPO) or not_tested(tr("This run trained neither PPO nor GRPO."))
    before = result.value("sft.true_reward")
    gains = {stage: result.value(f"{stage}.true_reward") - before for stage in trained}
    divergences = {stage: result.value(f"{stage}.kl") for stage in trained}
    after = [
        tr_in(
            "in a sentence",
            "after {stage} {reward:.2f} at a KL of {kl:.1f} nats per answer",
            stage=STAGE_LABELS[stage],
            reward=before + gains[stage],
            kl=divergences[stage],
        )
        for stage in trained
    ]
    text = tr(
        "After SFT, the rule gives {before:.2f} points on average; {after} ({provenance}).",
        before=before,
        after=listed(after),
        provenance=result.measured.label,
    )
    raised = [gain > LEAST_GAIN for gain in gains.values()]
    costs = all(divergence > 0 for divergence in divergences.values())
    return Finding(verdict(any(raised) and costs, not all(raised)), text)


def without_kl_it_is_hacked(result: TrainingResult) -> Finding:
    if result.params.sabotage != NO_KL:
        return not_tested(tr("This run has a KL term: choose 'KL weight 0' in 'Mistake on purpose'."))
    if unjudged := not_run(result, PPO):
        return unjudged
    found: list[Text] = []
    hacked = 0
    for stage in (PPO, GRPO):
        run = result.stages.get(stage)
        if run is None or not run.finished:
            continue
        scores, rewards = run.curves.points("eval/scores")[1], run.curves.points("eval/true_reward")[1]
        best = int(rewards.argmax())
        hacked += rewards[best] - rewards[-1] > LEAST_GAIN and scores[-1] >= scores[best]
        found.append(
            tr(
                "{stage}: the reward model's mean score goes from {first_score:.2f} to {last_score:.2f}, and the "
                "rule's from {first:.2f} to {last:.2f}, with {best:.2f} at its best; the KL reaches {kl:.1f} nats per "
                "answer ({provenance}).",
                stage=STAGE_LABELS[stage],
                first_score=float(scores[0]),
                last_score=float(scores[-1]),
                first=float(rewards[0]),
                last=float(rewards[-1]),
                best=float(rewards[best]),
                kl=run.curves.last("eval/kl"),
                provenance=result.measured.label,
            )
        )
    return Finding(verdict(hacked > 0, hacked < len(found)), sentences(*found))


def dpo_needs_no_reward_model(result: TrainingResult) -> Finding:
    if unjudged := not_run(result, DPO):
        return unjudged
    run, first = result.stages[DPO], result.value("dpo.first_loss")
    roles = [model.role for model in run.models]
    text = tr(
        "DPO held {models}. Its first loss is {loss:.5f}, and ln 2 is {ln_2:.5f} ({provenance}).",
        models=listed(ROLES[role] for role in roles),
        loss=first,
        ln_2=LN_2,
        provenance=result.measured.label,
    )
    return Finding(verdict("reward" not in roles and math.isclose(first, LN_2, abs_tol=LN_2_ERROR)), text)


def ppo_needs_four_models(result: TrainingResult) -> Finding:
    if unjudged := not_run(result, PPO, DPO):
        return unjudged
    ppo, dpo = result.stages[PPO], result.stages[DPO]
    text = sentences(*(_held(run) for stage in POLICY_STAGES if (run := result.stages.get(stage)) and run.models))
    return Finding(verdict(len(ppo.models) == 4 and len(dpo.models) == 2), text)


def _held(run: StageRun) -> Text:
    return tr(
        "{stage} held {count} models ({roles}) with {parameters:,} parameters, {trained:,} of them trained: {size} of "
        "weights, gradients and moments (counted).",
        stage=STAGE_LABELS[run.stage],
        count=len(run.models),
        roles=listed(ROLES[model.role] for model in run.models),
        parameters=sum(model.parameters for model in run.models),
        trained=sum(model.parameters for model in run.models if model.trained),
        size=quantity(sum(model.bytes for model in run.models), "bytes"),
    )


PREFERENCE_CLAIMS = (
    Claim(
        "reward-model-ranks",
        tr("The reward model ranks held-out pairs better than chance."),
        tr("Ouyang et al. 2022 (InstructGPT), arXiv 2203.02155, section 4.1"),
        reward_model_ranks,
    ),
    Claim(
        "rl-raises-reward",
        tr("RL raises the reward, and pays for it with KL to the SFT model."),
        tr("Stiennon et al. 2020, arXiv 2009.01325, section 4.3; Gao et al. 2022, arXiv 2210.10760"),
        rl_raises_reward,
    ),
    Claim(
        "no-kl-is-hacked",
        tr("Without the KL term, the reward is hacked."),
        tr("Stiennon et al. 2020, arXiv 2009.01325, section 4.3; Ziegler et al. 2019, arXiv 1909.08593"),
        without_kl_it_is_hacked,
    ),
    Claim(
        "dpo-no-reward-model",
        tr("DPO needs no reward model, and its first loss is ln 2."),
        tr("Rafailov et al. 2023, arXiv 2305.18290, section 4 and equation 7"),
        dpo_needs_no_reward_model,
    ),
    Claim(
        "ppo-four-models",
        tr("PPO needs four models in memory, DPO two."),
        tr("Zheng et al. 2023 (Secrets of RLHF), arXiv 2307.04964; Rafailov et al. 2023, arXiv 2305.18290"),
        ppo_needs_four_models,
    ),
)
