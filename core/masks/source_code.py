"""A mask as source code to copy: a FlexAttention mask_mod, a bool tensor, a mask for Hugging Face models.

Each text runs unchanged and assigns its result to the name given in the docstring. Lengths, documents and pads are
written as numbers, so the code does not depend on the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.masks.conventions import flex_lines, sdpa_lines, transformers_lines
from core.masks.layout import Layout
from core.masks.nodes import (
    Ahead,
    All,
    And,
    Causal,
    CausalTopLeft,
    Documents,
    Joined,
    Mask,
    Not,
    Nothing,
    PaddedQueries,
    Padding,
    Prefix,
    SameTurn,
    Term,
    Turns,
    Window,
    terms_of,
)

Layouts = tuple[Layout, ...]


def flex_mask_mod(
    mask: Mask, layouts: Layouts, block_q: int = 128, block_kv: int = 128, device: str | None = None
) -> str:
    """Source that defines `mask_mod` and `block_mask` for torch.nn.attention.flex_attention.

    On `device`, such as 'cpu'; None lets the source itself check for a GPU.
    """
    names = {
        "at": "(kv_idx {sign} q_idx{shift})",
        "prefix": "(kv_idx < {count})",
        "query": "query_{ids}[b, q_idx]",
        "key": "key_{ids}[b, kv_idx]",
        "always": "(q_idx >= 0)",
        "never": "(q_idx < 0)",
    }
    layout = layouts[0]
    batch = str(len(layouts)) if _differs_by_sequence(mask) else "None"
    return _joined_lines(
        "import torch",
        "from torch.nn.attention.flex_attention import create_block_mask",
        "",
        f'device = "{device}"' if device else 'device = "cuda" if torch.cuda.is_available() else "cpu"',
        *_data(mask, layouts, ".to(device)"),
        "",
        *flex_lines(mask, layout),
        "def mask_mod(b, h, q_idx, kv_idx):",
        f"    return {_rendered(mask, _leaf(layout, names))}",
        "",
        "block_mask = create_block_mask(",
        f"    mask_mod, B={batch}, H=None, Q_LEN={layout.query_len}, KV_LEN={layout.key_len}, device=device,",
        f"    BLOCK_SIZE=({block_q}, {block_kv}),",
        ")",
        "# out = torch.compile(flex_attention)(q, k, v, block_mask=block_mask)",
    )


def torch_bool_tensor(mask: Mask, layouts: Layouts) -> str:
    """Source that defines `mask`, bool [batch, 1, query_len, key_len], True where a query sees a key."""
    names = {
        "at": "(j {sign} i{shift})",
        "prefix": "(j < {count})",
        "query": "query_{ids}[:, None, :, None]",
        "key": "key_{ids}[:, None, None, :]",
        "always": "(i >= 0)",
        "never": "(i < 0)",
    }
    layout = layouts[0]
    shape = f"{len(layouts)}, 1, {layout.query_len}, {layout.key_len}"
    return _joined_lines(
        "import torch",
        "",
        f"i = torch.arange({layout.query_len})[:, None]",
        f"j = torch.arange({layout.key_len})[None, :]",
        *_data(mask, layouts, ""),
        *sdpa_lines(mask, layout),
        f"mask = ({_rendered(mask, _leaf(layout, names))}).expand({shape})",
        "# out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)",
    )


def transformers_mask(mask: Mask, layouts: Layouts) -> str:
    """Source that defines `attention_mask`, bool [batch, 1, query_len, key_len], for models of transformers 5."""
    layout = layouts[0]
    writer = _TransformersWriter(layout)
    function = writer.rendered(mask)
    return _joined_lines(
        "import torch",
        f"from transformers.masking_utils import {', '.join(sorted(writer.imports))}",
        "",
        *_data(mask, layouts, ""),
        *writer.definitions,
        "",
        *transformers_lines(mask, layout),
        f"mask_function = {function}",
        "attention_mask = sdpa_mask(",
        f"    batch_size={len(layouts)}, q_length={layout.query_len}, kv_length={layout.key_len},",
        "    mask_function=mask_function, allow_is_causal_skip=False,",
        ")",
        *_shortcut(mask),
        "# out = model(input_ids, attention_mask=attention_mask)",
    )


def _shortcut(mask: Mask) -> tuple[str, ...]:
    """Models build the two simplest masks from the 2D mask of a tokenizer."""
    hidden_pads = Not(Padding())
    if mask not in (hidden_pads, And((Causal(), hidden_pads)), And((hidden_pads, Causal()))):
        return ()
    kind = "An encoder" if mask == hidden_pads else "A decoder"
    return (f"# {kind} builds the same mask from the 2D mask: attention_mask=(~key_pads).long()",)


def _differs_by_sequence(mask: Mask) -> bool:
    return any(isinstance(term, Padding | PaddedQueries | Documents | Turns | SameTurn) for term in terms_of(mask))


def _data(mask: Mask, layouts: Layouts, to_device: str) -> list[str]:
    """Assignments of the tensors [batch, length] that the mask's terms read."""
    tensors: dict[str, list[NDArray[Any]]] = {}
    for term in terms_of(mask):
        match term:
            case Padding():
                tensors["key_pads"] = [~layout.keys.real for layout in layouts]
            case PaddedQueries():
                tensors["query_pads"] = [~layout.queries.real for layout in layouts]
            case Documents() | Turns() | SameTurn():
                ids = "documents" if isinstance(term, Documents) else "turns"
                both = [term.ids(layout) for layout in layouts]
                tensors[f"query_{ids}"] = [queries for queries, _ in both]
                tensors[f"key_{ids}"] = [keys for _, keys in both]
    lines = []
    for name, rows in tensors.items():
        partner = name.replace("query_", "key_")
        if partner != name and partner in tensors and _same(rows, tensors[partner]):
            continue
        tensor = _tensor(rows)
        tensor = f"({tensor}){to_device}" if to_device and ">=" in tensor else tensor + to_device
        lines.append(f"{name} = {tensor}  # [{len(rows)}, {rows[0].size}]")
    for name in tensors:
        partner = name.replace("query_", "key_")
        if partner != name and partner in tensors and _same(tensors[name], tensors[partner]):
            lines.append(f"{name} = {partner}")
    return lines


