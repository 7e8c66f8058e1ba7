"""What takes longer than a redraw may: verdicts of the doctor, packed rows, packings. In threads, once typing rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from core.chat.dataset import read_conversations
from core.chat.messages import Conversation, InvalidConversation
from core.contracts.text import Text, tr, tr_plural
from core.topics.dialogue.plan import Plan
from core.topics.dialogue.result import DialogueResult
from core.topics.dialogue.ways import WayCost
from gui.page.file_work import FileWork
from gui.pages.dialogue import view_data
from gui.pages.dialogue.packing_data import PackedStrategy
from gui.pages.dialogue.token_source import TokenSource
from gui.widgets.latest_work import LatestWork

_REST_MS = 400
"""After the last change of the plan: Python's threads take turns, and typing must not wait for them."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What belongs to a plan: the packed row, every strategy on a set of lengths and whose lengths these are, and what
    the three ways cost for the training set."""

    plan: Plan
    packed: TokenSource | None
    strategies: tuple[PackedStrategy, ...]
    about: Text
    training: tuple[WayCost, ...]


class Background(QObject):
    """`examined` carries (Plan, its findings), `prepared` a Prepared, `failed` a sentence."""

    examined = Signal(object, object)
    prepared = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._plan: Plan | None = None
        self._result: DialogueResult | None = None
        self._packed_for: tuple[Any, ...] = ()
        self._strategies: tuple[tuple[PackedStrategy, ...], Text] = ((), tr("Nothing is packed."))
        self._rest = QTimer(self, interval=_REST_MS, singleShot=True)
        self._rest.timeout.connect(self._start)
        self._doctor, self._packer = LatestWork(self), LatestWork(self)
        self._doctor.done.connect(lambda answer: self.examined.emit(*answer))
        self._packer.done.connect(self._keep)
        for work in (self._doctor, self._packer):
            work.failed.connect(self.failed)
        self._reader = FileWork(lambda error: self.failed.emit(getattr(error, "text", str(error))), self)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._rest.isActive() or self._doctor.busy or self._packer.busy or self._reader.busy

    def begin(self, plan: Plan, result: DialogueResult | None) -> None:
        """Work on this plan, once no newer one has come for a while."""
        if plan is self._plan and result is self._result:
            return
        self._plan, self._result = plan, result
        self._rest.start()

    def read_line(self, path: str, number: int, then: Callable[[Conversation], None]) -> None:
        """Read one conversation of a data file."""

        def read() -> Conversation:
            for line in read_conversations(path):
                if line.number == number and line.conversation is not None:
                    return line.conversation
            raise InvalidConversation(tr("Line {number:,} of the file is no conversation.", number=number))

        self._reader.read(read, then)

    def _start(self) -> None:
        plan, result = self._plan, self._result
        if plan is None or plan.rows is None:
            return
        self._doctor.request(lambda: (plan, plan.examine()))
        key, known = self._key(plan, result), self._strategies if self._key(plan, result) == self._packed_for else None
        self._packer.request(lambda: (key, _prepared(plan, result, known)))

    def _keep(self, answer: tuple[tuple[Any, ...], Prepared]) -> None:
        self._packed_for, prepared = answer
        self._strategies = prepared.strategies, prepared.about
        self.prepared.emit(prepared)

    @staticmethod
    def _key(plan: Plan, result: DialogueResult | None) -> tuple[Any, ...]:
        """What the strategies depend on."""
        params = plan.params
        file = None if result is None or result.examined is None else id(result.examined.lengths)
        return id(plan.subject), params.turns, params.seed, params.max_length, file


def _prepared(
    plan: Plan, result: DialogueResult | None, known: tuple[tuple[PackedStrategy, ...], Text] | None
) -> Prepared:
    strategies, about = known or _packings(plan, result)
    packed = view_data.packed(plan, result)
    if packed is not None:
        _ = packed.shown  # made here, and not while the window waits
    return Prepared(plan, packed, strategies, about, plan.training_ways)


def _packings(plan: Plan, result: DialogueResult | None) -> tuple[tuple[PackedStrategy, ...], Text]:
    examined = None if result is None else result.examined
    if examined is not None and examined.data and examined.finished and len(examined.lengths):
        lengths = examined.lengths
        about = tr_plural(
            "{count:,} conversation of the data file", "{count:,} conversations of the data file", count=len(lengths)
        )
    else:
        lengths = plan.lengths
        about = tr_plural(
            "{count:,} conversation about the small world, rows of {length:,} tokens",
            "{count:,} conversations about the small world, rows of {length:,} tokens",
            count=len(lengths),
            length=plan.params.max_length,
        )
    return tuple(PackedStrategy(*one) for one in plan.packings(lengths)), about
