"""The layout of a page, to be remembered between sessions. What comes from a file may be anything: it is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gui.page.page import Page

_MAX_PX = 1 << 16
_MAX_PARTS = 100
"""Cards of a page, tabs, columns of a row."""

_MAX_TEXT, _MAX_PATH = 200, 4096


def layout_of(page: Page) -> dict[str, Any]:
    """The layout, the parameters and the device of a page: JSON values only."""
    return {
        "params": page.form.params.model_dump(mode="json"),
        "plots": page.plots.save_state(),
        "vertical": page.lower.save_sizes(),
        "tab": page.tabs.currentIndex(),
        "tabs_open": page.lower.chosen,
        "side": not page.side.isHidden(),
        "device": page.run_bar.device.device,
    }


def restore_layout(page: Page, state: Mapping[str, Any]) -> None:
    """Restore the layout from `layout_of`; one of other types is ignored as a whole. The caller restores the
    parameters, or shows others."""
    if not is_layout(state):
        return
    page.plots.restore_state(state.get("plots", []))
    page.lower.restore_sizes(state.get("vertical", []))
    page.tabs.setCurrentIndex(state.get("tab", 0))
    page.lower.set_open(state.get("tabs_open"))
    page.run_bar.device.choose(state.get("device", "auto"))
    if not state.get("side", True):
        page.side.hide()


def is_layout(state: object) -> bool:
    """Whether all of a state has the types that `page_memory.state_of` gives; what is absent has its default."""
    return isinstance(state, Mapping) and all(fits(state[name]) for name, fits in _FITS.items() if name in state)


def _is_sizes(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MAX_PARTS and all(_is_whole(px, _MAX_PX) for px in value)


def _is_whole(value: object, largest: int) -> bool:
    return type(value) is int and 0 <= value <= largest


def _is_selection(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= _MAX_PARTS
        and all(kind.isidentifier() and type(picked) in (int, str) for kind, picked in value.items())
    )


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "params": lambda value: isinstance(value, dict),
    "plots": lambda value: isinstance(value, list) and len(value) <= _MAX_PARTS and all(map(_is_sizes, value)),
    "vertical": _is_sizes,
    "tab": lambda value: _is_whole(value, _MAX_PARTS),
    "tabs_open": lambda value: value is None or isinstance(value, bool),
    "side": lambda value: isinstance(value, bool),
    "device": lambda value: isinstance(value, str) and len(value) <= _MAX_TEXT,
    "selection": _is_selection,
    "file": lambda value: isinstance(value, str) and len(value) <= _MAX_PATH,
}
