"""What is remembered of an open page: its layout and parameters, what is selected, and the file of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.contracts.errors import TilescopeError
from gui.page.live import LiveRuns
from gui.page.page_layout import is_layout, layout_of

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.result import Result
    from core.contracts.topic import Topic
    from core.run_files import SavedRun
    from gui.page.page import Page
    from gui.window.open_page import OpenPage


def state_of(opened: OpenPage) -> dict[str, Any]:
    """JSON values only."""
    state = {**layout_of(opened.page), "selection": dict(opened.page.selection.selection.items)}
    recorded = opened.controller.recorded
    return {**state, "file": recorded.file} if recorded is not None and recorded.file else state


def file_in(state: Mapping[str, Any]) -> str:
    """The path of the run that was opened on the page; '' where it showed another one, or none."""
    return str(state.get("file", "")) if is_layout(state) else ""


def params_in(state: Mapping[str, Any], topic: Topic) -> Params | None:
    """The remembered parameters, the defaults where there are none; None where they no longer fit."""
    if not is_layout(state):
        return None
    try:
        return topic.params.parse(state.get("params", {}))
    except TilescopeError:
        return None


def select_again(page: Page, state: Mapping[str, Any]) -> None:
    """Select what was selected. Which run the page shows is for `gui.window.opening`."""
    if is_layout(state):
        page.selection.update(**state.get("selection", {}))


@dataclass(frozen=True)
class KeptPage:
    """What a page showed that was put away, to be shown on one that is built anew. `is_opening` says that the recorded
    run is the one that ships, which the next run of this machine replaces."""

    state: dict[str, Any]
    result: Result | None
    saved: SavedRun | None
    is_recorded: bool
    is_opening: bool
    pinned: SavedRun | None
    log: str
    problem: str

    @classmethod
    def of(cls, opened: OpenPage) -> KeptPage:
        page, controller = opened.page, opened.controller
        recorded, live = controller.recorded, page.findChild(LiveRuns)
        return cls(
            state=state_of(opened),
            result=controller.result,
            saved=controller.saved if recorded is None else recorded,
            is_recorded=recorded is not None,
            is_opening=recorded is not None and live is not None and live.opening is recorded,
            pinned=controller.pinned,
            log=page.log.toPlainText(),
            problem=page.banner.sentence,
        )

    def show_on(self, opened: OpenPage) -> None:
        """Show it on the page, which already has the layout and the parameters."""
        controller, page = opened.controller, opened.page
        select_again(page, self.state)
        page.log.setPlainText(self.log)
        live = page.findChild(LiveRuns)
        if self.is_opening and live is not None:
            live.opening = self.saved
        if self.saved is not None:
            (controller.show_recorded if self.is_recorded else controller.show_saved)(self.saved)
        elif self.result is not None:
            controller.show_result(self.result)
        if self.pinned is not None:
            controller.pin(self.pinned)
        if self.problem:
            page.banner.show_error(self.problem)
