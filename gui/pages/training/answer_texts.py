"""The answers of all stages to the same prompts with the changed words marked, and samples of data, as HTML."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence

from core.contracts.text import Text, tr
from core.format import format_quantity
from core.topics.training.data_samples import DataSample
from core.topics.training.plan import Plan
from core.topics.training.result import AnsweredPrompt, TrainingResult
from core.topics.training.stage_ids import DPO, PRETRAINING, REWARD, SFT, STAGE_LABELS, STAGES
from core.topics.training.stages.rule import ENOUGH_FACTS, Judgement
from gui.theme import Theme, mix
from gui.widgets.html_view import coloured, safe
from gui.zoom import Px

_KINDS = {
    "description": tr("Descriptions, judged by the rule"),
    "question": tr("Questions, with one right answer"),
    "unknown": tr("People in no text: the right answer is that one does not know"),
}
_MOST_WORDS = 400
_COLUMN_PX = Px(62)


def changed_words(before: str, after: str) -> Iterator[tuple[str, bool]]:
    """The words of `after` with the spaces before them, and whether each is new compared with `before`."""
    old, new = re.findall(r"\S+", before)[:_MOST_WORDS], re.findall(r"\S+", after)[:_MOST_WORDS]
    for kind, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for word in new[start:end]:
            yield word, kind != "equal"


def answers_html(prompts: Sequence[AnsweredPrompt], theme: Theme) -> str:
    """One block per prompt, one line per stage, under a heading per kind of prompt."""
    parts = [
        coloured(
            safe(
                tr(
                    "Marked words are not in the answer before: that of pretraining for SFT, and that of SFT for PPO, "
                    "DPO and GRPO. Hover over a score of the rule to see its parts."
                )
            ),
            theme.muted,
        )
    ]
    for kind, heading in _KINDS.items():
        chosen = [prompt for prompt in prompts if prompt.kind == kind]
        if chosen:
            parts.append(f"<p><b>{safe(heading)}</b></p>")
            parts += [_prompt_html(prompt, theme) for prompt in chosen]
    return "".join(parts)


def _prompt_html(prompt: AnsweredPrompt, theme: Theme) -> str:
    head = coloured(f"<b>{safe(prompt.prompt)}</b>", theme.accent)
    if prompt.expected:
        head += " " + coloured(safe(tr("expected: {text}", text=prompt.expected)), theme.muted)
    names = [tr("rule"), *([tr("reward model")] if prompt.scores else [])] if prompt.true_rewards else [""]
    columns = "".join(_column(coloured(safe(name), theme.muted)) for name in names)
    rows = [_answer_html(prompt, stage, theme) for stage in STAGES if stage in prompt.answers]
    first = f'<tr><td colspan="2">{head}</td>{columns}</tr>'
    return f'<table cellpadding="2" width="100%" style="margin-top: 8px">{first}{"".join(rows)}</table>'


def _column(content: str) -> str:
    return f'<td width="{_COLUMN_PX}" align="right" style="white-space: nowrap">{content}</td>'


def _answer_html(prompt: AnsweredPrompt, stage: str, theme: Theme) -> str:
    answer = prompt.answers[stage]
    before = prompt.answers.get(PRETRAINING if stage == SFT else SFT)
    words = changed_words(before, answer) if before is not None and stage != PRETRAINING else _all_old(answer)
    fill = mix(theme.surface, theme.accent, 0.28)
    text = " ".join(
        coloured(safe(word), theme.text, fill) if changed else coloured(safe(word), theme.text)
        for word, changed in words
    )
    return (
        f'<tr><td width="84">{coloured(safe(STAGE_LABELS[stage]), theme.muted)}</td>'
        f"<td>{text or coloured(safe(tr('(nothing)')), theme.faint)}</td>"
        f"{_column(_judged(prompt, stage, theme))}{_scored(prompt, stage, theme)}</tr>"
    )


def _all_old(answer: str) -> Iterator[tuple[str, bool]]:
    return changed_words(answer, answer)


def _judged(prompt: AnsweredPrompt, stage: str, theme: Theme) -> str:
    """The rule's score of a description with its parts as the tooltip; whether another answer is the right one."""
    if stage in prompt.true_rewards:
        score = prompt.true_rewards[stage]
        tone = theme.good if score >= ENOUGH_FACTS else theme.bad if score <= 0 else theme.text
        tip = _sum_words(prompt.judgements[stage]) if stage in prompt.judgements else ""
        return f'<span title="{safe(tip)}">{coloured(safe(format_quantity(score)), tone)}</span>'
    if not prompt.expected:
        return ""
    right = prompt.answers[stage].strip() == prompt.expected.strip()
    return coloured("✓" if right else "✗", theme.good if right else theme.bad)


