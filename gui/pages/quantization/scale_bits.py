"""The scales of one tensor, and the bits that they add to a parameter as rows: in float32 and in 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.format import format_quantity
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity


@dataclass(frozen=True)
class ScalesPicture:
    """The scales of `tensor`, in ascending order, [scales] each: as float32, as 8-bit codes, as those restore them.

    code_counts   int [256]: scales that each 8-bit code holds
    error_edges   float [bins + 1], error_counts int [bins]: error of the scales over themselves, in percent
    `relative_rmse` is of the scales (error over value, root mean square). Bits are those that scales add to every
    weight: in float32 (`plain_bits`), as codes (`code_bits`) and for the scales of the codes (`second_bits`). `used`
    says whether the parameters ask for double quantization.
    """

    tensor: str
    absmax: np.ndarray
    restored: np.ndarray
    codes: np.ndarray
    code_counts: np.ndarray
    error_edges: np.ndarray
    error_counts: np.ndarray
    relative_rmse: float
    block_size: int
    nested_block: int
    plain_bits: float
    code_bits: float
    second_bits: float
    used: bool = True

    @property
    def nested_bits(self) -> float:
        return self.code_bits + self.second_bits


def scale_bit_rows(scales: ScalesPicture) -> RowSpec:
    """A row each way, to one scale, under a line that says of which scales. The read-out has every digit."""
    plain, both = _sums(scales)
    rows = (
        Row("float32", (Cell(((Segment(scales.plain_bits, Ink("series.0"), labels=plain),),)),), _plain_text(scales)),
        Row(
            "8 bits",
            (
                Cell(
                    ((Segment(scales.code_bits, Ink("series.1")), Segment(scales.second_bits, Ink("series.3"))),),
                    texts=both,
                ),
            ),
            _nested_text(scales),
        ),
    )
    limits = 0.0, max(scales.plain_bits, scales.nested_bits)
    return RowSpec((Column(limits=limits, has_axis=False, fills_width=True),), (Band(rows, heads=_captions(scales)),))


def _plain_text(scales: ScalesPicture) -> str:
    return f"a float32 a block: 32/{scales.block_size} = {scales.plain_bits:.7g} bits a parameter"


def _nested_text(scales: ScalesPicture) -> str:
    return (
        f"8 bits a block: 8/{scales.block_size} = {scales.code_bits:.7g} bits a parameter\n"
        f"a float32 for {scales.nested_block} of them: 32/({scales.block_size} × {scales.nested_block}) = "
        f"{scales.second_bits:.7g}\ntogether {scales.nested_bits:.7g}: "
        f"{scales.plain_bits - scales.nested_bits:.7g} bits a parameter saved; modelled"
    )


def _captions(scales: ScalesPicture) -> tuple[str, ...]:
    """Of which tensor the scales are; where there is no room its name gives way, from its beginning."""
    error = format_quantity(100 * scales.relative_rmse, "%")
    rest = f"{len(scales.absmax):,} scales, RMS error {error}"
    off = "" if scales.used else "double quantization is off, this is what it would do · "
    short = "" if scales.used else "off · "
    parts = scales.tensor.split(".")
    endings = [f"….{'.'.join(parts[index:])}" for index in range(1, len(parts))]
    names = (
        f"{off}{scales.tensor}: ",
        f"{short}{scales.tensor}: ",
        *(f"{short}{ending}: " for ending in endings),
        short,
    )
    return tuple(name + rest for name in names)


def _sums(scales: ScalesPicture) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arithmetic of both ways, each in wordings from the longest to the shortest."""
    block, nested = scales.block_size, scales.nested_block
    plain, both = (short_quantity(bits) for bits in (scales.plain_bits, scales.nested_bits))
    saved = short_quantity(scales.plain_bits - scales.nested_bits)
    formula = f"8/{block} + 32/({block} × {nested}) = {both}"
    return (
        (f"32/{block} = {plain} bits a parameter", f"32/{block} = {plain} bits", plain),
        (
            f"{formula} bits a parameter: {saved} saved",
            f"{formula} bits: {saved} saved",
            f"{formula} bits",
            f"{both} bits",
        ),
    )
