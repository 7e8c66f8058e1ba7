"""The entries of the command palette: what each is called, and what choosing it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core import language
from core.contracts.place import Place
from core.contracts.text import EMPTY, Text, tr, tr_in, verbatim
from core.palette.entry import Category, Entry
from gui.window import jumps
from gui.window.actions import PAGE_PREFIX, PALETTE_ID, Action
from gui.window.visiting import Visited, visit

if TYPE_CHECKING:
    from core.contracts.params import FieldSpec, Params, Scalar
    from core.contracts.topic import Topic
    from core.engine.history import HistoryEntry
    from core.examples import Example
    from core.notes import Heading
    from core.palette.assignment import Assignment
    from core.questions import Question
    from gui.window.home_page import HomePage
    from gui.window.recent_files import RecentFiles

_LONGEST_VALUE = 40


class Window(Visited, Protocol):
    """What the entries need of the window."""

    @property
    def home(self) -> HomePage: ...


def of_actions(actions: Iterable[Action]) -> Iterator[Entry]:
    """The table of the menus; the actions that open a page are pages."""
    for action in actions:
        if action.id == PALETTE_ID:
            continue  # it is open
        topic_id = action.id.removeprefix(PAGE_PREFIX)
        is_page = topic_id != action.id
        yield Entry(
            id=f"action:{action.id}",
            category=Category.PAGE if is_page else Category.ACTION,
            title=action.text,
            work=action.work,
            page=topic_id if is_page else "",
            words=(topic_id,) if is_page else (action.id, *_in_all_languages(action.details)),
            keys=action.keys,
            refusal=action.refusal,
        )


def of_parameters(window: Window, topics: Iterable[Topic], params_of: Callable[[Topic], Params]) -> Iterator[Entry]:
    for topic in topics:
        for spec in topic.params.specs():
            yield Entry(
                id=parameter_id(topic, spec),
                category=Category.PARAMETER,
                title=spec.label,
                work=partial(jumps.show_parameter, window, topic.id, spec.name),
                page=topic.id,
                where=topic.title,
                words=(spec.name, *_in_all_languages(spec.group)),
                note=partial(_value_now, topic, spec, params_of),
                completion=f"{spec.name} ",
            )


def of_assignment(window: Window, assignment: Assignment) -> Entry:
    """A parameter with a value that was typed. It is remembered as the parameter."""
    topic, spec, value = assignment.topic, assignment.spec, assignment.value
    return Entry(
        id=parameter_id(topic, spec),
        category=Category.PARAMETER,
        title=tr_in("palette", "Set {parameter} to {value}", parameter=spec.label, value=_called(spec, value)),
        work=partial(jumps.set_parameter, window, topic.id, spec.name, value),
        page=topic.id,
        where=topic.title,
        note=lambda: _assigned(spec, value),
        completion=f"{spec.name} {_written(value)}",
    )


def of_claims(window: Window, topics: Iterable[Topic]) -> Iterator[Entry]:
    for topic in topics:
        for claim in topic.claims:
            yield Entry(
                id=f"claim:{topic.id}/{claim.id}",
                category=Category.CLAIM,
                title=claim.statement,
                work=partial(jumps.show_claim, window, topic.id, claim.id),
                page=topic.id,
                where=topic.title,
                words=(claim.id,),
            )


def of_questions(window: Window, questions: Iterable[Question], topics: Sequence[Topic]) -> Iterator[Entry]:
    """The questions of pages that the window has."""
    titles = {topic.id: topic.title for topic in topics}
    for question in questions:
        if question.page in titles:
            yield Entry(
                id=f"question:{question.id}",
                category=Category.QUESTION,
                title=question.question,
                work=partial(_open_question, window, question),
                page=question.page,
                where=titles[question.page],
                words=tuple(_in_all_languages(question.words)),
            )


def _open_question(window: Window, question: Question) -> None:
    visit(window, question.place)
    window.home.show_asked(question)


def of_headings(window: Window, headings: Iterable[Heading], topics: Sequence[Topic]) -> Iterator[Entry]:
    titles = {topic.id: topic.title for topic in topics}
    for heading in headings:
        yield Entry(
            id=f"note:{heading.topic}/{heading.number}",
            category=Category.NOTE,
            title=heading.text,
            work=partial(jumps.show_heading, window, heading.topic, heading.number),
            page=heading.topic,
            where=titles[heading.topic],
        )


def of_examples(window: Window, examples: Iterable[Example], topics: Sequence[Topic]) -> Iterator[Entry]:
    titles = {topic.id: topic.title for topic in topics}
    for example in examples:
        if example.page in titles:
            yield Entry(
                id=f"example:{example.name}",
                category=Category.EXAMPLE,
                title=verbatim(example.name),
                work=partial(visit, window, Place(example.page, example.set)),
                where=titles[example.page],
                words=_in_all_languages(example.summary),
                note=lambda summary=example.summary: str(summary),
            )


def of_runs(window: Window, runs: Iterable[HistoryEntry], topics: Sequence[Topic]) -> Iterator[Entry]:
    """Past runs, newest first."""
    by_id = {topic.id: topic for topic in topics}
    for run in runs:
        topic = by_id.get(run.topic)
        if topic is not None:
            changed = _changed(topic, run)
            note = "  ".join(changed) or str(tr("defaults"))
            started = run.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
            yield Entry(
                id=f"run:{run.id}",
                category=Category.RUN,
                title=tr("Run of {started}", started=started),
                work=partial(_reopen, window, run),
                where=topic.title,
                words=(*changed, run.environment.get("device", "")),
                note=lambda note=note: note,
            )


def of_files(recent: RecentFiles, topics: Sequence[Topic]) -> Iterator[Entry]:
    """The files that were opened last."""
    titles = {topic.id: topic.title for topic in topics}
    for file in recent.files:
        yield Entry(
            id=f"file:{file.page}:{file.path}",
            category=Category.FILE,
            title=verbatim(file.name),
            work=partial(recent.open, file),
            where=titles.get(file.page, EMPTY),
            words=(file.path,),
            note=lambda folder=str(Path(file.path).parent): folder,
        )


def parameter_id(topic: Topic, spec: FieldSpec) -> str:
    return f"parameter:{topic.id}/{spec.name}"


def _reopen(window: Window, run: HistoryEntry) -> None:
    """The page first: it is what shows a run that was loaded."""
    if window.open_page(run.topic) is not None and window.keeper is not None:
        window.keeper.load(run.id)


def _changed(topic: Topic, run: HistoryEntry) -> list[str]:
    defaults = topic.params().model_dump(mode="json")
    return [f"{name}={_cut(value)}" for name, value in run.params.items() if defaults.get(name) != value]


def _value_now(topic: Topic, spec: FieldSpec, params_of: Callable[[Topic], Params]) -> str:
    return _assigned(spec, getattr(params_of(topic), spec.name))


def _assigned(spec: FieldSpec, value: Scalar) -> str:
    return f"{spec.name} = {_cut(_written(value))}"


def _written(value: Scalar) -> str:
    """As it is typed."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _called(spec: FieldSpec, value: Scalar) -> Text:
    if isinstance(value, bool):
        return tr_in("palette", "on") if value else tr_in("palette", "off")
    return spec.choice_label(value) if spec.choices else verbatim(_cut(_written(value)))


def _cut(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _in_all_languages(text: Text) -> list[str]:
    return [text.in_language(code) for code in language.LANGUAGES] if text else []
