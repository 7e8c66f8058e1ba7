"""The parameters of the training page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import tr, verbatim
from core.topics.training.sabotage import NONE, SABOTAGES
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT, STAGE_LABELS, STAGES, with_needed
from core.topics.training.stages.configs import DpoConfig, GrpoConfig, PairsConfig, PpoConfig, RewardConfig, SftConfig

ALL = "all"
SHIPPED, SCRATCH = "shipped", "scratch"
_ROUTE, _SFT, _REWARD = tr("Route"), verbatim("SFT"), tr("Pairs and reward model")
_PPO, _DPO, _GRPO, _MORE, _FILES = verbatim("PPO"), verbatim("DPO"), verbatim("GRPO"), tr("Experiments"), tr("Files")
_RATE_HELP = tr("Peak learning rate of AdamW. It rises over the first tenth of the steps and then falls to a tenth.")


class TrainingParams(Params):
    """All stages of a route. `sabotage` overrides some settings; `effective` has what a run uses."""

    stage: str = choice(
        ALL,
        ALL,
        *STAGES,
        labels={ALL: tr("all stages"), **STAGE_LABELS},
        label=tr("Stages to run"),
        help=tr(
            "All stages, or one of them. The stages that it needs run first, or continue from their last checkpoints."
        ),
        group=_ROUTE,
    )
    sabotage: str = choice(
        NONE,
        *SABOTAGES,
        labels={name: kind.label for name, kind in SABOTAGES.items()},
        label=tr("Mistake on purpose"),
        help=tr("Overrides some of the settings below with a typical mistake, to see what it looks like."),
        group=_ROUTE,
    )
    pretraining: str = choice(
        SHIPPED,
        SHIPPED,
        SCRATCH,
        labels={SHIPPED: tr("as shipped"), SCRATCH: tr("from scratch")},
        label=tr("Pretrained model"),
        help=tr(
            "The small model that comes with the program, or one that is trained from scratch, in a minute or two."
        ),
        group=_ROUTE,
    )
    pretraining_steps: int = number(
        800,
        minimum=1,
        maximum=20000,
        scale="log2",
        label=tr("Steps of pretraining"),
        unit="steps",
        help=tr("Training steps from scratch. They do not matter for the shipped model."),
        group=_ROUTE,
    )
    seeds: int = number(
        1,
        minimum=1,
        maximum=3,
        label=tr("Seeds"),
        help=tr("Repeats all stages after pretraining with as many seeds, to see the spread of the outcome."),
        group=_ROUTE,
    )
    seed: int = number(
        0,
        minimum=0,
        maximum=2**31 - 3,
        label=tr("Seed"),
        help=tr("Seed of the examples, of their order, and of all sampled answers. Further seeds count up from it."),
        group=_ROUTE,
    )
    sft_steps: int = number(
        SftConfig.steps,
        minimum=1,
        maximum=5000,
        scale="log2",
        label=tr("Steps of SFT"),
        unit="steps",
        help=tr("Training steps on instructions and answers."),
        group=_SFT,
    )
    sft_rate: float = number(
        SftConfig.learning_rate,
        minimum=1e-6,
        maximum=1.0,
        scale="log2",
        label=tr("Learning rate of SFT"),
        help=_RATE_HELP,
        group=_SFT,
    )
    sft_batch: int = number(
        SftConfig.batch,
        minimum=1,
        maximum=256,
        scale="log2",
        label=tr("Batch of SFT"),
        unit="examples",
        help=tr("Examples per step."),
        group=_SFT,
    )
    pairs: int = number(
        PairsConfig.train,
        minimum=1,
        maximum=8192,
        scale="log2",
        label=tr("Preference pairs"),
        unit="pairs",
        help=tr("Pairs of answers of the SFT model, labelled by the rule, for the reward model and for DPO."),
        group=_REWARD,
    )
    label_noise: float = number(
        0.0,
        minimum=0.0,
        maximum=0.5,
        step=0.05,
        label=tr("Label noise"),
        help=tr("The share of training pairs whose label is swapped. Held-out pairs are never swapped."),
        group=_REWARD,
    )
    reward_steps: int = number(
        RewardConfig.steps,
        minimum=1,
        maximum=5000,
        scale="log2",
        label=tr("Steps of the reward model"),
        unit="steps",
        help=tr("Training steps of {pairs} pairs each.", pairs=RewardConfig.batch),
        group=_REWARD,
    )
    reward_rate: float = number(
        RewardConfig.learning_rate,
        minimum=1e-6,
        maximum=1.0,
        scale="log2",
        label=tr("Learning rate of the reward model"),
        help=_RATE_HELP,
        group=_REWARD,
    )
    max_tokens: int = number(
        PairsConfig.max_tokens,
        minimum=4,
        maximum=256,
        scale="log2",
        label=tr("Longest answer"),
        unit="tokens",
        help=tr("Sampled answers are cut after as many tokens: in pairs, in PPO and in GRPO."),
        group=_REWARD,
    )
    rollouts: int = number(
        PpoConfig.batch,
        minimum=2,
        maximum=512,
        scale="log2",
        label=tr("Answers per step"),
        unit="answers",
        help=tr("Answers that PPO and GRPO sample and learn from in each step."),
        group=_PPO,
    )
    ppo_steps: int = number(
        PpoConfig.steps,
        minimum=1,
        maximum=5000,
        scale="log2",
        label=tr("Steps of PPO"),
        unit="steps",
        help=tr("Each step samples answers, scores them and learns from them."),
        group=_PPO,
    )
    ppo_rate: float = number(
        PpoConfig.learning_rate,
        minimum=1e-6,
        maximum=1.0,
        scale="log2",
        label=tr("Learning rate of PPO"),
        help=_RATE_HELP,
        group=_PPO,
    )
    kl_coef: float = number(
        PpoConfig.kl_coef,
        minimum=0.0,
        maximum=10.0,
        step=0.01,
        label=tr("KL weight"),
        help=tr("How much reward every token loses per nat of KL to the SFT model. TRL: kl_coef."),
        group=_PPO,
    )
    clip: float = number(
        PpoConfig.clip,
        minimum=0.01,
        maximum=1.0,
        step=0.05,
        label=tr("Clip range"),
        help=tr(
            "PPO and GRPO stop pushing a token once its probability has changed by this share within a step. TRL: "
            "cliprange, epsilon."
        ),
        group=_PPO,
    )
    ppo_epochs: int = number(
        PpoConfig.epochs,
        minimum=1,
        maximum=16,
        label=tr("Passes per step"),
        help=tr("How often PPO learns from the answers of a step. TRL: num_ppo_epochs."),
        group=_PPO,
    )
    trace_decay: float = number(
        PpoConfig.trace_decay,
        minimum=0.0,
        maximum=1.0,
        step=0.01,
        label=tr("GAE λ"),
        help=tr("0 trusts the value model alone, 1 the sampled rewards alone. TRL: lam."),
        group=_PPO,
    )
    normalize_advantages: bool = switch(
        True,
        label=tr("Normalize advantages"),
        help=tr("Scale PPO's advantages to mean 0 and standard deviation 1 in each step."),
        group=_PPO,
    )
    target_kl: float = number(
        PpoConfig.target_kl or 0.0,
        minimum=0.0,
        maximum=10.0,
        step=0.01,
        label=tr("Stop at KL"),
        help=tr(
            "PPO ends the passes of a step once policy/approxkl_avg is larger: the policy is then too far from the one "
            "that answered. 0 never ends them."
        ),
        group=_PPO,
    )
    missing_eos_penalty: float = number(
        PpoConfig.missing_eos_penalty,
        minimum=0.0,
        maximum=10.0,
        step=0.5,
        label=tr("Penalty without end"),
        help=tr("What PPO takes from the score of an answer that did not end. TRL: missing_eos_penalty."),
        group=_PPO,
    )
    dpo_steps: int = number(
        DpoConfig.steps,
        minimum=1,
        maximum=5000,
        scale="log2",
        label=tr("Steps of DPO"),
        unit="steps",
        help=tr("Training steps of {pairs} pairs each.", pairs=DpoConfig.batch),
        group=_DPO,
    )
    dpo_rate: float = number(
        DpoConfig.learning_rate,
        minimum=1e-6,
        maximum=1.0,
        scale="log2",
        label=tr("Learning rate of DPO"),
        help=_RATE_HELP,
        group=_DPO,
    )
    dpo_beta: float = number(
        DpoConfig.beta,
        minimum=0.001,
        maximum=10.0,
        scale="log2",
        label=tr("DPO β"),
        help=tr("Scales the implicit reward. With a small β the policy moves further from the SFT model."),
        group=_DPO,
    )
    grpo_steps: int = number(
        GrpoConfig.steps,
        minimum=1,
        maximum=5000,
        scale="log2",
        label=tr("Steps of GRPO"),
        unit="steps",
        help=tr("Each step samples answers, scores them and learns from them."),
        group=_GRPO,
    )
    grpo_rate: float = number(
        GrpoConfig.learning_rate,
        minimum=1e-6,
        maximum=1.0,
        scale="log2",
        label=tr("Learning rate of GRPO"),
        help=_RATE_HELP,
        group=_GRPO,
    )
    grpo_group: int = number(
        GrpoConfig.group,
        minimum=2,
        maximum=64,
        scale="log2",
        label=tr("Answers per prompt"),
        unit="answers",
        help=tr("The group whose mean score every answer is compared with. TRL: num_generations."),
        group=_GRPO,
    )
    grpo_beta: float = number(
        GrpoConfig.beta,
        minimum=0.0,
        maximum=10.0,
        step=0.01,
        label=tr("GRPO β"),
        help=tr("Weight of the KL to the SFT model in GRPO's loss."),
        group=_GRPO,
    )
    grpo_scale: bool = switch(
        True,
        label=tr("Scale by the group"),
        help=tr("Divide GRPO's advantages by the standard deviation of the scores in the group. TRL: scale_rewards."),
        group=_GRPO,
    )
    knowledge: bool = switch(
        True,
        label=tr("Where does knowledge come from?"),
        help=tr(
            "Also runs SFT with facts that pretraining never stated, and compares what the models know and invent."
        ),
        group=_MORE,
    )
    epochs: bool = switch(
        True,
        label=tr("Why does the loss fall in steps?"),
        help=tr("Also trains several epochs on few examples and compares their loss with the held-out loss."),
        group=_MORE,
    )
    folder: str = text(
        "",
        label=tr("Folder of the stages"),
        help=tr(
            "Where logs (JSON lines) and checkpoints (safetensors) are kept. If empty, the folder of the user's data "
            "is used, and every configuration gets a folder of its own."
        ),
        group=_FILES,
    )
    log: str = text(
        "",
        label=tr("Own log"),
        help=tr("A trainer_state.json of TRL or a log of JSON lines. Its curves are shown in place of a run's."),
        file_filter="*.json *.jsonl",
        group=_FILES,
        view_only=True,
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        if self.rollouts % self.grpo_group and GRPO in self.stages:
            raise InvalidParams(
                tr(
                    "rollouts = {rollouts} answers cannot be split into groups of grpo_group = {group}: make rollouts "
                    "a multiple of it.",
                    rollouts=self.rollouts,
                    group=self.grpo_group,
                ),
                "rollouts",
            )
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of a run, in order."""
        return STAGES if self.stage == ALL else with_needed(self.stage)

    @property
    def effective(self) -> TrainingParams:
        """The parameters with what `sabotage` overrides."""
        return self.changed(**SABOTAGES[self.sabotage].settings)

    def needs_same_run_as(self, other: Params) -> bool:
        """Whether a run of `other` has all that a run of these would have, with the same settings. Where the files lie
        changes no figure."""
        if not isinstance(other, TrainingParams):
            return False
        mine, others = self.effective, other.effective
        names = {name for stage in self.stages for name in stage_fields(stage, mine)}
        return (
            set(self.stages) <= set(other.stages)
            and self.seeds <= other.seeds
            and (not self.knowledge or other.knowledge)
            and (not self.epochs or other.epochs)
            and all(getattr(mine, name) == getattr(others, name) for name in names)
        )


_ANSWERS = ("pairs", "label_noise", "max_tokens")
_FIELDS = {
    PRETRAINING: ("pretraining",),
    SFT: ("seed", "sft_steps", "sft_rate", "sft_batch"),
    REWARD: (*_ANSWERS, "reward_steps", "reward_rate"),
    PPO: (
        "rollouts", "ppo_steps", "ppo_rate", "kl_coef", "clip", "ppo_epochs", "trace_decay", "normalize_advantages",
        "target_kl", "missing_eos_penalty", "max_tokens",
    ),
    DPO: (*_ANSWERS, "dpo_steps", "dpo_rate", "dpo_beta"),
    GRPO: (
        "rollouts", "grpo_steps", "grpo_rate", "grpo_group", "grpo_beta", "grpo_scale", "clip", "max_tokens",
    ),
}  # fmt: skip


def stage_fields(stage: str, params: TrainingParams) -> tuple[str, ...]:
    """The parameters that a stage itself depends on."""
    if stage == PRETRAINING and params.pretraining == SCRATCH:
        return (*_FIELDS[stage], "pretraining_steps", "seed")
    return _FIELDS[stage]
