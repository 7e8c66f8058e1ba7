"""The parameters of the dialogue page. Those of the training setup have the names of the doctor's `TrainingSetup`."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import tr, verbatim
from core.topics.dialogue.choices import (
    ASSISTANT_ONLY,
    AUTO,
    EVERYTHING,
    EXPERIMENT_LABELS,
    FAMILY_LABELS,
    PACKING,
    PASTED,
    POLICY_LABELS,
    SABOTAGE,
    SABOTAGE_LABELS,
    SABOTAGES,
    TEMPLATE_LABELS,
    WAYS,
)
from core.topics.dialogue.example import EXAMPLE

MAX_CONVERSATION = 4_000_000
MAX_TEMPLATE = 200_000
_TEMPLATE, _CONVERSATION, _TARGETS = tr("Template"), tr("Conversation"), tr("Targets")
_ROWS, _DATA, _TRAINING = tr("Packing and padding"), tr("Data"), tr("Experiments")


class DialogueParams(Params):
    """What a template, a tokenizer and a loss mask make of a conversation, and what is trained to show it."""

    tokenizer: str = text(
        "",
        label=tr("Tokenizer folder"),
        help=tr(
            "A folder with tokenizer.json, such as that of a Hugging Face model. None of its code runs. Empty: the "
            "tokenizer of the small model, with the special tokens of the template."
        ),
        group=_TEMPLATE,
    )
    template: str = choice(
        AUTO,
        AUTO,
        *FAMILY_LABELS,
        PASTED,
        labels=TEMPLATE_LABELS,
        label=tr("Template"),
        help=tr(
            "The Jinja template that turns a conversation into text. Automatic: that of the tokenizer folder, or "
            "Tilescope's own."
        ),
        group=_TEMPLATE,
    )
    jinja: str = text(
        "",
        label=tr("Pasted Jinja"),
        help=tr("A chat template of your own. It runs in a sandbox: it reads no file and cannot loop forever."),
        group=_TEMPLATE,
        max_length=MAX_TEMPLATE,
    )
    switches: str = text(
        "{}",
        label=tr("Template switches"),
        help=tr("Further variables of the template as JSON, such as {example}.", example='{"enable_thinking": false}'),
        group=_TEMPLATE,
        max_length=20_000,
    )
    conversation: str = text(
        EXAMPLE,
        label=tr("Conversation"),
        help=tr("The conversation of the page as JSON: messages with role and content, and tools if there are any."),
        group=_CONVERSATION,
        max_length=MAX_CONVERSATION,
    )
    add_generation_prompt: bool = switch(
        False,
        label=tr("Generation prompt"),
        help=tr("End the text with what makes the assistant speak, as before a generation."),
        group=_CONVERSATION,
    )
    policy: str = choice(
        ASSISTANT_ONLY,
        *POLICY_LABELS,
        labels=POLICY_LABELS,
        label=tr("Learn from"),
        help=tr("Which tokens are targets. TRL: assistant_only_loss, completion_only_loss, or neither."),
        group=_TARGETS,
    )
    weighting: str = choice(
        "token",
        "token",
        "turn",
        labels={"token": tr("every target alike"), "turn": tr("every turn alike")},
        label=tr("Weights"),
        help=tr("Whether a long turn weighs more than a short one."),
        group=_TARGETS,
    )
    max_length: int = number(
        1024,
        minimum=8,
        maximum=131_072,
        scale="log2",
        label=tr("Longest row"),
        unit="tokens",
        help=tr("A conversation is cut there; a packed row is as long. TRL: max_length."),
        group=_TARGETS,
    )
    truncation_side: str = choice(
        "right",
        "right",
        "left",
        labels={"right": tr("the end"), "left": tr("the beginning")},
        label=tr("Cut off"),
        help=tr("What a conversation loses that is longer than a row."),
        group=_TARGETS,
    )
    adds_special_tokens: bool = switch(
        False,
        label=tr("Tokenizer adds tokens"),
        help=tr("Encode the rendered text with the special tokens that the tokenizer adds by itself."),
        group=_TARGETS,
    )
    packing: str = choice(
        "bfd",
        "bfd",
        "bfd_split",
        "wrapped",
        "none",
        labels={
            "bfd": tr("best fit, long ones cut"),
            "bfd_split": tr("best fit, long ones split"),
            "wrapped": tr("wrapped"),
            "none": tr("one per row"),
        },
        label=tr("Packing"),
        help=tr("Which conversations share a row; best fit takes the longest first. TRL: packing_strategy."),
        group=_ROWS,
    )
    document_mask: bool = switch(
        True,
        label=tr("Document mask"),
        help=tr("Whether attention keeps the conversations of a row apart."),
        group=_ROWS,
    )
    positions_reset: bool = switch(
        True,
        label=tr("Reset positions"),
        help=tr("Whether positions start from 0 in each conversation of a row."),
        group=_ROWS,
    )
    window: int = number(
        0,
        minimum=0,
        maximum=131_072,
        label=tr("Sliding window"),
        unit="tokens",
        help=tr("A token sees as many tokens, itself included, as in Mistral or Gemma; 0: all before it."),
        group=_ROWS,
        view_only=True,
    )
    padding_masked_by: str = choice(
        "position",
        "position",
        "token",
        labels={"position": tr("position"), "token": tr("token")},
        label=tr("Padding is ignored by"),
        help=tr(
            "By token, every label that equals the pad token is ignored, as transformers' "
            "DataCollatorForLanguageModeling does; by position, only what was added. TRL: position."
        ),
        group=_ROWS,
    )
    pad_token: str = text(
        "",
        label=tr("Pad token"),
        help=tr("Empty: that of the tokenizer, or its end token if it has none, as in TRL."),
        group=_ROWS,
        max_length=200,
    )
    padding_side: str = choice(
        AUTO,
        AUTO,
        "left",
        "right",
        labels={AUTO: tr("of the tokenizer"), "left": tr("left"), "right": tr("right")},
        label=tr("Padding side"),
        help=tr("Where short rows are filled up."),
        group=_ROWS,
    )
    gradient_accumulation: int = number(
        1,
        minimum=1,
        maximum=1024,
        scale="log2",
        label=tr("Gradient accumulation"),
        unit="batches",
        help=tr("Batches per step of the optimizer, for the doctor. TRL: gradient_accumulation_steps."),
        group=_ROWS,
    )
    loss_mean_over: str = choice(
        "targets",
        "targets",
        "micro_batch",
        labels={"targets": tr("all targets of a step"), "micro_batch": tr("each batch by itself")},
        label=tr("Mean of the loss over"),
        help=tr("What the loss of a step is divided by where gradients are accumulated."),
        group=_ROWS,
    )
    data: str = text(
        "",
        label=tr("Data file"),
        help=tr("Conversations as JSON lines, for the doctor. Nothing is sent anywhere."),
        file_filter="*.jsonl *.json",
        group=_DATA,
    )
    max_lines: int = number(
        100_000,
        minimum=1,
        maximum=10_000_000,
        scale="log2",
        label=tr("Conversations to examine"),
        help=tr("The doctor stops after as many."),
        group=_DATA,
    )
    experiments: str = choice(
        AUTO,
        *EXPERIMENT_LABELS,
        labels=EXPERIMENT_LABELS,
        label=tr("Experiments"),
        help=tr(
            "What to train on the small model, besides what the doctor examines. Automatic: all, or nothing if there "
            "is a data file."
        ),
        group=_TRAINING,
    )
    sabotage: str = choice(
        EVERYTHING,
        EVERYTHING,
        *SABOTAGES,
        labels={EVERYTHING: tr("all"), **SABOTAGE_LABELS},
        label=tr("Mistake on purpose"),
        help=tr("Which mistakes are trained, to see what the model does after them and what the loss shows."),
        group=_TRAINING,
    )
    steps: int = number(
        120,
        minimum=2,
        maximum=5000,
        scale="log2",
        label=tr("Steps"),
        unit="steps",
        help=tr("Training steps of each experiment."),
        group=_TRAINING,
    )
    batch_size: int = number(
        8,
        minimum=1,
        maximum=256,
        scale="log2",
        label=tr("Batch"),
        unit="examples",
        help=tr("Examples per step, and per batch for the doctor. TRL: per_device_train_batch_size."),
        group=_TRAINING,
    )
    learning_rate: float = number(
        2e-3,
        minimum=1e-6,
        maximum=1.0,
        scale="log2",
        label=tr("Learning rate"),
        help=tr("Peak learning rate of AdamW. It rises over the first tenth of the steps and then falls to a tenth."),
        group=_TRAINING,
    )
    turns: int = number(
        3,
        minimum=2,
        maximum=6,
        label=tr("Turns"),
        help=tr("Questions and answers per conversation that is trained on. All but the first need the history."),
        group=_TRAINING,
    )
    seed: int = number(
        0,
        minimum=0,
        maximum=2**31 - 4,
        label=tr("Seed"),
        help=tr("Seed of the conversations and of their order."),
        group=_TRAINING,
    )
    seeds: int = number(
        1,
        minimum=1,
        maximum=3,
        label=tr("Seeds"),
        help=tr("Repeats the three ways to train with as many seeds, to see the spread."),
        group=_TRAINING,
    )

    @model_validator(mode="after")
    def _texts_fit(self) -> Self:
        if self.template == PASTED and not self.jinja.strip():
            raise InvalidParams(tr("The pasted template is empty: paste Jinja, or choose another template."), "jinja")
        _ = self.template_switches
        return self

    @property
    def template_switches(self) -> dict[str, Any]:
        """The switches as values. Raises InvalidParams if they are no JSON object."""
        try:
            value = json.loads(self.switches or "{}")
        except (ValueError, RecursionError) as error:
            raise InvalidParams(
                tr("The template switches are no JSON: {reason}.", reason=verbatim(error)), "switches"
            ) from None
        if not isinstance(value, dict):
            raise InvalidParams(
                tr("The template switches must be a JSON object, such as {example}.", example='{"key": true}'),
                "switches",
            )
        return value

    def runs(self, experiment: str) -> bool:
        """Whether a run has one of the experiments WAYS, PACKING and SABOTAGE."""
        if self.experiments == AUTO:
            return not self.data.strip()
        return self.experiments in (EVERYTHING, experiment)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The mistakes that a run makes on purpose."""
        if not self.runs(SABOTAGE):
            return ()
        return SABOTAGES if self.sabotage == EVERYTHING else (self.sabotage,)

    @property
    def trains(self) -> bool:
        return any(self.runs(experiment) for experiment in (WAYS, PACKING, SABOTAGE))

    def needs_same_run_as(self, other: Params) -> bool:
        """Whether a run of `other` has all that a run of these would have.

        The page's conversation does not matter: what is said of it is in the plan, and its losses say which text they
        belong to.
        """
        if not isinstance(other, DialogueParams) or not self.trains_as(other):
            return False
        return not self.data.strip() or self._equal(other, _EXAMINED)

    def trains_as(self, other: DialogueParams) -> bool:
        """Whether the experiments of `other` have all that these would have."""
        if not self._equal(other, _SUBJECT) or (self.template == PASTED and self.jinja != other.jinja):
            return False
        if not self.trains:
            return True
        parts = all(other.runs(part) or not self.runs(part) for part in (WAYS, PACKING, SABOTAGE))
        return parts and set(self.mistakes) <= set(other.mistakes) and self._equal(other, _TRAINED)

    def _equal(self, other: DialogueParams, names: tuple[str, ...]) -> bool:
        return all(getattr(self, name) == getattr(other, name) for name in names)


_SUBJECT = ("tokenizer", "template")
_TRAINED = ("steps", "batch_size", "learning_rate", "turns", "seed", "seeds")
_EXAMINED = (
    "switches", "policy", "max_length", "truncation_side", "adds_special_tokens", "packing", "document_mask",
    "positions_reset", "padding_masked_by", "pad_token", "padding_side", "gradient_accumulation", "loss_mean_over",
    "batch_size", "data", "max_lines",
)  # fmt: skip
