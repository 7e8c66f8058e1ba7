"""The plan of the decoder page: everything that it draws before a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.contracts.result import Message
from core.contracts.text import Text, tr
from core.topics.decoder.flow import Flow, Node, flow_of
from core.topics.decoder.inputs import Inputs, Perturbation, inputs_of, perturbation_of
from core.topics.decoder.params import DECODER_ONLY, NOTHING, SOURCE, TARGET, DecoderParams
from core.topics.decoder.tokens import VOCABULARY

ENCODER, SELF, CROSS = "encoder", "self", "cross"


@dataclass(frozen=True)
class Part:
    """The cost of one part of the model: trainable parameters, and FLOPs of its matrix products. Modelled."""

    stack: str
    part: str
    label: Text
    parameters: int
    flops: int


@dataclass(frozen=True)
class Plan:
    """The block before any run. Every number is modelled.

    `masks` bool [query_len, key_len] by attention ('encoder', 'self', 'cross'), True where visible; only the
    attentions of this model type. `reach` by node id: bool [length], the positions that the perturbation can reach
    according to the masks; the experiment finds every other position exactly unchanged. Empty without a perturbation.
    """

    params: DecoderParams
    inputs: Inputs
    flow: Flow
    masks: dict[str, NDArray[np.bool_]]
    parts: tuple[Part, ...]
    perturbation: Perturbation | None
    reach: dict[str, NDArray[np.bool_]]

    @property
    def parameters(self) -> int:
        """Trainable parameters of all layers, without the fixed embedding table (`embedding_elements`)."""
        return sum(part.parameters for part in self.parts)

    @property
    def flops(self) -> int:
        return sum(part.flops for part in self.parts)

    @property
    def embedding_elements(self) -> int:
        """Elements of the fixed embedding table, which is tied to the logits."""
        return VOCABULARY * self.params.width

    @property
    def attentions(self) -> tuple[str, ...]:
        """The ids of the decoder's attentions, such as ('decoder.self', 'decoder.cross')."""
        return tuple(
            node.id.removesuffix(".heads")
            for node in self.flow.nodes
            if node.kind == "attention" and node.stack == "decoder"
        )

    @property
    def end(self) -> Node:
        """The final tensor: the block's output, or the memory of an encoder-only model."""
        return self.flow.node("output" if self.params.has_decoder else "memory")

    def labels_of(self, node: Node) -> tuple[str, ...]:
        """The tokens of a tensor's rows."""
        return self.inputs.labels(node.text)

    def with_token_changed(self, stack: str, position: int) -> DecoderParams | None:
        """The parameters that replace this token, or restore it if it is replaced; None for a padding token."""
        params, changed = self.params, self.perturbation
        if changed is not None and (changed.stack, changed.position) == (stack, position):
            return params.changed(perturb=NOTHING)
        if params.kind == DECODER_ONLY:
            start = self.inputs.target_start
            in_target = position >= start
            return params.changed(
                perturb=TARGET if in_target else SOURCE, position=position - (start if in_target else 0)
            )
        if stack == SOURCE and position >= self.inputs.source_visible:
            return None
        return params.changed(perturb=stack, position=position)


def plan(params: DecoderParams) -> Plan:
    """The plan of `params`. Pure; never raises for params that validated."""
    inputs = inputs_of(params)
    masks = masks_of(params, inputs)
    flow = flow_of(params, inputs, {name: int(mask.sum()) for name, mask in masks.items()})
    perturbation = perturbation_of(params, inputs)
    reach = {} if perturbation is None else reach_of(flow, masks, perturbation.stack, perturbation.position)
    return Plan(params, inputs, flow, masks, _parts(flow), perturbation, reach)


def remarks(params: DecoderParams) -> tuple[Message, ...]:
    """What is unusual about the texts, for the page and the command line."""
    if not params.memory_is_padding:
        return ()
    text = tr(
        "The source is padding alone: no query of the cross-attention sees a key, nor does one of the encoder. A "
        "softmax would divide 0 by 0; a run shows what each implementation makes of it (NaN, zeros or a mean of "
        "padding)."
    )
    return (Message("warning", text),)


def masks_of(params: DecoderParams, inputs: Inputs) -> dict[str, NDArray[np.bool_]]:
    """By attention, [query_len, key_len]: 'encoder' and 'cross' hide the padding, causal 'self' hides the future."""
    masks: dict[str, NDArray[np.bool_]] = {}
    source_len = 0 if inputs.source is None else len(inputs.source)
    not_pads = np.arange(source_len) < inputs.source_visible
    if inputs.source is not None:
        masks[ENCODER] = np.broadcast_to(not_pads, (source_len, source_len)).copy()
    if inputs.target is not None:
        target_len = len(inputs.target)
        everything = np.ones((target_len, target_len), dtype=bool)
        masks[SELF] = np.tril(everything) if params.causal else everything
        if inputs.source is not None:
            masks[CROSS] = np.broadcast_to(not_pads, (target_len, source_len)).copy()
    return masks


def reach_of(
    flow: Flow, masks: dict[str, NDArray[np.bool_]], stack: str, position: int
) -> dict[str, NDArray[np.bool_]]:
    """The positions that a change of one token of 'source' or 'target' can reach, bool [length] by node id.

    Attention carries a change to every query that sees it; every other operation works position by position.
    """
    reach: dict[str, NDArray[np.bool_]] = {}
    for node in flow.nodes:
        reached = np.zeros(node.length, dtype=bool)
        if node.id == f"{stack}.embedding":
            reached[position] = True
        sources = {edge.role: reach[edge.start] for edge in flow.edges if edge.end == node.id}
        if node.kind == "attention":
            mask = masks[ENCODER if node.stack == "encoder" else node.part]
            reached = sources["Q"] | (mask & (sources["K"] | sources["V"])).any(axis=1)
        else:
            for arriving in sources.values():
                reached = reached | arriving
        reach[node.id] = reached
    return reach


_PARTS: tuple[tuple[str, str, Callable[[Node], bool]], ...] = (
    ("encoder", "self", lambda node: node.stack == "encoder" and node.part == "self"),
    ("encoder", "feed_forward", lambda node: node.stack == "encoder" and node.part == "feed_forward"),
    ("decoder", "self", lambda node: node.stack == "decoder" and node.part == "self"),
    ("decoder", "cross", lambda node: node.stack == "decoder" and node.part == "cross"),
    ("decoder", "feed_forward", lambda node: node.stack == "decoder" and node.part == "feed_forward"),
    ("decoder", "output", lambda node: node.part == "output"),
)
_LABELS = {
    ("encoder", "self"): tr("encoder self-attention"),
    ("encoder", "feed_forward"): tr("encoder feed-forward"),
    ("decoder", "self"): tr("masked self-attention"),
    ("decoder", "cross"): tr("cross-attention"),
    ("decoder", "feed_forward"): tr("feed-forward"),
    ("decoder", "output"): tr("final norms and logits"),
}


def _parts(flow: Flow) -> tuple[Part, ...]:
    parts = []
    for stack, name, belongs in _PARTS:
        nodes = [node for node in flow.nodes if belongs(node)]
        if nodes:
            parameters, flops = sum(n.parameters for n in nodes), sum(n.flops for n in nodes)
            parts.append(Part(stack, name, _LABELS[stack, name], parameters, flops))
    return tuple(parts)
