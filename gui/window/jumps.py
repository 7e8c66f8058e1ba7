"""Jumps to a part of a page: a parameter, a claim, a heading of its notes. The part has the focus or is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from core.contracts.params import Scalar
    from gui.page.page import Page
    from gui.window.open_page import OpenPage


class PageOpener(Protocol):
    """What a jump needs of the window."""

    def open_page(self, topic_id: str) -> OpenPage | None: ...


def show_parameter(window: PageOpener, topic_id: str, name: str) -> None:
    """The field of a parameter, ready to type its value."""
    page = _page(window, topic_id)
    if page is not None:
        page.side.reveal(name)


def set_parameter(window: PageOpener, topic_id: str, name: str, value: Scalar) -> None:
    """Set one parameter as if it had been typed. Raises InvalidParams where it cannot have that value."""
    page = _page(window, topic_id)
    if page is not None:
        page.form.propose(page.params.changed(**{name: value}))


def show_claim(window: PageOpener, topic_id: str, claim_id: str) -> None:
    page = _page(window, topic_id)
    if page is not None:
        page.lower.reveal(page.claims)
        page.claims.reveal(claim_id)


def show_heading(window: PageOpener, topic_id: str, number: int) -> None:
    """A heading of the notes, counted from 0."""
    page = _page(window, topic_id)
    if page is not None:
        page.lower.reveal(page.notes)
        page.notes.reveal(number)


def _page(window: PageOpener, topic_id: str) -> Page | None:
    opened = window.open_page(topic_id)
    return None if opened is None else opened.page
