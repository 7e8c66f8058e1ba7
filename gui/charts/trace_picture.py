"""What a trace map draws at a zoom: counts in a range of time and addresses, coloured. Runs on another thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.trace.address_map import AddressMap
from core.trace.levels import AddressLevels

Range = tuple[float, float]
Ink = tuple[int, int, int]


@dataclass(frozen=True)
class TracePicture:
    """RGBA uint8 [height, width, 4], and the ranges of accesses and bytes that it covers."""

    image: np.ndarray
    x_range: Range
    y_range: Range

    @property
    def rectangle(self) -> tuple[float, float, float, float]:
        """(x, y, width, height) in data coordinates."""
        (left, right), (low, high) = self.x_range, self.y_range
        return left, low, right - left, high - low


@dataclass(frozen=True)
class Colours:
    """`reads` per band, in their order."""

    reads: tuple[Ink, ...]
    write: Ink


def paint(
    levels: AddressLevels,
    window: tuple[Range, Range],
    size: tuple[int, int],
    colours: Colours,
    line: tuple[str, int] | None = None,
) -> TracePicture:
    """Rasterize `window` into `size` (height, width); with a `line` (file, number), everything else fades."""
    (x_range, y_range), (height, width) = window, size
    image = _coloured(levels.picture(width, height, x_range=x_range, y_range=y_range), colours)
    if line is not None:
        image[..., 3] //= 4
        lit = _coloured(levels.picture(width, height, x_range=x_range, y_range=y_range, line=line), colours)
        shown = lit[..., 3] > 0
        image[shown] = lit[shown]
        image[shown, 3] = 255
    return TracePicture(image, *window)


def _coloured(counts: AddressMap, colours: Colours) -> np.ndarray:
    """Reads in their band's ink, writes in their own; the more accesses, the more opaque."""
    height = counts.read.shape[0]
    low, high = counts.y_range
    middle = low + (np.arange(height) + 0.5) * (high - low) / height
    first = np.array([band.first_byte for band in counts.bands])
    table = np.array([*colours.reads, (128, 128, 128)], dtype=np.uint8)
    image = np.empty((*counts.read.shape, 4), dtype=np.uint8)
    image[..., :3] = table[np.searchsorted(first, middle, side="right") - 1][:, None, :]
    image[..., :3][counts.write > 0] = colours.write
    most = np.maximum(counts.read, counts.write)
    busiest = max(1, int(most.max(initial=0)))
    image[..., 3] = np.where(most > 0, 110 + 145 / np.log1p(busiest) * np.log1p(most), 0)
    return image
