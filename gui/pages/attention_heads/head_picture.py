"""What the picture of the heads shows: which query heads read which KV head, and the matrices that make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.contracts.text import EMPTY, Text, tr, tr_plural
from core.model_configs.projections import Projection
from core.topics.attention_heads.plan import Plan

_SYMBOLS = {
    "q_proj": "Q",
    "k_proj": "K",
    "v_proj": "V",
    "o_proj": "O",
    "q_a_proj": "DQ",
    "q_b_proj": "UQ",
    "kv_a_proj": "DKV",
    "kv_b_proj": "UK, UV",
}
_BY_KV_HEAD, _WHOLE = ("k_proj", "v_proj"), ("q_a_proj", "kv_a_proj")


@dataclass(frozen=True)
class Matrix:
    """One projection as rows of inputs times columns of outputs, [inputs, outputs] elements.

    `symbol` is the index of its W in formulas. It consists of `parts` for one head each, side by side along the
    outputs, or one below the other if `by_rows`; the heads are KV heads if `of_kv_heads`, and all read a single part.
    """

    name: str
    symbol: str
    inputs: int
    outputs: int
    parts: int
    of_kv_heads: bool = False
    by_rows: bool = False

    @property
    def parameters(self) -> int:
        return self.inputs * self.outputs

    @property
    def shape(self) -> str:
        return f"{self.inputs:,} × {self.outputs:,}"


@dataclass(frozen=True)
class HeadPicture:
    """`groups` are the KV heads, or the one latent vector of MLA, whose (rank, rotary) elements are `latent`.

    `key_dim` and `value_dim` are elements per head; `cached` are elements per token and layer. `title` names the
    attention, and `cache_formula` says what the cache holds.
    """

    title: str
    heads: int
    groups: int
    key_dim: int
    value_dim: int
    cached: int
    latent: tuple[int, int] | None
    matrices: tuple[Matrix, ...]
    cache_formula: Text = EMPTY

    @property
    def group_size(self) -> int:
        return self.heads // self.groups

    def group_of(self, head: int) -> int:
        return head // self.group_size

    def heads_of(self, group: int) -> range:
        return range(group * self.group_size, (group + 1) * self.group_size)

    @property
    def relation(self) -> Text:
        """How many query heads read what, in one sentence."""
        if self.latent is not None:
            return tr_plural(
                "{count} query head reads one latent vector",
                "{count} query heads read one latent vector",
                count=self.heads,
            )
        if self.group_size == 1:
            return tr_plural(
                "{count} query head with a KV head of its own",
                "{count} query heads, each with a KV head of its own",
                count=self.heads,
            )
        if self.groups == 1:
            return tr("{heads} query heads read one KV head", heads=self.heads)
        return tr(
            "{heads} query heads read {kv_heads} KV heads, {group} each",
            heads=self.heads,
            kv_heads=self.groups,
            group=self.group_size,
        )

    # Read-outs.

    def describe_head(self, head: int) -> str:
        """A query head, counted from 0."""
        group = self.group_of(head)
        if self.latent is None:
            reads = tr("reads KV head {kv_head} of {kv_heads}", kv_head=group + 1, kv_heads=self.groups)
        else:
            reads = tr("reads the latent vector, as all heads do")
        lines = [
            tr("query head {head} of {heads}", head=head + 1, heads=self.heads),
            tr("{elements} elements per token", elements=self.key_dim),
            reads,
        ]
        if self.latent is None and self.group_size > 1:
            lines.append(self._members(group))
        return "\n".join(map(str, lines))

    def describe_group(self, group: int) -> str:
        """A KV head, counted from 0, or the latent vector."""
        if self.latent is not None:
            rank, rotary = self.latent
            lines = [
                tr("latent vector: {rank} compressed elements and a rotary key of {rotary}", rank=rank, rotary=rotary),
                tr("cached once per token and layer, and read by all {heads} query heads", heads=self.heads),
            ]
        else:
            lines = [
                tr("KV head {kv_head} of {kv_heads}", kv_head=group + 1, kv_heads=self.groups),
                tr("key: {key} elements, value: {value} elements per token", key=self.key_dim, value=self.value_dim),
                self._members(group),
            ]
        return "\n".join(map(str, lines))

    def describe_matrix(self, matrix: Matrix) -> str:
        lines = [
            f"{matrix.name}: W {matrix.symbol}",
            tr("{inputs:,} inputs × {outputs:,} outputs", inputs=matrix.inputs, outputs=matrix.outputs),
            tr("{parameters:,} parameters per layer", parameters=matrix.parameters),
        ]
        if matrix.parts > 1 and matrix.of_kv_heads:
            lines.append(
                tr(
                    "{kv_heads} KV heads, {part:,} parameters each",
                    kv_heads=matrix.parts,
                    part=matrix.parameters // matrix.parts,
                )
            )
        elif matrix.parts > 1:
            lines.append(
                tr(
                    "{heads} query heads, {part:,} parameters each",
                    heads=matrix.parts,
                    part=matrix.parameters // matrix.parts,
                )
            )
        return "\n".join(map(str, lines))

    def _members(self, group: int) -> Text:
        members = self.heads_of(group)
        if len(members) == 1:
            return tr("read by query head {head}", head=members[0] + 1)
        return tr("read by query heads {first} to {last}", first=members[0] + 1, last=members[-1] + 1)


def head_picture(plan: Plan) -> HeadPicture:
    """The picture of the attention that most layers have."""
    attention = plan.attention
    latent = None if attention.latent is None else (attention.latent.rank, attention.latent.rotary)
    groups = 1 if latent is not None else attention.kv_heads
    cached = attention.elements_per_token
    if latent is not None:
        formula = tr(
            "cache per token and layer: {rank} + {rotary} = {cached:,} elements",
            rank=latent[0],
            rotary=latent[1],
            cached=cached,
        )
    elif attention.cache_of is not None:
        formula = tr("cache per token and layer: none of its own, it reads that of another layer")
    else:
        formula = tr(
            "cache per token and layer: {kv_heads} × ({key} + {value}) = {cached:,} elements",
            kv_heads=groups,
            key=attention.head_dim,
            value=attention.v_head_dim,
            cached=cached,
        )
    return HeadPicture(
        title=plan.chosen.title,
        heads=attention.heads,
        groups=groups,
        key_dim=attention.head_dim,
        value_dim=attention.v_head_dim,
        cached=cached,
        latent=latent,
        matrices=_matrices(plan.projections, attention.heads, groups),
        cache_formula=formula,
    )


def _matrices(projections: Sequence[Projection], heads: int, groups: int) -> tuple[Matrix, ...]:
    return tuple(
        Matrix(
            name=each.name,
            symbol=_SYMBOLS.get(each.name, each.name),
            inputs=each.shape[1],
            outputs=each.shape[0],
            parts=groups if each.name in _BY_KV_HEAD else 1 if each.name in _WHOLE else heads,
            of_kv_heads=each.name in _BY_KV_HEAD,
            by_rows=each.name == "o_proj",
        )
        for each in projections
    )
