"""One sampled answer of PPO or GRPO, token by token: what each token earned, and what was learned from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import Text, tr, tr_in, verbatim
from core.format import format_quantity
from core.topics.training.result import SampledAnswer
from core.topics.training.stages.records import TokenView
from gui.pages.training.token_flow import FlowToken, TokenFlow, visible
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.metric_bar import MetricBar, Number
from gui.widgets.player import Player
from gui.widgets.segments import Segments
from gui.zoom import Px

_EMPTY = tr(
    "Run (F5) with PPO or GRPO and select one of them on the map: an answer that it sampled is here, token by token."
)
_NONE_HERE = tr("Only PPO and GRPO sample answers while they train: select one of them on the map.")


@dataclass(frozen=True)
class Colouring:
    """What the tokens are coloured by; `signed` values are better or worse than 0."""

    title: Text
    values: Callable[[TokenView], Sequence[float]]
    signed: bool


COLOURINGS = (
    Colouring(tr("Advantage"), lambda view: view.advantages, True),
    Colouring(verbatim("KL"), lambda view: view.kl, True),
    Colouring(tr("Log-probability"), lambda view: view.logprobs, False),
    Colouring(tr_in("reinforcement learning", "Reward"), lambda view: view.rewards, True),
    Colouring(tr_in("reinforcement learning", "Value"), lambda view: view.values, True),
)
_MAIN, _WIDE_PX = (1, 3, 6, 7), Px(540)
"""The numbers of a token that a narrow card has room for: the read-out of the token has all of them."""

ADVANTAGE, KL, LOGPROB, REWARD, VALUE = range(len(COLOURINGS))


class RolloutView(QWidget):
    """`step_picked` carries the training step whose answer is shown."""

    step_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.samples: tuple[SampledAnswer, ...] = ()
        self._follows = True
        self.flow, self.numbers, self.player = TokenFlow(_EMPTY), MetricBar(), Player()
        self.colouring = Segments([colouring.title for colouring in COLOURINGS])
        self.head = FittedLabel()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for widget in (self.colouring, self.head):
            column.addWidget(widget)
        column.addWidget(self.flow, 1)
        column.addWidget(self.numbers)
        column.addWidget(self.player)
        self.flow.picked.connect(self.select_token)
        self.colouring.chosen.connect(lambda _: self._draw())
        self.player.step_changed.connect(self._on_step)
        self._show_parts()

    def draw(self, samples: tuple[SampledAnswer, ...], *, samples_here: bool) -> None:
        """Show the answers of a stage. The newest one is followed until the user goes to another."""
        if samples is not self.samples:
            here = self.player.step
            self.samples = samples
            last = len(samples) - 1
            self.player.blockSignals(True)
            self.player.set_steps(len(samples), last if self._follows else min(here, last))
            self.player.blockSignals(False)
        self._draw()
        if not samples:
            self.flow.show_empty(None if samples_here else _NONE_HERE)

    def start_over(self) -> None:
        """Follow the newest answer again: another stage, or a new run."""
        self._follows = True
        self.flow.choose(-1)

    def go_to(self, step: int | None) -> None:
        """Show the answer nearest to a training step. Emits no signal."""
        if step is None or not self.samples:
            return
        nearest = min(range(len(self.samples)), key=lambda index: abs(self.samples[index].step - step))
        if nearest != self.player.step:
            self._follows = nearest == len(self.samples) - 1
            self.player.blockSignals(True)
            self.player.set_step(nearest)
            self.player.blockSignals(False)
            self._draw()

    def select_token(self, position: int) -> None:
        """Show the numbers of a token."""
        self.flow.choose(position)
        self._write_numbers()

    def move(self, by: int) -> None:
        """Go to the token that is `by` further on."""
        if self.sample is not None:
            last = len(self.sample.view.tokens) - 1
            self.select_token(min(last, max(0, self.flow.chosen + by)))

    @property
    def sample(self) -> SampledAnswer | None:
        """The answer that is shown."""
        place = self.player.step
        return self.samples[place] if 0 <= place < len(self.samples) else None

    def _on_step(self, place: int) -> None:
        self._follows = place == len(self.samples) - 1
        self._draw()
        if self.sample is not None:
            self.step_picked.emit(self.sample.step)

    def _draw(self) -> None:
        sample = self.sample
        self._show_parts()
        if sample is None:
            self.flow.set_tokens((), signed=False)
            self.numbers.set_numbers(())
            return
        view, colouring = sample.view, COLOURINGS[self.colouring.index]
        values = colouring.values(view)
        largest = max((abs(value) for value in values), default=0.0) or 1.0
        amounts = [value / largest for value in values] if values else [0.0] * len(view.tokens)
        tokens = [
            FlowToken(token, amount, view.clipped[index], _tip(view, index))
            for index, (token, amount) in enumerate(zip(view.tokens, amounts, strict=True))
        ]
        self.flow.set_tokens(tokens, signed=colouring.signed)
        score, true_reward = format_quantity(view.score), format_quantity(view.true_reward)
        self.head.set_wordings(
            tr(
                "Step {step}: “{prompt}” The reward model gives {score}, the rule {true_reward}. Underlined: clipped.",
                step=sample.step,
                prompt=view.prompt,
                score=score,
                true_reward=true_reward,
            ),
            tr(
                "Step {step}: “{prompt}” {score}, rule {true_reward}",
                step=sample.step,
                prompt=view.prompt,
                score=score,
                true_reward=true_reward,
            ),
            view.prompt,
        )
        self._write_numbers()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._write_numbers()

    def _show_parts(self) -> None:
        for widget in (self.head, self.colouring, self.numbers, self.player):
            widget.setVisible(bool(self.samples))

    def _write_numbers(self) -> None:
        sample = self.sample
        if sample is not None and sample.view.tokens:
            place = self.flow.chosen if self.flow.chosen >= 0 else 0
            self.flow.choose(place)
            numbers = _numbers(sample.view, place)
            self.numbers.set_numbers(numbers if self.width() >= _WIDE_PX else [numbers[index] for index in _MAIN])


def _numbers(view: TokenView, place: int) -> list[Number]:
    def number(label: Text, short: Text, value: float | None, detail: Text, unit: str = "") -> Number:
        shown = "—" if value is None or math.isnan(value) else format_quantity(value, unit)
        return Number(str(label), shown, str(detail), short=str(short))

    reward = view.rewards[place] if view.rewards else None
    value = view.values[place] if view.values else None
    clipped = tr_in("token", "yes") if view.clipped[place] else tr_in("token", "no")
    return [
        Number(str(tr("token {number}", number=place + 1)), visible(view.tokens[place]), view.tokens[place]),
        number(
            tr("log p, policy"), verbatim("log p"), view.logprobs[place],
            tr("The log-probability of the token under the policy that sampled it, in nats."),
        ),
        number(
            tr("log p, SFT"), verbatim("SFT"), view.reference[place],
            tr("The log-probability of the token under the frozen SFT model, in nats."),
        ),
        number(
            verbatim("KL"), verbatim("KL"), view.kl[place],
            tr("The k1 estimate: log p of the policy minus log p of the SFT model. A single token's may be negative."),
        ),
        number(
            tr_in("reinforcement learning", "reward"), tr_in("reinforcement learning", "reward"), reward,
            tr("What it earned: minus the KL weight times its KL, and the score at the last token. GRPO has none."),
        ),
        number(
            tr_in("reinforcement learning", "value"), tr_in("reinforcement learning", "value"), value,
            tr("The return that the value model expected here. GRPO has none."),
        ),
        number(
            tr("advantage"), tr("adv."), view.advantages[place],
            tr("How much better than expected it went: a positive one makes the token likelier, a negative one rarer."),
        ),
        Number(
            str(tr("clipped")), str(clipped),
            str(tr("A clipped token has changed enough in this step: it had no gradient in the last pass.")),
            "bad" if view.clipped[place] else "plain",
        ),
    ]  # fmt: skip


def _tip(view: TokenView, place: int) -> str:
    head, *rest = _numbers(view, place)
    return "\n".join(
        (f"{head.label}: {head.value}", *(str(tr("{label}: {value}", label=n.label, value=n.value)) for n in rest))
    )
