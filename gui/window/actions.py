"""Every action of the window in one table: its id, text, work and keys.

The menu bar, the list of keyboard shortcuts and the command palette are built from it. A new action is one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from core.contracts.registry import headings_of
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.demos.finding import shipped_titles
from core.palette.entry import nothing_against
from gui.window.menu_titles import TITLES

if TYPE_CHECKING:
    from gui.demos.demos import Demos
    from gui.devices.devices import Devices
    from gui.page.page import Page
    from gui.window.home_page import HomePage
    from gui.window.page_stack import PageStack
    from gui.window.recent_files import RecentFiles
    from gui.window.run_files import RunFiles
    from gui.window.tours import Tours

PAGE_PREFIX, DEMO_PREFIX = "page.", "demo."
"""The ids of the actions that open a page or play a demo begin with them."""
PALETTE_ID = "palette"


@dataclass(frozen=True)
class Action:
    """One thing that the user can do anywhere in the window.

    `id` is unique and never changes: what was chosen recently is remembered by it. `keys` are in Qt's portable form,
    the one that is shown first. `details` says more than a menu has room for; empty where `text` says it all.
    `refusal` says in one sentence why the action can do nothing now; empty if it can.
    """

    id: str
    text: Text
    work: Callable[[], object]
    keys: tuple[str, ...] = ()
    details: Text = EMPTY
    refusal: Callable[[], Text] = nothing_against

    @property
    def description(self) -> Text:
        """What the action does, where there is room."""
        return self.details or self.text


@dataclass(frozen=True)
class Submenu:
    """Actions that change: they are asked for whenever the submenu is opened."""

    title: Text
    actions: Callable[[], tuple[Action, ...]]


Entries = tuple[Action | Submenu | None, ...]


@dataclass(frozen=True)
class Menu:
    """A menu of the menu bar; None among its entries is a separator. `actions` are those that do not change."""

    title: Text
    entries: Entries

    @property
    def actions(self) -> tuple[Action, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, Action))


class Commands(Protocol):
    """What the actions need of the window."""

    @property
    def stack(self) -> PageStack: ...
    @property
    def run_files(self) -> RunFiles: ...
    @property
    def recent_files(self) -> RecentFiles: ...
    @property
    def demos(self) -> Demos: ...
    @property
    def home(self) -> HomePage: ...
    @property
    def tours(self) -> Tours: ...
    @property
    def devices(self) -> Devices: ...
    def dismiss(self) -> None: ...
    def open_page(self, topic_id: str) -> object: ...
    def change_text_size(self, steps: int) -> None: ...
    def toggle_full_screen(self) -> None: ...
    def run(self) -> None: ...
    def clear_result(self) -> None: ...
    def restart_worker(self) -> None: ...
    def toggle_live(self) -> None: ...
    def save_picture(self) -> None: ...
    def print_page(self) -> None: ...
    def toggle_motion(self) -> None: ...
    def toggle_theme(self) -> None: ...
    def toggle_language(self) -> None: ...
    def show_shortcuts(self) -> None: ...
    def toggle_palette(self) -> None: ...
    def close(self) -> bool: ...


def menus_of(window: Commands) -> tuple[Menu, ...]:
    """The table: all actions, by menu, in their order."""
    parts = (_file, _edit, _run, _play, _demos, _view, _help)
    return tuple(Menu(title, entries(window)) for title, entries in zip(TITLES, parts, strict=True))


def _file(window: Commands) -> Entries:
    files, has_no_run = window.run_files, partial(why_no_run, window)
    return (
        Action("open-run", tr("Open run…"), files.ask_and_open, ("Ctrl+Shift+O",), tr("Open a saved run")),
        Action(
            "save-run", tr("Save run…"), files.save_shown, ("Ctrl+Shift+S",), tr("Save the run as a file"), has_no_run
        ),
        Submenu(tr("Recent files"), partial(_recent, window)),
        None,
        Action(
            "save-picture", tr("Save picture…"), window.save_picture, ("Ctrl+S",), tr("Save a picture of the window")
        ),
        Action("print", tr("Print…"), window.print_page, ("Ctrl+P",), tr("Print the page and the numbers of its run")),
        None,
        Action("quit", tr("Quit"), window.close, ("Ctrl+Q",)),
    )


def _edit(window: Commands) -> Entries:
    action = partial(_page_action, window)
    return (
        action("undo", tr("Undo"), _undo, ("Ctrl+Z",), tr("Undo a parameter change")),
        action("redo", tr("Redo"), _redo, ("Ctrl+Shift+Z",), tr("Redo a parameter change")),
        action("defaults", tr("Default parameters"), lambda page: page.form.reset()),
    )


def _run(window: Commands) -> Entries:
    has_no_run = partial(why_no_run, window)
    return (
        Action("run", tr("Run"), window.run, ("F5", "Ctrl+R"), refusal=partial(why_nothing_runs, window)),
        Action("cancel", tr("Cancel"), window.dismiss, ("Esc",), _WHAT_ESCAPE_DOES),
        Action("clear-result", tr("Clear result"), window.clear_result, refusal=has_no_run),
        Action("pin", tr("Pin run as A"), partial(_pin, window, True), ("Ctrl+Shift+A",), _WHAT_A_PIN_DOES, has_no_run),
        Action("unpin", tr("Unpin A"), partial(_pin, window, False), refusal=partial(why_no_pin, window)),
        Action(
            "live", tr("Live runs on or off"), window.toggle_live, (), tr("Let short runs begin by themselves, or not")
        ),
        None,
        Action("check-all", tr("Check all questions"), window.home.check_all, (), _WHAT_CHECK_ALL_DOES),
        Action("review", tr("Review questions"), window.home.review, ("Ctrl+G",)),
        None,
        Action("devices", tr("Devices…"), window.devices.open, details=tr("Add, test or remove machines that run")),
        Action("restart-worker", tr("Restart worker"), window.restart_worker),
    )


def _play(window: Commands) -> Entries:
    action, demo = partial(_page_action, window), window.demos.player
    forward = tr("Step forward")
    return (
        action("play", tr("Play or pause"), lambda page: page.toggle_play(), ("Space",), of_demo=demo.toggle),
        action("step-back", tr("Step back"), lambda page: page.step(-1), ("Left",), of_demo=demo.back),
        action("step-forward", forward, lambda page: page.step(1), ("Right",), of_demo=demo.next),
    )


def _demos(window: Commands) -> Entries:
    demos = window.demos
    return (
        *(
            Action(
                f"{DEMO_PREFIX}{name}",
                title,
                partial(demos.play_named, name),
                details=tr("Play the demo “{title}”", title=title),
            )
            for name, title in shipped_titles().items()
        ),
        None,
        Action("play-demo", tr("Play a demo from a file…"), demos.ask_and_play),
        Action("record-demo", tr("Record a demo, or stop and save it"), demos.toggle_recording, ("Ctrl+Shift+R",)),
    )


def _view(window: Commands) -> Entries:
    action = partial(_page_action, window)
    return (
        Action(PALETTE_ID, tr("Command palette"), window.toggle_palette, ("Ctrl+K", "Ctrl+Shift+P"), _WHAT_IT_FINDS),
        None,
        Action("home", tr("Home"), window.home.open, ("Alt+Home",), tr("Open the questions")),
        *_pages(window),
        None,
        action("parameters", tr("Show or hide the parameters"), _toggle_side, ("Ctrl+B",)),
        action("tabs", tr("Expand or collapse the tabs"), lambda page: page.lower.toggle(), ("Ctrl+J",)),
        Action("theme", tr("Switch between dark and light"), window.toggle_theme, ("Ctrl+T",), _THEMES),
        Action("larger-text", tr("Larger text"), partial(window.change_text_size, 1), ("Ctrl++", "Ctrl+=")),
        Action("smaller-text", tr("Smaller text"), partial(window.change_text_size, -1), ("Ctrl+-",)),
        Action("usual-text", tr("Usual text size"), partial(window.change_text_size, 0), ("Ctrl+0",)),
        Action("motion", tr("Reduced motion on or off"), window.toggle_motion, (), _WHAT_RESTS),
        Action("full-screen", tr("Full screen"), window.toggle_full_screen, ("F11",)),
        Action("language", tr("Switch between English and Chinese"), window.toggle_language, ("Ctrl+L",)),
    )


def _help(window: Commands) -> Entries:
    tours, has_no_page = window.tours, partial(why_no_page, window)
    return (
        Action("tour", tr("Tour"), tours.begin, (), tr("Show the parts of the window, one after the other")),
        Action("marks", tr("What to look at"), tours.show_marks, ("Shift+F1",), _WHAT_MARKS_ARE, has_no_page),
        None,
        Action(
            "shortcuts", tr("Keyboard shortcuts"), window.show_shortcuts, ("F1",), tr("Show the keyboard shortcuts")
        ),
    )


def actions_in(menus: Iterable[Menu]) -> Iterator[Action]:
    """All actions of the menus, in their order."""
    return (action for menu in menus for action in menu.actions)


_WHAT_IT_FINDS = tr("Find pages, actions, parameters, questions, notes, files and runs, and set parameters")
_WHAT_RESTS = tr("Let nothing move by itself: players step once, demos wait for Next")
_WHAT_MARKS_ARE = tr("Explain what to read and what to try on the page in view")
_WHAT_A_PIN_DOES = tr("Keep the run in view as A, and compare the next runs with it")
_THEMES = tr("Switch between the dark and the light theme")
_WHAT_CHECK_ALL_DOES = tr("Make the runs that questions miss, in the background, but those that train models")
_WHAT_ESCAPE_DOES = tr("Leave the demo, cancel the run, close the message or restore a maximised plot")


def why_no_page(window: Commands) -> Text:
    """Why an action on the page in view can do nothing; empty where there is a page."""
    if window.stack.current is None:
        return tr("This acts on the page in view, and there is none: open a page first.")
    return EMPTY


def why_no_run(window: Commands) -> Text:
    """Why an action on the result in view can do nothing; empty where there is a result."""
    opened = window.stack.current
    if opened is not None and opened.controller.result is None:
        return tr("This needs a run, and this page has none yet: press F5 to run it.")
    return why_no_page(window)


def why_nothing_runs(window: Commands) -> Text:
    """Why there is nothing to run; empty on a page, and at home, where the question in view is run."""
    return EMPTY if window.home.in_view is not None else why_no_page(window)


def _recent(window: Commands) -> tuple[Action, ...]:
    recent = window.recent_files
    files = tuple(
        Action(f"recent-file.{number}", verbatim(file.path.replace("&", "&&")), partial(recent.open, file))
        for number, file in enumerate(recent.files)
    )
    return (*files, Action("clear-recent-files", tr("Clear the list"), recent.clear)) if files else ()


def _pages(window: Commands) -> Iterator[Action]:
    for number, topic in enumerate(headings_of(window.stack.topics), start=1):
        open_it = partial(window.open_page, topic.id)
        yield Action(f"{PAGE_PREFIX}{topic.id}", topic.title, open_it, _page_keys(number), topic.question)


def _page_keys(number: int) -> tuple[str, ...]:
    """Ctrl and the number of a page, counted from 1. From the tenth on, Alt and its last digit: Ctrl+0 is the usual
    size of texts."""
    if number <= 9:
        return (f"Ctrl+{number}",)
    return (f"Alt+{number - 10}",) if number <= 19 else ()


def _page_action(
    window: Commands,
    id: str,
    text: Text,
    work: Callable[[Page], object],
    keys: tuple[str, ...] = (),
    details: Text = EMPTY,
    of_demo: Callable[[], object] | None = None,
) -> Action:
    """An action on the page in view; `of_demo` is what it does instead while a demo is played."""

    def work_on_page() -> None:
        opened = window.stack.current
        if of_demo is not None and window.demos.is_playing:
            of_demo()
        elif opened is not None:
            work(opened.page)

    return Action(id, text, work_on_page, keys, details, partial(why_no_page, window))


def why_no_pin(window: Commands) -> Text:
    """Why there is nothing to unpin; empty where a run is pinned."""
    opened = window.stack.current
    if opened is not None and opened.controller.pinned is None:
        return tr("No run is pinned as A on this page.")
    return why_no_page(window)


def _pin(window: Commands, on: bool) -> None:
    opened = window.stack.current
    if opened is not None:
        opened.page.pin_requested.emit(on)


def _undo(page: Page) -> None:
    page.form.undo_stack.undo()


def _redo(page: Page) -> None:
    page.form.undo_stack.redo()


def _toggle_side(page: Page) -> None:
    page.side.setVisible(page.side.isHidden())
