"""What a step can name on each page, so that a demo is checked before the first page is built.

tests/gui/demos/test_shipped_demos.py compares this with what the pages declare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Nameable:
    """`cards` are the keys of the pictures of a page, `kinds` what can be selected on it. `views` are the pictures that
    share a card, by the kind under which the one in front is selected."""

    cards: tuple[str, ...]
    kinds: tuple[str, ...]
    views: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_OF_EVERY_PAGE = ("function", "line")


def _page(cards: tuple[str, ...], kinds: tuple[str, ...], **views: tuple[str, ...]) -> Nameable:
    return Nameable(cards, (*kinds, *views, *_OF_EVERY_PAGE), views)


NAMEABLE: Mapping[str, Nameable] = {
    "flash-attention": _page(
        ("schedule", "traffic", "accesses", "comparison"),
        ("step", "q_block", "kv_block", "row", "kernel", "program", "tensor"),
        traffic_view=("bytes", "by-length", "by-sram"),
        comparison_view=("implementations", "timeline"),
    ),
    "attention-heads": _page(
        ("heads", "memory", "roofline", "compare"),
        ("head",),
        memory_view=("memory", "contexts"),
        compare_view=("schemes", "kv-heads", "kernels", "conversion"),
        kernels_view=("traced", "implementations"),
        conversion_view=("losses", "errors", "tuning"),
    ),
    "masks": _page(
        ("mask", "kernel"),
        ("row", "col", "q_block", "kv_block", "step"),
        kernel_view=("schedule", "symmetry", "compare", "code", "positions"),
    ),
    "decoder": _page(
        ("block", "attention", "tensor"),
        ("source_token", "target_token", "node", "edge", "head_self", "head_cross", "lens"),
        tensor_view=("tensor", "gradient", "every-token", "empty-memory"),
    ),
    "quantization": _page(
        ("codebooks", "map", "formats", "practice"),
        ("tensor", "format", "code"),
        formats_view=("block-sizes", "errors", "outliers", "distributions"),
        practice_view=("scales", "memory", "outputs", "kernels", "report"),
    ),
    "lora": _page(
        ("ranks", "losses", "details"),
        ("matrix", "step", "triplet"),
        details_view=("triplets", "pictures", "spectrum", "merges", "size", "answers", "kernel"),
        kernel_view=("bytes", "implementations"),
    ),
    "fine-tuning": _page(
        ("modules", "curves", "costs", "details"),
        ("method", "place", "step"),
        curves_view=("training", "held-out"),
        details_view=("samples", "mask", "vectors", "methods"),
    ),
    "training": _page(
        ("routes", "curves", "samples", "compare"),
        ("stage", "step"),
        samples_view=("data", "answers", "tokens"),
        compare_view=("models", "frontier", "equal-cost", "calibration", "knowledge", "epochs"),
    ),
    "dialogue": _page(
        ("rows", "sources", "outcomes"),
        ("token", "place", "strategy", "training"),
        sources_view=("conversation", "template", "attention"),
        outcomes_view=("doctor", "data", "packing", "ways", "mistakes"),
        ways_view=("tokens", "answers", "gradients"),
        packing_view=("strategies", "leak", "positions"),
    ),
    "compare": _page(
        ("bars", "curves", "outcomes"),
        ("point", "outcome"),
        curves_view=("time", "error", "share", "bytes", "modelled", "roofline"),
        outcomes_view=("outcomes", "compiled", "changes", "recordings"),
    ),
    "kernel-lab": _page(
        ("source", "map", "tensor", "programs", "findings"),
        ("file", "tensor", "program", "access", "launch", "finding"),
        findings_view=("lines", "totals", "faults", "changes", "configs"),
        programs_view=("grid", "reuse", "working-set"),
        tensor_view=("heatmap", "finding"),
    ),
}
