"""The names that the parameters of the dialogue page choose from, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping

from core.contracts.text import Text, tr, verbatim

AUTO, PASTED = "auto", "pasted"
FAMILY_LABELS: Mapping[str, Text] = {
    "tilescope": verbatim("Tilescope"),
    "chatml": verbatim("ChatML"),
    "llama3": verbatim("Llama 3"),
    "chatglm": verbatim("ChatGLM"),
    "mistral": verbatim("Mistral"),
    "gemma": verbatim("Gemma"),
}
"""The chat templates that come with the program, by the name of their file."""

TEMPLATE_LABELS: Mapping[str, Text] = {
    AUTO: tr("automatic"),
    **FAMILY_LABELS,
    PASTED: tr("pasted Jinja"),
}

ASSISTANT_ONLY, COMPLETION_ONLY, LAST_TURN, ALL_TOKENS = "assistant_only", "completion_only", "last_turn", "all"
POLICY_LABELS: Mapping[str, Text] = {
    ASSISTANT_ONLY: tr("all assistant turns"),
    COMPLETION_ONLY: tr("the completion"),
    LAST_TURN: tr("the last assistant turn"),
    ALL_TOKENS: tr("all tokens"),
}

EVERYTHING, NOTHING = "all", "none"
WAYS, PACKING, SABOTAGE = "ways", "packing", "sabotage"
EXPERIMENT_LABELS: Mapping[str, Text] = {
    AUTO: tr("automatic"),
    EVERYTHING: tr("all"),
    WAYS: tr("three ways to train"),
    PACKING: tr("packing"),
    SABOTAGE: tr("mistakes on purpose"),
    NOTHING: tr("none"),
}

DROP_MASK, PAD_WITH_END, FORGET_DOCUMENT_MASK = "drop_mask", "pad_with_end", "forget_document_mask"
SABOTAGES = (DROP_MASK, PAD_WITH_END, FORGET_DOCUMENT_MASK)
SABOTAGE_LABELS: Mapping[str, Text] = {
    DROP_MASK: tr("drop the mask of user turns"),
    PAD_WITH_END: tr("pad with the end token"),
    FORGET_DOCUMENT_MASK: tr("forget the document mask"),
}

LAST_TURN_WAY, PER_TURN, ONE_PASS = "last_turn", "per_turn", "one_pass"
TRAINING_WAYS = (LAST_TURN_WAY, PER_TURN, ONE_PASS)
WAY_LABELS: Mapping[str, Text] = {
    LAST_TURN_WAY: tr("last turn only"),
    PER_TURN: tr("one example per turn"),
    ONE_PASS: tr("all assistant turns in one pass"),
}
