"""The block as a graph: every tensor that the experiment records is a node here, in the order of computation.

Ids: 'source.embedding', 'encoder.{i}.self.{q,k,v,heads,out,add,norm}', 'encoder.{i}.feed_forward',
'encoder.{i}.feed_forward.{add,norm}', 'memory'; 'target.embedding', 'decoder.self.*', 'decoder.cross.*',
'decoder.feed_forward*', 'output', 'logits'. 'memory' is the encoder's last tensor, 'output' the block's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.contracts.text import Text, tr, verbatim
from core.topics.decoder.inputs import Inputs
from core.topics.decoder.params import PRE_NORM, DecoderParams
from core.topics.decoder.tokens import VOCABULARY


@dataclass(frozen=True)
class Node:
    """One tensor [length, width] and the operation that makes it.

    `stack` is 'encoder' or 'decoder'; `part` is 'embedding', 'self', 'cross', 'feed_forward' or 'output'; `kind` is
    'embedding', 'projection', 'attention', 'add', 'norm', 'feed_forward', 'name' or 'logits'; `layer` is the index of
    the encoder layer, 0 elsewhere. `parameters` counts trainable parameters; `flops` those of its matrix products, two
    per multiply-add.
    """

    id: str
    label: Text
    stack: str
    part: str
    kind: str
    layer: int
    length: int
    width: int
    parameters: int
    flops: int

    @property
    def text(self) -> str:
        """The text whose positions the rows are, 'source' or 'target'. K and V of the cross-attention: the source."""
        of_memory = ("decoder.cross.k", "decoder.cross.v")
        return "source" if self.stack == "encoder" or self.id in of_memory else "target"

    @property
    def shape(self) -> str:
        return f"[{self.length}, {self.width}]"


@dataclass(frozen=True)
class Edge:
    """The tensor [length, width] from node `start` to node `end`. `role`: 'Q', 'K', 'V', 'residual' or 'data'."""

    start: str
    end: str
    role: str
    length: int
    width: int

    @property
    def shape(self) -> str:
        return f"[{self.length}, {self.width}]"


@dataclass(frozen=True)
class Flow:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def node(self, node_id: str) -> Node:
        """Raises KeyError for a node that this kind of model does not have."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)


def flow_of(params: DecoderParams, inputs: Inputs, visible_pairs: dict[str, int]) -> Flow:
    """The graph of `params`; `visible_pairs` counts the (query, key) pairs that each mask lets through."""
    build = _Builder(params, visible_pairs)
    memory = None
    if inputs.source is not None:
        build.begin("encoder", len(inputs.source))
        stream = build.add("source.embedding", tr("embedding + position"), "embedding", "embedding", ())
        for layer in range(params.encoder_layers):
            build.layer = layer
            prefix = f"encoder.{layer}"
            stream = build.attention(f"{prefix}.self", "encoder", stream, stream)
            stream = build.feed_forward(prefix, stream)
        memory = build.close("memory", tr("memory (last layer)"), stream)
    if inputs.target is not None:
        build.begin("decoder", len(inputs.target))
        stream = build.add("target.embedding", tr("embedding + position"), "embedding", "embedding", ())
        stream = build.attention("decoder.self", "self", stream, stream)
        if memory is not None:
            stream = build.attention("decoder.cross", "cross", stream, memory)
        stream = build.feed_forward("decoder", stream)
        stream = build.close("output", tr("output of the block"), stream)
        build.add("logits", tr("logits (tied embedding)"), "output", "logits", ((stream, "data"),), width=VOCABULARY)
    return Flow(tuple(build.nodes.values()), tuple(build.edges))


