"""Which stages two famous models went through: as it is told, and as their authors wrote it. Recorded."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.judging import verdict
from core.contracts.result import Provenance
from core.contracts.text import Text, listed, sentences, tr, verbatim
from core.topics.training.result import TrainingResult


@dataclass(frozen=True)
class Recorded:
    """What the authors of a model wrote. `rl` says whether reinforcement learning from feedback is part of it."""

    family: str
    model: Text
    year: int
    rl: bool
    source: Text


RECORDED = (
    Recorded("chatgpt", verbatim("ChatGPT"), 2022, True, verbatim("openai.com/blog/chatgpt")),
    Recorded("chatgpt", verbatim("GPT-4"), 2023, True, verbatim("arXiv 2303.08774")),
    Recorded("chatgpt", verbatim("o1"), 2024, True, verbatim("arXiv 2412.16720")),
    Recorded("chatglm", verbatim("ChatGLM-6B"), 2023, True, verbatim("github.com/THUDM/ChatGLM-6B, README")),
    Recorded("chatglm", verbatim("ChatGLM-RLHF"), 2024, True, verbatim("arXiv 2404.00934")),
)
"""ChatGLM-6B's README names supervised fine-tuning, feedback bootstrap and reinforcement learning with human feedback.
How much of each the published weights had, it does not say."""


def chatglm_stops_at_sft(result: TrainingResult) -> Finding:
    chatglm = [entry for entry in RECORDED if entry.family == "chatglm"]
    chatgpt = [entry for entry in RECORDED if entry.family == "chatgpt"]
    text = tr(
        "With reinforcement learning from feedback, by their authors' word: {chatglm}; and {chatgpt} ({provenance}).",
        chatglm=listed(_named(entry) for entry in chatglm if entry.rl),
        chatgpt=listed(_named(entry) for entry in chatgpt if entry.rl),
        provenance=Provenance.RECORDED.label,
    )
    story = tr(
        "So ChatGPT's route is told right. ChatGLM-6B's own README, of March 2023, names SFT, feedback bootstrap and "
        "RLHF, without saying how much of each, and ChatGLM-RLHF describes the reward model and PPO that came after "
        "SFT."
    )
    stops = not any(entry.rl for entry in chatglm) and all(entry.rl for entry in chatgpt)
    return Finding(verdict(stops), sentences(text, story))


def _named(entry: Recorded) -> Text:
    return tr("{model} ({year}, {source})", model=entry.model, year=entry.year, source=entry.source)


ROUTE_CLAIMS = (
    Claim(
        "chatglm-stops-at-sft",
        tr("ChatGLM's route stops at SFT; ChatGPT's goes on to a reward model and RLHF."),
        tr("Often taught; README of ChatGLM-6B; Hou et al. 2024 (ChatGLM-RLHF), arXiv 2404.00934; Ouyang et al. 2022"),
        chatglm_stops_at_sft,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
