"""The attention mask with its prefix columns, and the attention to these columns, as matrices over tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QImage

from core.contracts.text import listed, quoted, tr, tr_plural, verbatim
from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import FineTuningResult
from gui.charts.matrix_page import MatrixPage
from gui.charts.palette import rgb
from gui.pages.fine_tuning.view_data import label
from gui.theme import Theme, mix


@dataclass(frozen=True, eq=False)
class MaskPage(MatrixPage):
    """A mask whose first `prefix` columns are vectors added by a method. They have their own colour."""

    prefix: int = 0

    def read(self, row: int, column: int) -> str:
        """The read-out of a cell; -1 stands for a whole row or column."""
        lines = [verbatim(self.title)]
        if row >= 0:
            lines.append(tr("query {index}: {token}", index=row, token=quoted(self.rows[row])))
        if column >= 0:
            token = quoted(self.columns[column])
            lines.append(
                tr("added vector {index}: {token}", index=column, token=token)
                if column < self.prefix
                else tr("key {index}: {token}", index=column, token=token)
            )
        if min(row, column) >= 0:
            lines.append(tr("hidden by the mask") if self.hides(row, column) else tr("visible"))
        elif row >= 0 and self.visible is not None:
            visible, added = int(self.visible[row].sum()), int(self.visible[row, : self.prefix].sum())
            lines.append(
                tr_plural(
                    "sees {visible} of {total} columns, of which {count} is added",
                    "sees {visible} of {total} columns, of which {count} are added",
                    count=added,
                    visible=visible,
                    total=self.shape[1],
                )
            )
        return "\n".join(map(str, lines))

    def image(self, theme: Theme) -> QImage:
        """One pixel per cell."""
        assert self.visible is not None
        height, width = self.shape
        pixels = np.empty((height, width, 4), np.uint8)
        pixels[...] = (*rgb(theme.sunken), 255)
        colours = np.empty((height, width, 4), np.uint8)
        colours[...] = (*rgb(mix(theme.sunken, theme.tensor("K"), 0.45)), 255)
        colours[:, : self.prefix] = (*rgb(theme.tiles["current"]), 255)
        pixels[self.visible] = colours[self.visible]
        return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def pages(plan: Plan, result: FineTuningResult | None, method: str) -> list[MatrixPage]:
    """The method's mask from a run or the plan; then the attention to the added vectors, if measured."""
    run = None if result is None else result.method(method)
    if run is None or run.mask is None:
        return [_planned(plan, method)]
    names = [column.label for column in run.mask_columns]
    prefix = sum(column.is_prefix for column in run.mask_columns)
    apart = [window for window in run.window_masks if not np.array_equal(window.mask, run.mask)]
    pages: list[MatrixPage] = [_mask(method, run.mask.astype(bool), names, prefix)]
    for window in apart:
        pages.append(_mask(method, window.mask.astype(bool), names, prefix, window.layers))
    attention = run.attention_to_prefix
    if attention is None or not attention.size:
        return pages
    cut = {layer for window in run.window_masks if window.cuts(prefix) for layer in window.layers}
    for layers in ([layer for layer in range(len(attention)) if (layer in cut) is side] for side in (False, True)):
        if layers:
            pages.append(_attention(method, attention, layers, names[-attention.shape[2] :], layers[0] in cut))
    return pages


def is_measured(result: FineTuningResult | None, method: str) -> bool:
    return result is not None and result.method(method).mask is not None


def _planned(plan: Plan, method: str) -> MatrixPage:
    mask, prefix = plan.mask(MethodId(method)), plan.prefix_columns(MethodId(method))
    names = [f"v{index + 1}" for index in range(prefix)] + [f"t{index + 1}" for index in range(mask.shape[1] - prefix)]
    return _mask(method, mask, names, prefix)


def _mask(
    method: str, visible: np.ndarray, names: list[str], prefix: int, layers: tuple[int, ...] | None = None
) -> MaskPage:
    """The mask of every layer, or of the `layers` whose window cuts it."""
    queries = names[-visible.shape[0] :]
    title = tr("{method}: visible keys per query", method=label(method))
    name = tr("mask")
    if layers is not None:
        listing = listed(map(str, layers))
        name = tr("mask, window L{layer}", layer=layers[0])
        title = tr(
            "{method}: visible keys per query within the window of layers {layers}",
            method=label(method),
            layers=listing,
        )
    return MaskPage(
        name=str(name),
        title=str(title),
        rows=tuple(queries),
        columns=tuple(names),
        values=None,
        visible=visible,
        square=False,
        prefix=prefix,
    )


def _attention(method: str, attention: np.ndarray, layers: list[int], queries: list[str], is_cut: bool) -> MatrixPage:
    """The attention in some layers; layers whose window cuts the prefix have a page of their own."""
    heads = attention.shape[1]
    names = tuple(f"L{layer} h{head}" for layer in layers for head in range(heads))
    title = (
        tr("{method}: attention to the added vectors where a window cuts them", method=label(method))
        if is_cut
        else tr("{method}: attention to the added vectors", method=label(method))
    )
    return MatrixPage(
        name=str(tr("attention, window") if is_cut else tr("attention")),
        title=str(title),
        rows=names,
        columns=tuple(queries),
        values=attention[layers].reshape(len(names), -1),
        row_name=tr("layer and head"),
        column_name=tr("query"),
        what=tr("share of attention"),
        square=False,
        top=1.0,
    )
