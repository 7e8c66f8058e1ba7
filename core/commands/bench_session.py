"""Submits the comparisons of `bench`, shows their progress, and keeps what is done, whatever happens to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from core.contracts import events
from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr
from core.engine import Engine
from core.engine.runs import Run
from core.recordings import document
from core.recordings.run import FamilyRun
from core.topics.compare.params import CompareParams
from core.topics.compare.result import CompareResult
from core.topics.compare.sharing import joined, parts_of
from core.user_code.paths import resolved, shown

TOPIC_ID = "compare"


@dataclass
class _Part:
    """A run of a whole comparison or of one of its points, and the newest that came of it."""

    params: CompareParams
    run: Run
    latest: FamilyRun | None = None
    notices: tuple[Text, ...] = ()

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.Partial | events.Finished):
            assert isinstance(event.result, CompareResult)
            self.latest = event.result.run
            self.notices = tuple(each.text for each in event.result.messages if each.severity == "notice")


@dataclass
class _Comparison:
    params: CompareParams
    parts: list[_Part] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.params.file or self.params.family

    def name_of(self, part: _Part) -> str:
        """With the values of the point, where the part is one."""
        return self.name if len(self.parts) == 1 else f"{self.name}, {part.params.case}"

    @property
    def kept(self) -> tuple[FamilyRun, ...]:
        """What has points: one run, or one per device where parts ran on several."""
        runs = [part.latest for part in self.parts if part.latest is not None and part.latest.points]
        return tuple(runs) if len(self.parts) == 1 else joined(self.params, runs)


class Session:
    """`shares` says that there may be several workers: then the points of a comparison that is not timed are runs of
    their own. `failed` says that something is missing."""

    def __init__(self, engine: Engine, device: str, record: Path | None, *, shares: bool = False) -> None:
        self._engine, self._device, self._record, self._shares = engine, device, record, shares
        self._console = Console(stderr=True)
        self._said: set[str] = set()
        self._comparisons: Sequence[_Comparison] = ()
        self.failed = False

    def run(self, wanted: Sequence[CompareParams]) -> list[FamilyRun]:
        """All are submitted at once, so that several workers share them. Returns what is done, in the order given.

        Raises InvalidParams where the only one cannot be run; of several, the others go on.
        """
        self._comparisons = comparisons = [self._submitted(params) for params in wanted]
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=self._console, transient=True
        )
        with bar:
            for comparison in comparisons:
                try:
                    self._follow(comparison, bar)
                except KeyboardInterrupt:
                    _stop(comparisons)
                    self._say(comparison.name, tr("Interrupted: what is done is kept."))
                    break
        return self._kept()

    def notices_of(self, run: FamilyRun) -> tuple[Text, ...]:
        """What a reader of its numbers should know, each sentence once."""
        parts = [part for comparison in self._comparisons for part in comparison.parts]
        same = [part for part in parts if part.latest is not None and part.latest.subject == run.subject]
        return tuple(dict.fromkeys(notice for part in same for notice in part.notices))

    def _submitted(self, params: CompareParams) -> _Comparison:
        parts = parts_of(_for_other_folders(params)) if self._shares else (params,)
        submit = self._engine.submit
        return _Comparison(
            params, [_Part(part, submit(TOPIC_ID, part, device=self._device, is_checked=True)) for part in parts]
        )

    def _follow(self, comparison: _Comparison, bar: Progress) -> None:
        task = bar.add_task(str(tr("starting the worker")), total=None)
        for index, part in enumerate(comparison.parts):
            try:
                self._follow_part(comparison, part, index, bar, task)
            except InvalidParams as error:
                for other in comparison.parts:
                    other.run.cancel()
                if len(self._comparisons) == 1 and not comparison.kept:
                    raise
                self._say(comparison.name, error.text)
                break
        bar.remove_task(task)

    def _follow_part(self, comparison: _Comparison, part: _Part, index: int, bar: Progress, task: TaskID) -> None:
        for event in part.run.stream():
            part.take(event)
            match event:
                case events.Partial() | events.Finished():
                    self._kept()
                case events.Progress(done=done, total=total, phase=phase):
                    description = str(tr("{family}: {phase}", family=comparison.name, phase=phase))
                    completed = index + done / total
                    bar.update(task, completed=completed, total=len(comparison.parts), description=description)
                case events.Failed(sentence=sentence, invalid_input=True, blames=field):
                    raise InvalidParams(sentence, field)
                case events.Failed(sentence=sentence, detail=detail):
                    self._say(comparison.name_of(part), sentence, detail)
                case events.Cancelled(reason=reason):
                    self._say(comparison.name_of(part), tr("The run was {reason}.", reason=reason))

    def _kept(self) -> list[FamilyRun]:
        """What is done, written at once, so that a later failure loses nothing."""
        done = [run for comparison in self._comparisons for run in comparison.kept]
        if done and self._record is not None:
            document.write(self._record, done)
        return done

    def _say(self, name: str, sentence: Text, detail: str = "") -> None:
        """Once, where the same happened to several runs: a scheduler that is gone ends all of them."""
        self.failed = True
        if str(sentence) in self._said:
            return
        self._said.add(str(sentence))
        if detail:
            self._console.print(detail, style="dim", highlight=False, markup=False)
        text = tr("{family}: {phase}", family=name, phase=sentence)
        self._console.print(str(text), style="bold red", highlight=False, markup=False)


def _for_other_folders(params: CompareParams) -> CompareParams:
    """With a path of the user's file that a worker finds which was started elsewhere."""
    return params.changed(file=shown(resolved(params.file))) if params.file else params


def _stop(comparisons: Sequence[_Comparison]) -> None:
    """Cancel everything, and take what other workers had done meanwhile."""
    parts = [part for comparison in comparisons for part in comparison.parts]
    for part in parts:
        part.run.cancel()
    for part in parts:
        for event in part.run.drain():
            part.take(event)
