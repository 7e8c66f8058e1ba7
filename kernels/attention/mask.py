"""A mask as a description: at most six predicates on (query, key), and a truth table over their answers.

Any composition of predicates with and, or, not is one integer, known at compile time; nothing the size of the matrix
is built. Queries and keys are aligned bottom-right: offset = key_len - query_len, so the last query has the position
of the last key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch

from kernels.errors import InvalidInputs

MAX_TERMS = 6
"""A truth table of 2**6 bits is the largest that fits a 64-bit integer."""
MAX_VALUE = 1 << 30
"""The largest window or length: a position minus a window must fit in 32 bits."""


class TermKind(StrEnum):
    """The condition of a term on query i and key j of sequence b."""

    CAUSAL = "causal"
    """j <= i + offset"""
    WINDOW = "window"
    """j > i + offset - value"""
    KEYS_BEFORE = "keys-before"
    """j < value[b]"""
    QUERIES_BEFORE = "queries-before"
    """i < value[b]"""
    SAME_IDS = "same-ids"
    """q_ids[b, i] == kv_ids[b, j]"""
    IDS_NOT_AFTER = "ids-not-after"
    """kv_ids[b, j] <= q_ids[b, i]"""

    @property
    def compares_ids(self) -> bool:
        return self in (TermKind.SAME_IDS, TermKind.IDS_NOT_AFTER)

    @property
    def counts(self) -> bool:
        """Whether its value is a length, which may differ by sequence."""
        return self in (TermKind.KEYS_BEFORE, TermKind.QUERIES_BEFORE)


@dataclass(frozen=True, eq=False)
class Term:
    """One predicate. Raises InvalidInputs for a value or ids that its kind does not take.

    value   WINDOW: an int from 0 to MAX_VALUE; KEYS_BEFORE and QUERIES_BEFORE: an int, or integers [batch]
    q_ids   SAME_IDS and IDS_NOT_AFTER: integers [batch, query_len]
    kv_ids  like q_ids, [batch, key_len]

    A batch of 1 applies to all sequences.
    """

    kind: TermKind
    value: int | torch.Tensor | None = None
    q_ids: torch.Tensor | None = None
    kv_ids: torch.Tensor | None = None

    def __post_init__(self) -> None:
        kind = TermKind(self.kind)
        object.__setattr__(self, "kind", kind)
        if (self.q_ids is None, self.kv_ids is None) != (not kind.compares_ids,) * 2:
            if kind.compares_ids:
                raise InvalidInputs("A {kind} term takes q_ids and kv_ids.", kind=kind.value)
            raise InvalidInputs("A {kind} term takes no ids.", kind=kind.value)
        for name, ids in (("q_ids", self.q_ids), ("kv_ids", self.kv_ids)):
            if ids is not None and (ids.dim() != 2 or _is_not_integer(ids)):
                raise InvalidInputs(
                    "{name} must be integers [batch, length], not {dtype} {shape}.",
                    name=name,
                    dtype=str(ids.dtype),
                    shape=str(list(ids.shape)),
                )
        if isinstance(self.value, torch.Tensor):
            if not kind.counts:
                raise InvalidInputs("A {kind} term takes no tensor as its value.", kind=kind.value)
            if self.value.dim() != 1 or _is_not_integer(self.value):
                raise InvalidInputs(
                    "Lengths must be integers [batch], not {dtype} {shape}.",
                    dtype=str(self.value.dtype),
                    shape=str(list(self.value.shape)),
                )
        elif (self.value is None) == (kind is TermKind.WINDOW or kind.counts):
            if self.value is None:
                raise InvalidInputs("A {kind} term takes a value.", kind=kind.value)
            raise InvalidInputs("A {kind} term takes no value.", kind=kind.value)
        elif self.value is not None and not 0 <= self.value <= MAX_VALUE:
            raise InvalidInputs(
                "The value of a {kind} term must be from 0 to {limit}, not {value}.",
                kind=kind.value,
                limit=MAX_VALUE,
                value=self.value,
            )

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The tensors with one row per sequence."""
        return tuple(t for t in (self.value, self.q_ids, self.kv_ids) if isinstance(t, torch.Tensor))

    def is_same(self, other: Term) -> bool:
        """Whether both have the same kind and the same number or identical tensors."""
        pairs = ((self.value, other.value), (self.q_ids, other.q_ids), (self.kv_ids, other.kv_ids))
        return self.kind is other.kind and all(
            a is b or (isinstance(a, int) and isinstance(b, int) and a == b) for a, b in pairs
        )

    def map_tensors(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Term:
        """The same predicate with `function` applied to its tensors."""
        value, q_ids, kv_ids = (
            function(t) if isinstance(t, torch.Tensor) else t for t in (self.value, self.q_ids, self.kv_ids)
        )
        return Term(self.kind, value, q_ids, kv_ids)  # type: ignore[arg-type]

    def holds(self, b: torch.Tensor, i: torch.Tensor, j: torch.Tensor, offset: int) -> torch.Tensor:
        """The predicate at sequences, queries and keys that broadcast together, on the same device as the term."""
        match self.kind:
            case TermKind.CAUSAL:
                return j <= i + offset
            case TermKind.WINDOW:
                return j > i + (offset - self._value)
            case TermKind.KEYS_BEFORE:
                return j < self._of_sequence(self._value, b)
            case TermKind.QUERIES_BEFORE:
                return i < self._of_sequence(self._value, b)
        assert self.q_ids is not None
        assert self.kv_ids is not None
        queries, keys = self._of_cell(self.q_ids, b, i), self._of_cell(self.kv_ids, b, j)
        return queries == keys if self.kind is TermKind.SAME_IDS else keys <= queries

    @property
    def _value(self) -> torch.Tensor | int:
        assert self.value is not None
        return self.value

    @staticmethod
    def _of_sequence(value: torch.Tensor | int, b: torch.Tensor) -> torch.Tensor | int:
        if isinstance(value, int):
            return value
        return value[0] if value.shape[0] == 1 else value[b]

    @staticmethod
    def _of_cell(ids: torch.Tensor, b: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return ids[0][position] if ids.shape[0] == 1 else ids[b, position]


@dataclass(frozen=True, eq=False)
class MaskDescription:
    """Bit sum(term_k(i, j) << k) of `table` says whether query i sees key j.

    Descriptions compose by &, | and ~; a term on both sides is kept once. Raises InvalidInputs for more
    than MAX_TERMS different terms, and for tensors whose batches differ.
    """

    terms: tuple[Term, ...]
    table: int

    def __post_init__(self) -> None:
        if len(self.terms) > MAX_TERMS:
            raise _too_many_terms(len(self.terms))
        if not 0 <= self.table < 1 << (1 << len(self.terms)):
            raise InvalidInputs(
                "The truth table of {terms} terms must fit in {bits} bits.",
                terms=len(self.terms),
                bits=1 << len(self.terms),
            )
        batches = {t.shape[0] for t in self._tensors()} - {1}
        if len(batches) > 1:
            raise InvalidInputs(
                "The terms have batches of {batches} sequences: they must agree.", batches=str(sorted(batches))
            )

    def __and__(self, other: MaskDescription) -> MaskDescription:
        return self._joined(other, lambda a, b: a & b)

    def __or__(self, other: MaskDescription) -> MaskDescription:
        return self._joined(other, lambda a, b: a | b)

    def __invert__(self) -> MaskDescription:
        return MaskDescription(self.terms, self.table ^ ((1 << (1 << len(self.terms))) - 1))

    @property
    def sequences(self) -> int:
        """How many sequences it distinguishes: 1 when the whole batch shares one mask."""
        return max((t.shape[0] for t in self._tensors()), default=1)

    def map_tensors(self, function: Callable[[torch.Tensor], torch.Tensor]) -> MaskDescription:
        """The same description with `function` applied to its tensors."""
        return MaskDescription(tuple(term.map_tensors(function) for term in self.terms), self.table)

    def without_idle_terms(self) -> MaskDescription:
        """The same mask, without the terms that its table ignores."""
        for k in range(len(self.terms)):
            others = (*self.terms[:k], *self.terms[k + 1 :])
            rows = [(row >> k << k + 1) | (row & ((1 << k) - 1)) for row in range(1 << len(others))]
            if all((self.table >> row & 1) == (self.table >> (row | 1 << k) & 1) for row in rows):
                table = sum((self.table >> row & 1) << index for index, row in enumerate(rows))
                return MaskDescription(others, table).without_idle_terms()
        return self

    def check_fits(self, *, batch: int, query_len: int, key_len: int) -> None:
        """Raises InvalidInputs if it does not fit these sizes."""
        if self.sequences not in (1, batch):
            raise InvalidInputs(
                "The mask describes {sequences} sequences, but the batch has {batch}: both numbers must be equal.",
                sequences=self.sequences,
                batch=batch,
            )
        for term in self.terms:
            if term.q_ids is None or term.kv_ids is None:
                continue
            if (term.q_ids.shape[1], term.kv_ids.shape[1]) != (query_len, key_len):
                raise InvalidInputs(
                    "A {kind} term has ids for {q_ids} queries and {kv_ids} keys, but there are {query_len} and "
                    "{key_len}.",
                    kind=term.kind.value,
                    q_ids=term.q_ids.shape[1],
                    kv_ids=term.kv_ids.shape[1],
                    query_len=query_len,
                    key_len=key_len,
                )

    def sees(self, b: torch.Tensor, i: torch.Tensor, j: torch.Tensor, offset: int) -> torch.Tensor:
        """Whether query i of sequence b sees key j: bool, broadcastable to the common shape of b, i and j."""
        seen = evaluated(self.table, [term.holds(b, i, j, offset) for term in self.terms])
        if isinstance(seen, bool):
            return (j >= 0) if seen else (j < 0)
        return seen

    def _tensors(self) -> Iterator[torch.Tensor]:
        return (tensor for term in self.terms for tensor in term.tensors)

    def _joined(self, other: MaskDescription, joined: Callable[[int, int], int]) -> MaskDescription:
        terms = list(self.terms)
        for term in other.terms:
            if not any(term.is_same(one) for one in terms):
                terms.append(term)
        if len(terms) > MAX_TERMS:
            raise _too_many_terms(len(terms))
        return MaskDescription(tuple(terms), joined(self._table_over(terms), other._table_over(terms)))

    def _table_over(self, terms: Sequence[Term]) -> int:
        """The truth table over `terms`, which include its own."""
        places = [next(index for index, one in enumerate(terms) if term.is_same(one)) for term in self.terms]
        table = 0
        for row in range(1 << len(terms)):
            own_row = sum((row >> place & 1) << k for k, place in enumerate(places))
            table |= (self.table >> own_row & 1) << row
        return table


EVERYTHING = MaskDescription((), 1)
"""Every query sees every key."""


def term(
    kind: TermKind,
    value: int | torch.Tensor | None = None,
    *,
    q_ids: torch.Tensor | None = None,
    kv_ids: torch.Tensor | None = None,
) -> MaskDescription:
    """The mask of a single predicate: its table is 0b10."""
    return MaskDescription((Term(kind, value, q_ids, kv_ids),), 0b10)


def evaluated(table: int, answers: Sequence[torch.Tensor]) -> torch.Tensor | bool:
    """The truth table at the answers of its terms, with as few and, or, not as its halves need (Shannon's expansion).

    A bool when the table is constant.
    """
    if not answers:
        return bool(table & 1)
    *others, last = answers
    rows = 1 << len(others)
    if_false, if_true = table & ((1 << rows) - 1), table >> rows
    if if_false == if_true:
        return evaluated(if_true, others)
    low, high = evaluated(if_false, others), evaluated(if_true, others)
    if isinstance(high, bool):
        if isinstance(low, bool):
            return last if high else ~last
        return last | low if high else ~last & low
    if isinstance(low, bool):
        return ~last | high if low else last & high
    return (last & high) | (~last & low)


def visible(
    description: MaskDescription,
    *,
    query_len: int,
    key_len: int,
    rows: slice = slice(None),
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Bool [sequences, rows, key_len], True where a query sees a key: the whole matrix, or some of its rows.

    `sequences` is the description's: 1 when the whole batch shares one mask.
    """
    description.check_fits(batch=description.sequences, query_len=query_len, key_len=key_len)
    on_device = description.map_tensors(lambda tensor: tensor.to(device))
    b = torch.arange(on_device.sequences, device=device)[:, None, None]
    i = torch.arange(query_len, device=device)[rows][None, :, None]
    j = torch.arange(key_len, device=device)[None, None, :]
    return on_device.sees(b, i, j, key_len - query_len).expand(b.shape[0], i.shape[1], j.shape[2])


def _too_many_terms(terms: int) -> InvalidInputs:
    return InvalidInputs(
        "A mask may have {limit} different terms, not {terms}: write it with fewer.", limit=MAX_TERMS, terms=terms
    )


def _is_not_integer(tensor: torch.Tensor) -> bool:
    return tensor.dtype not in (torch.int32, torch.int64)
