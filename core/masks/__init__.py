"""Masks: an algebra of which query sees which key. numpy only; pages and workers may import it.

mask = parse("causal & (window(1024) | prefix(4)) & ~padding")
layout = Layout.of(8192)
visible(mask, layout, rows, cols)                       # only the requested cells
tile_classes(mask, layout, 128, 128)                    # uint8 [64, 64] of TileClass, exact
row_counts(mask, layout)                                # int64 [8192]
rasterise(mask, layout, (0, 8192), (0, 8192), 800, 600) # float32 [600, 800], for a picture
"""

from core.masks.counting import (
    TileClass,
    bin_counts,
    classify,
    rasterise,
    row_counts,
    tile_classes,
    tile_counts,
    visible,
    visible_matrix,
)
from core.masks.layout import Layout, Side, ids_from_ends, ids_from_lengths, ids_from_starts
from core.masks.nodes import (
    ALIGNED_TERMS,
    COUNTED_TERMS,
    PLAIN_TERMS,
    Ahead,
    All,
    And,
    Causal,
    CausalTopLeft,
    Documents,
    Mask,
    Not,
    Nothing,
    Or,
    PaddedQueries,
    Padding,
    Prefix,
    SameTurn,
    Term,
    Turns,
    Window,
    terms_of,
)
from core.masks.parser import MaskSyntaxError, parse

__all__ = [
    "ALIGNED_TERMS", "COUNTED_TERMS", "PLAIN_TERMS", "Ahead", "All", "And", "Causal", "CausalTopLeft", "Documents",
    "Layout", "Mask", "MaskSyntaxError", "Not", "Nothing", "Or", "PaddedQueries", "Padding", "Prefix", "SameTurn",
    "Side", "Term", "TileClass", "Turns", "Window", "bin_counts", "classify", "ids_from_ends", "ids_from_lengths",
    "ids_from_starts", "parse", "rasterise", "row_counts", "terms_of", "tile_classes", "tile_counts", "visible",
    "visible_matrix",
]  # fmt: skip
