"""The stages of training and the routes through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.contracts.text import Text, tr, verbatim

PRETRAINING, SFT, REWARD, PPO, DPO, GRPO = STAGES = ("pretraining", "sft", "reward", "ppo", "dpo", "grpo")
"""The ids of the stages, in the order in which a run of all of them works."""

POLICY_STAGES = (PPO, DPO, GRPO)
"""The stages that learn from preferences."""

STAGE_LABELS: Mapping[str, Text] = {
    PRETRAINING: tr("Pretraining"),
    SFT: verbatim("SFT"),
    REWARD: tr("Reward model"),
    PPO: verbatim("PPO"),
    DPO: verbatim("DPO"),
    GRPO: verbatim("GRPO"),
}

NEEDS: Mapping[str, tuple[str, ...]] = {
    PRETRAINING: (),
    SFT: (PRETRAINING,),
    REWARD: (SFT,),
    PPO: (SFT, REWARD),
    DPO: (SFT,),
    GRPO: (SFT, REWARD),
}
"""The stages whose models a stage starts from or uses: the edges of the map of routes."""


@dataclass(frozen=True)
class Route:
    """A way to a model that people can talk to: its stages, in order."""

    id: str
    label: Text
    stages: tuple[str, ...]


ROUTES = (
    Route("chatglm", tr("ChatGLM, as told"), (PRETRAINING, SFT)),
    Route("chatgpt", tr("ChatGPT: RLHF"), (PRETRAINING, SFT, REWARD, PPO)),
    Route("dpo", verbatim("DPO"), (PRETRAINING, SFT, DPO)),
    Route("grpo", verbatim("GRPO"), (PRETRAINING, SFT, REWARD, GRPO)),
)


def with_needed(stage: str) -> tuple[str, ...]:
    """The stage and all that come before it, in the order of STAGES."""
    found = {stage}
    for later in reversed(STAGES):
        if later in found:
            found |= set(NEEDS[later])
    return tuple(name for name in STAGES if name in found)
