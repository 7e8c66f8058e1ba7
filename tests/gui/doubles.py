"""Doubles of what the window talks to: a topic with its page, and an engine with nothing behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import model_validator
from PySide6.QtWidgets import QLabel

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.errors import InvalidParams
from core.contracts.events import Event
from core.contracts.params import Params, choice, number, switch
from core.contracts.result import Provenance, Result
from core.contracts.text import EMPTY, as_text, tr, verbatim
from core.contracts.topic import Topic
from core.engine.state import EngineState, Phase
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.state import PageState

SOURCE = 'def fwd(q_ptr):\n    q = tl.load(q_ptr)  # the tile\n    """A docstring\n    of two lines."""\n    return q\n'


class ToyParams(Params):
    """One parameter of each kind, and a combination that cannot be."""

    seq_len: int = number(
        1024,
        minimum=1,
        maximum=65536,
        scale="log2",
        label=tr("Length"),
        unit="tokens",
        help=tr("Tokens."),
        group=tr("Shape"),
    )
    heads: int = number(4, minimum=1, maximum=128, label=tr("Heads"), help=tr("Query heads."), group=tr("Shape"))
    kv_heads: int = number(4, minimum=1, maximum=128, label=tr("KV heads"), help=tr("Key heads."), group=tr("Shape"))
    scale: float = number(
        0.5, minimum=0.0, maximum=2.0, step=0.1, label=tr("Scale"), help=tr("A factor."), group=tr("Shape")
    )
    causal: bool = switch(True, label=tr("Causal"), help=tr("Masked."), group=tr("Shape"))
    dtype: str = choice(
        "fp16", "fp32", "fp16", "bf16", label=tr("Precision"), help=tr("Element type."), group=tr("Tiling")
    )
    gpu: str = choice(
        "NVIDIA A100 40GB",
        "NVIDIA A100 40GB",
        "NVIDIA H100 SXM",
        label=tr("GPU"),
        help=tr("The GPU."),
        group=tr("Tiling"),
    )

    @model_validator(mode="after")
    def _combination_is_possible(self) -> Self:
        if self.heads % self.kv_heads:
            sentence = "kv_heads = {kv_heads} does not divide heads = {heads}."
            raise InvalidParams(tr(sentence, kv_heads=self.kv_heads, heads=self.heads), "kv_heads")
        return self


@dataclass(frozen=True, kw_only=True)
class ToyResult(Result):
    topic: str = "toy"
    params: ToyParams


class ToyPage(Page[Any, ToyResult]):
    """Records what it is told to draw."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self.calls: list[tuple[str, Any]] = []
        return (
            Strip(QLabel("strip")),
            CardSpec("schedule", QLabel("plot"), tr("Schedule"), tr("What runs when.")),
            CardSpec(
                "traffic", QLabel("other"), tr("Traffic"), EMPTY, column=1, width=2, provenance=Provenance.MODELLED
            ),
        )

    def draw(self, state: PageState[Any, ToyResult]) -> None:
        self.cards["schedule"].set_provenance(None if state.result is None else Provenance.TRACED)

    def show_plan(self, plan: Any, params: Params) -> None:
        super().show_plan(plan, params)
        self.calls.append(("plan", plan))

    def show_result(self, result: ToyResult) -> None:
        super().show_result(result)
        self.calls.append(("result", result))

    def clear_result(self) -> None:
        super().clear_result()
        self.calls.append(("clear", None))

    def select(self, selection: Any) -> None:
        self.calls.append(("select", selection))

    def step(self, delta: int) -> None:
        self.calls.append(("step", delta))

    def toggle_play(self) -> None:
        self.calls.append(("play", None))


@dataclass(eq=False)
class FakeRun:
    """A run whose events a test posts itself."""

    topic_id: str
    params: Params
    device: str
    is_live: bool = False
    machine: str = ""
    waiting: list[Event] = field(default_factory=list)
    cancelled: bool = False

    def post(self, *events: Event) -> None:
        self.waiting.extend(events)

    def drain(self) -> list[Event]:
        events, self.waiting = self.waiting, []
        return events

    def cancel(self) -> None:
        self.cancelled = True


class FakeEngine:
    """The engine's interface with nothing behind it."""

    def __init__(self, machine: str = "") -> None:
        self.state: Any = EngineState(Phase.STARTING)
        self.machine = machine
        self.runs: list[FakeRun] = []
        self.started = self.closed = False
        self._callbacks: list[Any] = []

    def start(self) -> None:
        self.started = True

    def on_state(self, callback: Any) -> None:
        self._callbacks.append(callback)

    def tell(self, phase: str, detail: str = "", device: str = "") -> None:
        self.state = EngineState(Phase(phase), as_text(detail), device)
        for callback in self._callbacks:
            callback(self.state)

    def submit(
        self, topic_id: str, params: Params, device: str = "auto", *, is_checked: bool = False, is_live: bool = False
    ) -> FakeRun:
        self.runs.append(FakeRun(topic_id, params, device, is_live, self.machine))
        return self.runs[-1]

    def close(self) -> None:
        self.closed = True


def toy_claims() -> tuple[Claim, ...]:
    def small_error(result: Result) -> Finding:
        return Finding(Verdict.HOLDS, tr("The error is {error:g} (traced).", error=result.value("error")))

    return (
        Claim("same-result", tr("The results agree."), verbatim("Paper, theorem 1"), small_error),
        Claim(
            "faster", tr("It is faster."), verbatim("Notes"), lambda _: Finding(Verdict.NOT_TESTED, tr("Needs a GPU."))
        ),
    )


TOPIC = Topic(
    id="toy",
    title=tr("Toy"),
    question=tr("What is it?"),
    params=ToyParams,
    plan=lambda params: ("plan of", params.seq_len),
    experiment="nowhere:run",
    claims=toy_claims(),
    result=ToyResult,
)
TOPICS = {"toy": "tests.gui.doubles"}
