"""Where knowledge comes from, and what learning by heart looks like."""

from __future__ import annotations

import numpy as np

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.judging import noise, not_tested, verdict
from core.contracts.text import sentences, tr, verbatim
from core.topics.training.claims.unfinished import not_run
from core.topics.training.result import TrainingResult
from core.topics.training.stage_ids import PPO, SFT

LEAST_FORM, FORM_GAIN = 0.9, 0.3
LEAST_FALL = 0.05
"""Nats by which the loss must drop between two epochs, beyond its slope."""


def sft_gives_form(result: TrainingResult) -> Finding:
    knowledge = result.knowledge
    if knowledge is None or knowledge.with_new is None:
        return not_tested(tr("This run did not measure it: switch on 'Where does knowledge come from?'."))
    before, without, taught = knowledge.before, knowledge.without_new, knowledge.with_new
    known, new = taught.known, taught.new or 0.0
    counts = knowledge.questions
    gap = noise(known, counts["known"], new, counts["new"])
    learned = new - (without.new or 0.0)
    forms = without.form >= LEAST_FORM and without.form - before.form >= FORM_GAIN
    text = tr(
        "SFT raises the share of answers in the asked form from {before:.0%} to {after:.0%} ({provenance}). Before "
        "SFT, the model completes {recalled:.0%} of the known facts about people whom SFT does not name; after it, it "
        "answers {known:.0%} of the questions about them. Of the {facts} facts that only SFT states, it answers "
        "{new:.0%} in another wording, and {chance:.0%} without having been taught them.",
        before=before.form,
        after=without.form,
        provenance=result.measured.label,
        recalled=knowledge.recalled,
        known=known,
        facts=knowledge.new_facts,
        new=new,
        chance=without.new or 0.0,
    )
    limited = learned > noise(new, counts["new"], without.new or 0.0, counts["new"])
    limit = tr("So SFT teaches some facts too, but far fewer.") if limited else ""
    return Finding(verdict(forms and known - new > gap, limited), sentences(text, limit))


def new_facts_make_it_invent(result: TrainingResult) -> Finding:
    knowledge = result.knowledge
    if knowledge is None or knowledge.with_new is None:
        return not_tested(tr("This run did not measure it: switch on 'Where does knowledge come from?'."))
    without, taught, count = knowledge.without_new.invented, knowledge.with_new.invented, knowledge.questions["unknown"]
    text = tr(
        "Asked about {count} people in no text, the model invents an answer to {without:.0%} after SFT on known facts, "
        "and to {taught:.0%} after SFT with {facts} new facts ({provenance}).",
        count=count,
        without=without,
        taught=taught,
        facts=knowledge.new_facts,
        provenance=result.measured.label,
    )
    return Finding(verdict(taught - without > noise(taught, count, without, count)), text)


def rlhf_teaches_facts(result: TrainingResult) -> Finding:
    if unjudged := not_run(result, SFT, PPO):
        return unjudged
    before, after = result.abilities[SFT], result.abilities[PPO]
    unstated, known = after.asked["unstated"], after.asked["known"]
    text = tr(
        "Facts that no text states: {before:.1%} right after SFT and {after:.1%} after PPO, of {unstated} questions. "
        "Known facts: {known_before:.1%} and {known_after:.1%}, of {known} ({provenance}).",
        before=before.unstated,
        after=after.unstated,
        unstated=unstated,
        known_before=before.known,
        known_after=after.known,
        known=known,
        provenance=result.measured.label,
    )
    more_unstated = after.unstated - before.unstated > noise(after.unstated, unstated, before.unstated, unstated)
    more_known = after.known - before.known > noise(after.known, known, before.known, known)
    return Finding(verdict(more_unstated or more_known), text)


def epochs_are_steps(result: TrainingResult) -> Finding:
    epochs = result.epochs
    if epochs is None or not epochs.drops or epochs.first_seen is None or epochs.seen_before is None:
        return not_tested(tr("This run did not measure it: switch on 'Why does the loss fall in steps?'."))
    drop, slope = float(np.mean(epochs.drops)), float(np.mean(epochs.slopes))
    evaluated, held_out = epochs.curves.points("eval_loss")
    after_one = held_out[evaluated <= epochs.boundaries[0]]
    text = tr(
        "Over {boundaries} boundaries between epochs, the loss falls by {drop:.2f} nats from a quarter of an epoch to "
        "the next, and by {slope:.2f} within an epoch. From the end of the first epoch to the last epoch it falls from "
        "{first:.2f} to {last:.2f}, but the held-out loss goes from {held_first:.2f} to {held_last:.2f} "
        "({provenance}).",
        boundaries=len(epochs.drops),
        drop=drop,
        slope=slope,
        first=epochs.first_seen,
        last=epochs.seen_before,
        held_first=float(after_one[-1]) if len(after_one) else float("nan"),
        held_last=float(held_out[-1]) if len(held_out) else float("nan"),
        provenance=result.measured.label,
    )
    by_heart = len(held_out) > 0 and float(held_out[-1]) > epochs.seen_before + LEAST_FALL
    return Finding(verdict(drop - slope > LEAST_FALL and by_heart), text)


KNOWLEDGE_CLAIMS = (
    Claim(
        "sft-gives-form",
        tr("Knowledge comes from pretraining; SFT gives form."),
        tr("Zhou et al. 2023 (LIMA), arXiv 2305.11206, section 2"),
        sft_gives_form,
    ),
    Claim(
        "new-facts-invent",
        tr("SFT on facts that the model does not know makes it invent others."),
        verbatim("Gekhman et al. 2024, arXiv 2405.05904"),
        new_facts_make_it_invent,
    ),
    Claim(
        "rlhf-teaches-facts",
        tr("RLHF teaches new facts."),
        tr("Often said; against it: OpenAI 2023 (GPT-4 Technical Report), arXiv 2303.08774, section 4 and appendix B"),
        rlhf_teaches_facts,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        "epochs-are-steps",
        tr("The loss drops where an epoch begins, because the model has learned examples by heart."),
        tr("Howard and Whitaker 2023, fast.ai, 'Can LLMs learn from a single example?'"),
        epochs_are_steps,
    ),
)
