"""The inputs of both stacks: typed texts as token sequences, and the position that is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.topics.decoder.params import DECODER_ONLY, TARGET, DecoderParams
from core.topics.decoder.tokens import BOS, EOS, PAD, Sequence, number_tokens, replaced, sequence, split


@dataclass(frozen=True)
class Inputs:
    """`source` is the encoder's input with padding, `target` the decoder's input; None without that stack.

    `source_visible` is the number of source tokens without padding. `target_start` is the position of the target's
    <bos>: after the source in a decoder-only model, which reads both as one sequence, else 0. `expected` holds the ids
    [target tokens + 1] that the decoder should predict from there on: each following token, then <eos>.
    """

    source: Sequence | None
    target: Sequence | None
    source_visible: int
    target_start: int
    expected: tuple[int, ...]

    def labels(self, stack: str) -> tuple[str, ...]:
        """The tokens of 'source' or 'target', () without such a stack."""
        text = self.source if stack == "source" else self.target
        return () if text is None else text.labels


@dataclass(frozen=True)
class Perturbation:
    """One token replaced by <other>. `stack` ('source' or 'target') is its sequence, `position` its index there.

    `before` and `after` are the labels.
    """

    stack: str
    position: int
    before: str
    after: str


def inputs_of(params: DecoderParams) -> Inputs:
    """The sequences of `params`."""
    source, target = (split(text, params.tokens) for text in (params.source, params.target))
    ids = number_tokens(source, target)
    expected = (*(ids[token] for token in target), EOS)
    if params.kind == DECODER_ONLY:
        prompt = sequence(source, ids, after=(EOS,))
        answer = sequence(target, ids, before=BOS)
        return Inputs(None, prompt.then(answer), 0, len(prompt), expected)
    end = () if params.memory_is_padding else (EOS,)
    padded = sequence(source, ids, after=(*end, *[PAD] * params.padding))
    decoded = sequence(target, ids, before=BOS) if params.has_decoder else None
    return Inputs(padded, decoded, len(source) + len(end), 0, expected)


def perturbation_of(params: DecoderParams, inputs: Inputs) -> Perturbation | None:
    """The token that is replaced, or None if none is."""
    if not params.perturbs:
        return None
    in_target = params.perturb == TARGET or inputs.source is None
    stack = "target" if in_target else "source"
    position = params.position + (inputs.target_start if params.perturb == TARGET else 0)
    text = inputs.target if in_target else inputs.source
    assert text is not None  # a decoder-only model has a target, an encoder a source
    return Perturbation(stack, position, text.labels[position], replaced(text, position).labels[position])


def perturbed(inputs: Inputs, stack: str, position: int) -> Inputs:
    """The inputs with one token of 'source' or 'target' replaced by <other>."""
    source, target = inputs.source, inputs.target
    if stack == "source" and source is not None:
        source = replaced(source, position)
    if stack == "target" and target is not None:
        target = replaced(target, position)
    return replace(inputs, source=source, target=target)


def without_last_target(inputs: Inputs) -> Inputs:
    """The inputs without the last target token. The target has its <bos> and at least one token."""
    assert inputs.target is not None  # callers have a decoder
    shorter = Sequence(inputs.target.labels[:-1], inputs.target.ids[:-1])
    return replace(inputs, target=shorter, expected=inputs.expected[:-1])
