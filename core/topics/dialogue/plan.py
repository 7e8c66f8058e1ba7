"""The plan of the dialogue page: what template, tokenizer and mask make of the conversation. numpy and jinja only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.chat.conversation import parse_conversation
from core.chat.doctor import Finding, TrainingSetup, examine
from core.chat.doctor.patient import Patient
from core.chat.messages import Conversation
from core.chat.packing import STRATEGIES, UNCUT, Packing, pack
from core.chat.packing_masks import MaskSaving, mask_saving
from core.chat.rendering import ChatTemplate, Rendered, render
from core.chat.rows import ConversationRows, conversation_rows
from core.chat.targets import IGNORED, POLICIES, Targets, targets
from core.chat.template_errors import BrokenTemplate
from core.chat.tokenizer import Encoded
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.masks import Causal, Documents, Mask, Window
from core.topics.dialogue.choices import AUTO
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.row_pieces import packed_row
from core.topics.dialogue.subject import Subject, subject_of
from core.topics.dialogue.training_set import TrainingSet, training_set
from core.topics.dialogue.ways import WayCost, turns_of, way_costs


@dataclass(frozen=True, eq=False)
class Plan:
    """What follows from the parameters without a run. What an error in them prevents is None.

    `problem` says what is wrong, EMPTY if nothing is, `blames` which parameter, and `template_error` the line and the
    column of a broken template, from 1. `targets` and `rows` are of the conversation alone, cut at `max_length`.
    The properties are computed when they are first read: those that need more than milliseconds say so.
    """

    params: DialogueParams
    subject: Subject | None = None
    conversation: Conversation | None = None
    rendered: Rendered | None = None
    encoded: Encoded | None = None
    targets: Targets | None = None
    rows: ConversationRows | None = None
    problem: Text = EMPTY
    blames: str = ""
    template_error: tuple[int, int] | None = None

    @property
    def template(self) -> ChatTemplate | None:
        return self.subject.template if self.subject else None

    @cached_property
    def targets_of(self) -> Mapping[str, NDArray[np.bool_]]:
        """Which tokens are targets under each policy, bool [n] each, before anything is cut."""
        if self.rendered is None or self.encoded is None:
            return {}
        return {policy: targets(self.rendered, self.encoded, policy).labels != IGNORED for policy in POLICIES}

    @cached_property
    def example_of(self) -> NDArray[np.int16]:
        """With one example per assistant turn, the turn from 0 in whose example a token is a target, -1 for none:
        int16 [n]. That example ends with the turn."""
        return self._turns.astype(np.int16)

    @cached_property
    def ways(self) -> tuple[WayCost, ...]:
        """What the three ways to train compute and learn from, for this conversation."""
        return way_costs(self._turns) if self.rendered is not None else ()

    @cached_property
    def _turns(self) -> NDArray[np.int64]:
        """The assistant turn of each target under assistant_only, -1 elsewhere: [n]."""
        if self.conversation is None or self.rendered is None or self.encoded is None:
            return np.empty(0, dtype=np.int64)
        return turns_of(self.conversation, targets(self.rendered, self.encoded, "assistant_only"))

    @cached_property
    def training_ways(self) -> tuple[WayCost, ...]:
        """The same as `ways`, for all conversations of the training set. Takes about a second if the template is new;
        empty if it refuses them."""
        try:
            return self._training_set.costs if self._training_set else ()
        except BrokenTemplate:
            return ()

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """Tokens of the conversations that are packed without a data file: those of the training set, int32. Takes
        about a second if the template is new; empty if it refuses them."""
        try:
            return self._training_set.lengths if self._training_set else np.empty(0, dtype=np.int32)
        except BrokenTemplate:
            return np.empty(0, dtype=np.int32)

    @cached_property
    def _training_set(self) -> TrainingSet | None:
        return training_set(self.subject.encoder, self.params.turns, self.params.seed) if self.subject else None

    @cached_property
    def _packed(self) -> tuple[ConversationRows, slice] | None:
        if self.rows is None or self._training_set is None:
            return None
        params = self.params
        try:
            neighbours = self._training_set.neighbours
        except BrokenTemplate:
            neighbours = ()
        return packed_row(self.rows, neighbours, params.max_length, params.packing, params.positions_reset)

    @property
    def packed_rows(self) -> ConversationRows | None:
        """The training row that the conversation lies in, among conversations of the training set, as `packing` makes
        it. Segments and positions are those of the row."""
        return self._packed[0] if self._packed else None

    @property
    def own(self) -> slice:
        """The tokens of `packed_rows` that are of the page's conversation; of others, characters and piece are -1."""
        return self._packed[1] if self._packed else slice(0, 0)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The characters of each token of `rows`; of a token without characters, the token."""
        if self.rows is None or self.rendered is None:
            return ()
        spans = zip(self.rows.start, self.rows.end, self.rows.tokens, strict=True)
        return tuple(self.rendered.text[start:end] or token for start, end, token in spans)

    @cached_property
    def packed_texts(self) -> tuple[str, ...]:
        """The same of `packed_rows`."""
        packed = self.packed_rows
        if packed is None or self.rendered is None or self.subject is None:
            return ()
        inner, text = self.subject.tokenizer.tokenizer, self.rendered.text
        return tuple(
            text[start:end] or token if start >= 0 else inner.decode([int(number)], skip_special_tokens=False)
            for start, end, token, number in zip(packed.start, packed.end, packed.tokens, packed.id, strict=True)
        )

    @property
    def mask(self) -> Mask:
        """Who sees whom in a row."""
        mask: Mask = Causal()
        if self.params.document_mask:
            mask = mask & Documents()
        return mask & Window(self.params.window) if self.params.window else mask

    def packings(self, lengths: NDArray[np.integer]) -> tuple[tuple[str, Packing, MaskSaving], ...]:
        """Every strategy on documents of these lengths, with rows of `max_length` tokens: milliseconds per 10,000."""
        packed = [pack(lengths.astype(np.int32), self.params.max_length, strategy) for strategy in STRATEGIES]
        return tuple((packing.strategy, packing, mask_saving(packing)) for packing in packed)

    def examine(self) -> tuple[Finding, ...]:
        """The doctor on tokenizer, template, setup and this conversation: some tens of milliseconds. Raises nothing."""
        if self.subject is None:
            return ()
        conversations = [self.conversation] if self.conversation is not None else []
        try:
            return examine(self.subject.tokenizer, self.subject.template, setup_of(self.params), conversations)
        except TilescopeError:
            return ()


def setup_of(params: DialogueParams) -> TrainingSetup:
    """How conversations become training rows, for the doctor."""
    return TrainingSetup(
        policy=params.policy,  # type: ignore[arg-type]
        switches=params.template_switches,
        adds_special_tokens=params.adds_special_tokens,
        pad_token=params.pad_token,
        padding_masked_by=params.padding_masked_by,  # type: ignore[arg-type]
        padding_side="" if params.padding_side == AUTO else params.padding_side,  # type: ignore[arg-type]
        max_length=params.max_length,
        truncation_side=params.truncation_side,  # type: ignore[arg-type]
        packing=params.packing,  # type: ignore[arg-type]
        document_mask=params.document_mask,
        positions_reset=params.positions_reset,
        batch_size=params.batch_size,
        gradient_accumulation=params.gradient_accumulation,
        loss_mean_over=params.loss_mean_over,  # type: ignore[arg-type]
    )


def plan(params: DialogueParams) -> Plan:
    """The plan of `params`. Does not raise: an error in them becomes `problem`."""
    problems: list[tuple[Text, str]] = []
    subject = conversation = None
    try:
        subject = subject_of(params)
        Patient(subject.tokenizer, subject.template, setup_of(params))
    except TilescopeError as error:
        problems.append((error.text, _blamed(error, "tokenizer")))
    try:
        conversation = conversation_of(params.conversation)
    except TilescopeError as error:
        problems.append((error.text, _blamed(error, "conversation")))
    if subject is not None and conversation is not None:
        try:
            rendered = _rendered(params, subject, conversation)
            return replace(rendered, problem=problems[0][0], blames=problems[0][1]) if problems else rendered
        except BrokenTemplate as error:
            where = (error.line, error.column) if error.line else None
            blames = "jinja" if params.jinja and params.template == "pasted" else "template"
            return Plan(params, subject, conversation, problem=error.text, blames=blames, template_error=where)
        except TilescopeError as error:
            problems.append((error.text, _blamed(error, "conversation")))
    problem, blames = problems[0]
    return Plan(params, subject, conversation, problem=problem, blames=blames)


def conversation_of(text: str) -> Conversation:
    """The conversation in a JSON text. Raises InvalidParams for `conversation`, or InvalidConversation."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidParams(
            tr(
                "The conversation is no JSON: {reason} in line {line}, column {column}.",
                reason=verbatim(error.msg),
                line=error.lineno,
                column=error.colno,
            ),
            "conversation",
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidParams(
            tr("The conversation is no JSON: {reason}.", reason=verbatim(error)), "conversation"
        ) from None
    return parse_conversation(value)


