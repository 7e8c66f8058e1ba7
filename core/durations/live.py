"""Which runs may begin by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.examples import opens_own_files

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.topic import Topic

LIVE_WITHIN_S = 1.0
"""A run that is predicted to take less than this begins by itself."""

FIRST_LIVE_WITHIN_S = 5.0
"""The first run of a page in a worker takes longer: it compiles kernels. One that took longer than this, because the
worker trained a model that it then keeps, does not begin by itself in a new worker."""


def may_be_live(topic: Topic, params: Params) -> bool:
    """Whether nobody needs to ask for the run, if it is short: it opens no file of the user, and so runs no code of
    theirs."""
    return not opens_own_files(topic, params)
