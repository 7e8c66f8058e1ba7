"""The layout of the diagram: the encoder stack on the left, the block from bottom to top on the right.

Rows count upwards from 0. In the block, columns 0 to 2 are K, V and Q, column 3 holds the output projections and the
residual additions; the residual stream runs up a lane at the far right.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

from core.contracts.text import EMPTY, Text, listed, tr, verbatim
from core.topics.decoder.flow import Edge, Flow, Node
from core.topics.decoder.params import PRE_NORM
from core.topics.decoder.plan import Plan
from gui.pages.decoder.flow_graph import Box, FlowEdge, FlowGraph, FlowGroup, FlowNode, Point, elbow

_HIGH, _PITCH = 29.0, 46.0
_COLUMN, _BETWEEN, _APART, _SIDE = 66.0, 13.0, 54.0, 66.0
_WIDE = 3 * _COLUMN + 2 * _BETWEEN
_ENCODER_WIDE, _BRIDGE = 116.0, 66.0
_LANE = _WIDE + _APART + _SIDE + 20
_FRAME = 6.0
_COLUMN_OF = {"k": 0, "v": 1, "q": 2}
_LABELS = {
    "attention": verbatim("softmax(Q Kᵀ / √d) V"), "add": tr("Add"), "norm": tr("Layer norm"),
    "feed_forward": tr("Feed-forward"), "embedding": tr("Embedding + position"), "logits": tr("Logits"),
}  # fmt: skip
_NAMES = {"memory": tr("Memory"), "output": tr("Output")}
_GROUPS = {
    "self": tr("Masked self-attention"), "cross": tr("Cross-attention"), "encoder": tr("Encoder self-attention"),
}  # fmt: skip
_INKS = {"q": "Q", "k": "K", "v": "V", "heads": "P", "memory": "O"}


def diagram_of(plan: Plan) -> FlowGraph:
    """The diagram of a plan: every tensor of the block, and the last tensor of each encoder layer."""
    build = _Builder(plan)
    if plan.params.has_decoder:
        build.block("decoder", plan.attentions, "target.embedding", "output")
        if plan.params.has_cross_attention:
            build.encoder_stack(plan.params.encoder_layers)
    else:
        last = plan.params.encoder_layers - 1
        before = layer_end(plan, last - 1) if last else "source.embedding"
        build.block(f"encoder.{last}", (f"encoder.{last}.self",), before, "memory")
        build.earlier_layers(last)
    return build.graph()


def layer_end(plan: Plan, layer: int) -> str:
    """The id of the last tensor of an encoder layer; in the diagram it stands for the layer."""
    return f"encoder.{layer}.feed_forward.{'add' if plan.params.norm == PRE_NORM else 'norm'}"


def shown_place(plan: Plan, graph: FlowGraph, node_id: str | None) -> str | None:
    """The box that shows a tensor: its own, or that of its encoder layer."""
    if node_id is None or node_id in graph.by_id:
        return node_id
    parts = node_id.split(".")
    layer = layer_end(plan, int(parts[1])) if parts[0] == "encoder" and len(parts) > 1 else None
    return layer if layer in graph.by_id else None


@dataclass
class _Builder:
    plan: Plan
    nodes: dict[str, FlowNode] = field(default_factory=dict)
    groups: list[FlowGroup] = field(default_factory=list)
    extra: list[FlowEdge] = field(default_factory=list)

    @property
    def flow(self) -> Flow:
        return self.plan.flow

    @property
    def pre(self) -> bool:
        return self.plan.params.norm == PRE_NORM

    def block(self, prefix: str, attentions: tuple[str, ...], stream: str, end: str) -> None:
        """Place the block from the tensor `stream` up to the tensor `end`, and the logits if the flow has them."""
        whole_layer = stream.startswith("encoder")
        self.place(stream, Box(0, _y(0), _WIDE, _HIGH), self.layer_label(stream) if whole_layer else EMPTY)
        row = 0
        for attention in attentions:
            row = self.sublayer_norm(f"{attention}.norm", row)
            for letter, column in _COLUMN_OF.items():
                self.place(f"{attention}.{letter}", Box(column * (_COLUMN + _BETWEEN), _y(row + 1), _COLUMN, _HIGH))
            self.place(f"{attention}.heads", Box(0, _y(row + 2), _WIDE, _HIGH))
            self.place(f"{attention}.out", _aside(row + 2))
            self.frame(attention, row + 1)
            row = self.residual(attention, row + 3)
        row = self.sublayer_norm(f"{prefix}.feed_forward.norm", row)
        self.place(f"{prefix}.feed_forward", Box(0, _y(row + 1), _WIDE, _HIGH))
        row = self.residual(f"{prefix}.feed_forward", row + 2)
        row += 0 if self.pre else 1
        self.place(end, Box(0, _y(row), _WIDE, _HIGH))
        if "logits" in {node.id for node in self.flow.nodes}:
            self.place("logits", Box(0, _y(row + 1), _WIDE, _HIGH) if self.pre else _aside(row))

    def sublayer_norm(self, node_id: str, row: int) -> int:
        """Place the pre-norm of a sublayer: beside the addition before it, or above the embedding."""
        if not self.pre:
            return row
        row += row == 0
        self.place(node_id, Box(0, _y(row), _WIDE, _HIGH))
        return row

    def residual(self, prefix: str, row: int) -> int:
        self.place(f"{prefix}.add", _aside(row))
        if not self.pre:
            self.place(f"{prefix}.norm", Box(0, _y(row), _WIDE, _HIGH))
        return row

    def frame(self, attention: str, row: int) -> None:
        top, name = _y(row + 1) - _FRAME, attention.split(".")[-1]
        name = "encoder" if attention.startswith("encoder") else name
        if name == "self" and not self.plan.params.causal:
            label = tr("Self-attention, no mask")
        else:
            label = _GROUPS[name]
        high = _y(row) + _HIGH + _FRAME - top
        box = Box(-_FRAME, top, _WIDE + _APART + _SIDE + 2 * _FRAME, high)
        left = _WIDE + 6
        self.groups.append(FlowGroup(str(label), box, Box(left, _y(row) - 1, _APART + _SIDE - 4, _HIGH + 4)))

    def encoder_stack(self, layers: int) -> None:
        """Place embedding, layers and memory, with the memory level with K and V of the cross-attention."""
        top = -self.nodes["decoder.cross.k"].box.y / _PITCH
        first = min(0.0, top - 1 - layers)
        rows = [first + (top - first) * index / (layers + 1) for index in range(layers + 2)]
        chain = ["source.embedding", *(layer_end(self.plan, layer) for layer in range(layers)), "memory"]
        self.chain(chain, rows)
        box = Box(_encoder_x() - 9, _y(top) - 30, _ENCODER_WIDE + 18, _y(first) - _y(top) + _HIGH + 39)
        self.groups.append(FlowGroup(str(tr("Encoder")), box, Box(box.x, box.y + 4, box.width, 24)))

    def earlier_layers(self, layers: int) -> None:
        """In an encoder-only model, place the layers before the last, downwards from their entry into the block."""
        if layers:
            chain = ["source.embedding", *(layer_end(self.plan, layer) for layer in range(layers - 1))]
            self.chain(chain, [float(index - len(chain) + 1) for index in range(len(chain))])
            self.chain_edge(chain[-1], layer_end(self.plan, layers - 1))

    def chain(self, ids: list[str], rows: list[float]) -> None:
        for node_id, row in zip(ids, rows, strict=True):
            label = self.layer_label(node_id) if node_id.startswith("encoder") else EMPTY
            self.place(node_id, Box(_encoder_x(), _y(row), _ENCODER_WIDE, _HIGH), label)
        for start, end in itertools.pairwise(ids):
            self.chain_edge(start, end)

    def chain_edge(self, start: str, end: str) -> None:
        """An arrow that stands for a whole layer between two tensors."""
        a, b, node = self.nodes[start].box, self.nodes[end].box, self.flow.node(start)
        points = (a.at("top"), b.at("bottom")) if a.x == b.x else (a.at("right"), b.at("left"))
        self.extra.append(FlowEdge(start, end, points, node.shape, about=str(tr("a whole layer"))))

    def layer_label(self, node_id: str) -> Text:
        """The name of a box that stands for a whole layer of the encoder."""
        return tr("Encoder layer {number}", number=self.flow.node(node_id).layer + 1)

    def place(self, node_id: str, box: Box, label: Text = EMPTY) -> None:
        node = self.flow.node(node_id)
        ink = _INKS.get(node_id.rsplit(".", 1)[-1], "")
        whole_layer = tr("output of the whole layer")
        about = f"{whole_layer}  {node.shape}" if label else about_node(node)
        label = label or label_of(node, narrow=box.width < _WIDE)
        self.nodes[node_id] = FlowNode(node_id, str(label), box, ink, about)

    def graph(self) -> FlowGraph:
        drawn = {edge.id for edge in self.extra}
        edges = list(self.extra)
        for edge in self.flow.edges:
            if edge.start in self.nodes and edge.end in self.nodes:
                arrow = FlowEdge(edge.start, edge.end, *self.route(edge), label_side=_label_side(edge))
                if arrow.id not in drawn:
                    edges.append(arrow)
        order = [node.id for node in self.flow.nodes if node.id in self.nodes]
        nodes = tuple(self.nodes[node_id] for node_id in order)
        return FlowGraph(nodes, tuple(edges), tuple(self.groups), self.note_box())

    def note_box(self) -> Box:
        """The corner above the encoder. It keeps its width without an encoder, so that the block does not move."""
        top = min(node.box.y for node in self.nodes.values())
        left = [group.box.y for group in self.groups if group.box.x < -_BRIDGE]
        left += [node.box.y for node in self.nodes.values() if node.box.x < -_BRIDGE]
        bottom = min(left, default=_HIGH) - 10
        return Box(_encoder_x() - 9, top, _ENCODER_WIDE + _BRIDGE - 12, max(_HIGH, bottom - top))

    def route(self, edge: Edge) -> tuple[tuple[Point, ...], str, str, str, Point | None]:
        """Points, label, ink, description and label position of an arrow."""
        points, label_at = self._points(edge)
        into_heads = edge.end.endswith(".heads")
        ink = edge.role if edge.role in _INKS.values() and (into_heads or edge.start == "memory") else ""
        if edge.role == "data":
            about = EMPTY
        else:
            about = tr("residual:") if edge.role == "residual" else tr("read by {letter}:", letter=edge.role)
        return points, edge.shape, ink, str(about), label_at

    def _points(self, edge: Edge) -> tuple[tuple[Point, ...], Point | None]:
        start, end = self.nodes[edge.start], self.nodes[edge.end]
        a, b = start.box, end.box
        if edge.role == "residual":
            return self._residual_points(edge, a, b)
        if edge.start == "memory" and edge.role == "V":
            low = b.y + b.height + (_PITCH - _HIGH) / 2
            x = a.x + a.width + 16
            y = a.y + 0.8 * a.height
            bend = (x, low)
            return ((a.x + a.width, y), (x, y), bend, (b.centre[0], low), b.at("bottom")), (x + 25, low)
        if abs(a.centre[1] - b.centre[1]) < 1:
            return ((a.at("right"), b.at("left")) if a.x < b.x else (a.at("left"), b.at("right"))), None
        if abs(a.centre[0] - b.centre[0]) < 1 or a.x <= b.centre[0] <= a.x + a.width or a.width < b.width:
            x = b.centre[0] if b.width <= a.width else a.centre[0]
            return ((x, a.y), (x, b.y + b.height)), None
        return (a.at("right"), (b.centre[0], a.centre[1]), b.at("bottom")), None

    def _residual_points(self, edge: Edge, a: Box, b: Box) -> tuple[tuple[Point, ...], Point | None]:
        """Up the lane on the right. Leaves through the top of a box whose right side has an incoming arrow."""
        into = b.at("right", 0.72)
        label_at = (_LANE, (a.y + b.y) / 2 + 0.6 * _HIGH)
        if self.flow.node(edge.start).kind == "norm" and a.x == 0:
            out = (a.x + a.width - 5, a.y)
            middle = a.y - (_PITCH - _HIGH) / 2 + 2
            return (out, (out[0], middle), (_LANE, middle), (_LANE, into[1]), into), label_at
        return elbow(a.at("right", 0.28), into, upright=False, lane=_LANE), label_at


def _label_side(edge: Edge) -> Literal["beside", "below", "along"]:
    if edge.role == "residual":
        return "along"
    return "below" if edge.start == "memory" and edge.role == "V" else "beside"


def label_of(node: Node, *, narrow: bool) -> Text:
    """The name of a tensor in its box."""
    last = node.id.rsplit(".", 1)[-1]
    if node.id in _NAMES:
        return _NAMES[node.id]
    if last in _COLUMN_OF:
        return verbatim(last.upper())
    if last == "out":
        return verbatim("× W_O")
    return tr("Embedding") if narrow and node.kind == "embedding" else _LABELS.get(node.kind, node.label)


def about_node(node: Node) -> str:
    """A tensor's operation, shape and cost, in the current language."""
    cost = [tr("{parameters:,} parameters", parameters=node.parameters)] if node.parameters else []
    cost += [tr("{flops:,} FLOPs (modelled)", flops=node.flops)] if node.flops else []
    return "\n".join((f"{node.label}  {node.shape}", *([str(listed(cost))] if cost else [])))


def _y(row: float) -> float:
    return -row * _PITCH


def _encoder_x() -> float:
    return -_BRIDGE - _ENCODER_WIDE


def _aside(row: int) -> Box:
    return Box(_WIDE + _APART, _y(row), _SIDE, _HIGH)