def check(params: DialogueParams) -> None:
    """Raises InvalidParams if nothing can run: no tokenizer, no template, a pad token that does not exist, or no
    conversation and no data file."""
    planned = plan(params)
    missing = planned.conversation is None and not params.data.strip()
    if planned.subject is None or missing or planned.blames == "pad_token":
        raise InvalidParams(planned.problem, planned.blames or None)


def row_targets(params: DialogueParams, rendered: Rendered, encoded: Encoded) -> Targets:
    """The targets of a conversation as `params` trains on it."""
    tokenizer = encoded.tokenizer
    pad = params.pad_token or tokenizer.pad or tokenizer.eos
    return targets(
        rendered,
        encoded,
        params.policy,  # type: ignore[arg-type]
        eos_as_pad=params.padding_masked_by == "token" and pad == tokenizer.eos,
        max_length=None if params.packing in UNCUT else params.max_length,
        truncation=params.truncation_side,  # type: ignore[arg-type]
        weighting=params.weighting,  # type: ignore[arg-type]
    )


def _rendered(params: DialogueParams, subject: Subject, conversation: Conversation) -> Plan:
    rendered = render(
        subject.template,
        conversation,
        add_generation_prompt=params.add_generation_prompt,
        switches=params.template_switches,
    )
    encoded = subject.tokenizer.encode(rendered.text, add_special_tokens=params.adds_special_tokens)
    marked = row_targets(params, rendered, encoded)
    rows = conversation_rows(rendered, encoded, marked)
    return Plan(params, subject, conversation, rendered, encoded, marked, rows)


def _blamed(error: TilescopeError, otherwise: str) -> str:
    return (error.field or otherwise) if isinstance(error, InvalidParams) else otherwise
