"""The pictures of a demo as one animated picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

_COLOURS = 256
_MS_PER_UNIT = 10
"""A GIF counts in hundredths of a second."""


def as_gif(pictures: Sequence[bytes], seconds: Sequence[float]) -> bytes:
    """An endless GIF of PNGs of one size, each shown for so long.

    Every picture has its own palette, without dithering: the flat colours of plots and texts stay as they are.
    """
    frames = [_paletted(picture) for picture in pictures]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[max(1, round(each * 1000 / _MS_PER_UNIT)) * _MS_PER_UNIT for each in seconds],
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def _paletted(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as picture:
        return picture.convert("RGB").quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