def _sum_words(judgement: Judgement) -> Text:
    values = {
        "facts": judgement.facts,
        "points": min(judgement.facts, ENOUGH_FACTS),
        "most": ENOUGH_FACTS,
        "repeats": judgement.repeats,
        "broken": judgement.broken,
        "score": format_quantity(judgement.score),
    }
    if judgement.ended:
        return tr(
            "Different facts: {facts} (+{points}; at most {most}). Repeated sentences: −{repeats}. Sentences without a "
            "fact: −{broken}. Sum: {score}",
            **values,
        )
    return tr(
        "Different facts: {facts} (+{points}; at most {most}). Repeated sentences: −{repeats}. Sentences without a "
        "fact: −{broken}. No end: −1. Sum: {score}",
        **values,
    )


def _scored(prompt: AnsweredPrompt, stage: str, theme: Theme) -> str:
    """The reward model's score, if the run had one."""
    if not prompt.scores:
        return ""
    score = prompt.scores.get(stage, math.nan)
    return _column(coloured("—" if math.isnan(score) else f"{score:.2f}", theme.text))


def data_of(plan: Plan, result: TrainingResult | None, stage: str) -> tuple[tuple[DataSample, ...], bool]:
    """What a stage learns from: pairs of a run if it made some, else the examples of the plan; whether it was a run."""
    if stage in (REWARD, DPO) and result is not None and result.pairs:
        pairs = tuple(
            DataSample(pair.prompt, pair.chosen, pair.rejected, (pair.chosen_score, pair.rejected_score))
            for pair in result.pairs
        )
        return pairs, True
    return plan.stages[stage].samples, False


def samples_html(stage: str, samples: Sequence[DataSample], theme: Theme) -> str:
    """What a stage learns from, with examples."""
    intro = f"<p><b>{safe(STAGE_LABELS[stage])}</b>: {coloured(safe(_ABOUT_DATA[stage]), theme.muted)}</p>"
    return intro + "".join(_sample_html(sample, theme) for sample in samples)


_ABOUT_DATA: dict[str, Text] = {
    "pretraining": tr(
        "texts about made-up people. The model learns to predict the next token of all of it, and with it the facts."
    ),
    "sft": tr(
        "instructions with answers in the asked form. Only the tokens of the answers are learned from. A few answers "
        "say that one does not know."
    ),
    "reward": tr(
        "pairs of answers, and which one the rule likes better. The rule: one point for each different fact, up to "
        "three; minus one for each sentence that is word for word another one or states no fact, and minus one "
        "without an end. It does not check whether a fact is true. In a run, both answers are the SFT model's."
    ),
    "ppo": tr("prompts alone. The policy answers them, the reward model scores the answers, and PPO learns from both."),
    "dpo": tr(
        "the same pairs as the reward model. Nothing is generated: DPO only compares how likely both answers are."
    ),
    "grpo": tr(
        "prompts alone. The policy answers each one several times, and an answer is good if its score is above the "
        "mean of its group."
    ),
}


def _sample_html(sample: DataSample, theme: Theme) -> str:
    if not sample.prompt:
        return f"<p>{coloured(safe(sample.answer), theme.text)}</p>"
    lines = [coloured(f"<b>{safe(sample.prompt)}</b>", theme.accent)]
    if sample.rejected:
        better, worse = sample.scores
        lines.append(f"{coloured(f'✓ {better:g}', theme.good)} {coloured(safe(sample.answer), theme.text)}")
        lines.append(f"{coloured(f'✗ {worse:g}', theme.bad)} {coloured(safe(sample.rejected), theme.text)}")
    elif sample.answer:
        lines.append(coloured(safe(sample.answer), theme.text))
    return f"<p>{'<br>'.join(lines)}</p>"
