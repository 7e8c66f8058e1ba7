"""A place in the program: a page with parameters, a picture on it, and what is selected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.contracts import registry
from core.contracts.errors import TilescopeError, UnknownName
from core.contracts.text import listed, quoted, tr

if TYPE_CHECKING:
    from core.contracts.params import Params, Scalar
    from core.contracts.topic import Topic

_MAX_PARTS = 60
"""Parameters, or kinds that are selected: no page has that many."""


@dataclass(frozen=True)
class Place:
    """Where a question, a command, a step of a demo or a run leads.

    `page` is the id of a topic. `set` has parameters by name; the others have their defaults. `card` is the key of the
    picture to look at, and `select` what to select, by kind; '' and empty for none. A place is made without importing
    its topic: `params` does that, and says what is wrong.
    """

    page: str
    set: Mapping[str, Scalar] = field(default_factory=dict)
    card: str = ""
    select: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def topic(self) -> Topic:
        """Raises UnknownName for a page that does not exist."""
        return registry.topic(self.page)

    @property
    def params(self) -> Params:
        """The parameters of the page. Raises UnknownName for a page or a parameter, InvalidParams for a value."""
        return self.topic.params.parse(self.set)

    def check(self, cards: Iterable[str] | None = None) -> None:
        """Raise TilescopeError, with one sentence, for what does not exist. `cards` are the keys of the page's pictures
        where they are known: a page declares them when it is built."""
        if len(self.set) > _MAX_PARTS or len(self.select) > _MAX_PARTS:
            raise TilescopeError(tr("A place can set and select at most {limit} things.", limit=_MAX_PARTS))
        _ = self.params
        for kind, value in self.select.items():
            if not kind.isidentifier():
                raise UnknownName(tr("{name} is not a kind of thing that can be selected.", name=quoted(kind)))
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise TilescopeError(
                    tr("What is selected as {name} must be a whole number or a text.", name=quoted(kind))
                )
        if cards is not None and self.card:
            known = tuple(cards)
            if self.card not in known:
                raise UnknownName(
                    tr(
                        "The page {page} has no picture {name}. Its pictures are {known}.",
                        page=self.page,
                        name=quoted(self.card),
                        known=listed(known),
                    )
                )