def _same(a: list[NDArray[Any]], b: list[NDArray[Any]]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def _tensor(rows: list[NDArray[Any]]) -> str:
    """[batch, length]: trailing pads as lengths, anything else as values with repeat counts."""
    length = rows[0].size
    if rows[0].dtype == bool and all(not np.any(row[:-1] & ~row[1:]) for row in rows):
        lengths = [int(np.count_nonzero(~row)) for row in rows]
        return f"torch.arange({length}) >= torch.tensor({lengths})[:, None]"
    if _same(rows, [rows[0]] * len(rows)):
        return f"{_runs(rows[0])}.expand({len(rows)}, -1)"
    return f"torch.stack([{', '.join(_runs(row) for row in rows)}])"


def _runs(row: NDArray[Any]) -> str:
    if not row.size:
        return "torch.zeros(0, dtype=torch.bool)"
    starts = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))
    repeats = np.diff(np.append(starts, row.size)).tolist()
    return f"torch.repeat_interleave(torch.tensor({row[starts].tolist()}), torch.tensor({repeats}))"


def _rendered(mask: Mask, leaf: Callable[[Term], str]) -> str:
    """The expression with Python's operators, which have the same precedence as ours."""
    match mask:
        case Joined(terms):
            inner = (_rendered(term, leaf) for term in terms)
            parts = (f"({text})" if isinstance(term, Joined) else text for term, text in zip(terms, inner, strict=True))
            return f" {mask.operator} ".join(parts)
        case Not(term):
            text = _rendered(term, leaf)
            return f"~({text})" if isinstance(term, Joined) else f"~{text}"
        case Term():
            return leaf(mask)
    raise TypeError(f"{mask!r} is not a mask.")


def _leaf(layout: Layout, names: dict[str, str]) -> Callable[[Term], str]:
    def at(sign: str, shift: int) -> str:
        return names["at"].format(sign=sign, shift=_shift(shift))

    def ids(sign: str, name: str) -> str:
        return f"({names['key'].format(ids=name)} {sign} {names['query'].format(ids=name)})"

    def text(term: Term) -> str:
        match term:
            case Causal():
                return at("<=", layout.offset)
            case CausalTopLeft():
                return at("<=", 0)
            case Window(count):
                return at(">", layout.offset - count)
            case Ahead(count):
                return at("<=", layout.offset + count)
            case Prefix(count):
                return names["prefix"].format(count=count)
            case Documents():
                return ids("==", "documents")
            case SameTurn():
                return ids("==", "turns")
            case Turns():
                return ids("<=", "turns")
            case Padding():
                return names["key"].format(ids="pads")
            case PaddedQueries():
                return names["query"].format(ids="pads")
            case All():
                return names["always"]
            case Nothing():
                return names["never"]
        raise TypeError(f"{term!r} has no source text.")

    return text


def _shift(shift: int) -> str:
    return "" if shift == 0 else f" {'+' if shift > 0 else '-'} {abs(shift)}"


class _TransformersWriter:
    """Writes an expression with the library's own and_masks, or_masks and mask functions where they exist."""

    def __init__(self, layout: Layout) -> None:
        self.imports = {"sdpa_mask"}
        self.definitions: list[str] = []
        self._layout = layout
        names = {
            "at": "(key {sign} query{shift})",
            "prefix": "(key < {count})",
            "query": "query_{ids}[batch, query]",
            "key": "key_{ids}[batch, key]",
            "always": "(query >= 0)",
            "never": "(query < 0)",
        }
        self._text = _leaf(layout, names)

    def rendered(self, mask: Mask) -> str:
        match mask:
            case Joined(terms):
                joint = "and_masks" if isinstance(mask, And) else "or_masks"
                self.imports.add(joint)
                return f"{joint}({', '.join(self.rendered(term) for term in terms)})"
            case Not(term) if isinstance(term, Term):
                return self._function(f"not_{term.name}", f"~{self._text(term)}", term)
            case Not(term):
                if not any(line.startswith("def not_mask") for line in self.definitions):
                    self.definitions += ["", "def not_mask(function):", "    return lambda *index: ~function(*index)"]
                return f"not_mask({self.rendered(term)})"
            case CausalTopLeft():
                self.imports.add("causal_mask_function")
                return "causal_mask_function"
            case Causal() if self._layout.offset == 0:
                self.imports.add("causal_mask_function")
                return "causal_mask_function"
            case Window(count) if self._layout.offset == 0:
                self.imports.add("sliding_window_overlay")
                return f"sliding_window_overlay({count})"
            case All():
                self.imports.add("bidirectional_mask_function")
                return "bidirectional_mask_function"
            case Term():
                return self._function(mask.name, self._text(mask), mask)
        raise TypeError(f"{mask!r} is not a mask.")

    def _function(self, name: str, text: str, term: Term) -> str:
        count = getattr(term, "count", None)
        full_name = f"{name}_{count}" if count is not None else name
        signature = f"def {full_name}(batch, head, query, key):"
        if signature not in self.definitions:
            self.definitions += ["", signature, f"    return {text}"]
        return full_name


def _joined_lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