@dataclass
class _Builder:
    """Adds nodes in the order of computation; `stream` is always the id of the residual stream's tensor."""

    params: DecoderParams
    visible_pairs: dict[str, int]
    stack: str = "encoder"
    length: int = 0
    layer: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def begin(self, stack: str, length: int) -> None:
        self.stack, self.length, self.layer = stack, length, 0

    def add(
        self,
        node_id: str,
        label: Text,
        part: str,
        kind: str,
        sources: tuple[tuple[str, str], ...],
        *,
        width: int | None = None,
        length: int | None = None,
        pairs: int = 0,
    ) -> str:
        length, width = length or self.length, width or self.params.width
        parameters, flops = _cost(kind, self.params, length, pairs)
        self.nodes[node_id] = Node(node_id, label, self.stack, part, kind, self.layer, length, width, parameters, flops)
        for source, role in sources:
            start = self.nodes[source]
            self.edges.append(Edge(source, node_id, role, start.length, start.width))
        return node_id

    def attention(self, prefix: str, mask: str, stream: str, keys_from: str) -> str:
        """An attention sublayer: queries from `stream`, keys and values from `keys_from`."""
        part = "cross" if mask == "cross" else "self"
        pre = self.params.norm == PRE_NORM
        queries_from = (
            self.add(f"{prefix}.norm", tr("layer norm"), part, "norm", ((stream, "data"),)) if pre else stream
        )
        if keys_from == stream:
            keys_from = queries_from
        q = self.add(f"{prefix}.q", verbatim("Q = x W_Q"), part, "projection", ((queries_from, "Q"),))
        length = self.nodes[keys_from].length
        k = self.add(f"{prefix}.k", verbatim("K = x W_K"), part, "projection", ((keys_from, "K"),), length=length)
        v = self.add(f"{prefix}.v", verbatim("V = x W_V"), part, "projection", ((keys_from, "V"),), length=length)
        heads = self.add(
            f"{prefix}.heads", verbatim("softmax(Q Kᵀ / √d) V"), part, "attention", ((q, "Q"), (k, "K"), (v, "V")),
            pairs=self.visible_pairs[mask],
        )  # fmt: skip
        out = self.add(f"{prefix}.out", verbatim("x W_O"), part, "projection", ((heads, "data"),))
        return self._residual(prefix, part, stream, out)

    def feed_forward(self, prefix: str, stream: str) -> str:
        """The sublayer of two linear layers with a ReLU between them."""
        name, part = f"{prefix}.feed_forward", "feed_forward"
        pre = self.params.norm == PRE_NORM
        read = self.add(f"{name}.norm", tr("layer norm"), part, "norm", ((stream, "data"),)) if pre else stream
        out = self.add(name, verbatim("ReLU(x W_1) W_2"), part, "feed_forward", ((read, "data"),))
        return self._residual(name, part, stream, out)

    def close(self, node_id: str, label: Text, stream: str) -> str:
        """The end of a stack. Pre-norm normalises the stream once more here."""
        kind = "norm" if self.params.norm == PRE_NORM else "name"
        return self.add(node_id, label, "output", kind, ((stream, "data"),))

    def _residual(self, prefix: str, part: str, stream: str, out: str) -> str:
        added = self.add(f"{prefix}.add", tr("residual add"), part, "add", ((stream, "residual"), (out, "data")))
        if self.params.norm == PRE_NORM:
            return added
        return self.add(f"{prefix}.norm", tr("layer norm"), part, "norm", ((added, "data"),))


def _cost(kind: str, params: DecoderParams, length: int, pairs: int) -> tuple[int, int]:
    """Parameters and FLOPs of a node, by its kind. The logits reuse the embedding table and add no parameters."""
    width, hidden = params.width, params.feed_forward
    if kind == "projection":
        return width * width + width, 2 * length * width * width
    if kind == "attention":
        return 0, 4 * pairs * width
    if kind == "feed_forward":
        return 2 * width * hidden + hidden + width, 4 * length * width * hidden
    if kind == "norm":
        return 2 * width, 0
    if kind == "logits":
        return 0, 2 * length * width * VOCABULARY
    return 0, 0
