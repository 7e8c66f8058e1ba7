"""Which trainings a run has: the three ways, for each seed, and the mistakes. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.contracts.text import Text
from core.topics.dialogue.choices import (
    DROP_MASK,
    FORGET_DOCUMENT_MASK,
    LAST_TURN_WAY,
    ONE_PASS,
    PAD_WITH_END,
    PER_TURN,
    SABOTAGE_LABELS,
    TRAINING_WAYS,
    WAY_LABELS,
    WAYS,
)
from core.topics.dialogue.examples import Example, per_turn
from core.topics.dialogue.experiment.batches import Rows, one_per_row, packed
from core.topics.dialogue.experiment.evaluation import Evaluation, evaluate
from core.topics.dialogue.experiment.setting import Setting
from core.topics.dialogue.experiment.training import Training
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.result import SabotageRun, WayRun
from core.topics.dialogue.ways import WayCost, total_costs, way_costs

EVALUATIONS = 5


@dataclass
class Trainings:
    """The trainings of a run by name: 'one_pass 0' for a way and a seed, or the name of a mistake."""

    params: DialogueParams
    settings: Sequence[Setting]
    by_name: dict[str, Training] = field(default_factory=dict)
    costs: dict[int, tuple[WayCost, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ways = TRAINING_WAYS if self.params.runs(WAYS) else (ONE_PASS,)
        seeds = self.settings if self.params.runs(WAYS) else self.settings[:1]
        for setting in seeds:
            self.costs[setting.seed] = total_costs(way_costs(one.turns) for one in setting.examples)
            for way in ways:
                self.by_name[name_of(way, setting.seed)] = self._way(setting, way)
        for mistake in self.params.mistakes:
            self.by_name[mistake] = self._training(self.settings[0], self.params.steps, _MISTAKES[mistake])

    @property
    def sound(self) -> Training:
        """On all assistant turns, with the first seed."""
        return self.by_name[name_of(ONE_PASS, self.settings[0].seed)]

    def way_runs(self) -> tuple[WayRun, ...]:
        """The ways as they are."""
        runs = []
        for setting in self.settings:
            for number, way in enumerate(TRAINING_WAYS):
                training = self.by_name.get(name_of(way, setting.seed))
                if training is not None:
                    curve = training.log.curve
                    cost = self.costs[setting.seed][number]
                    runs.append(WayRun(way, setting.seed, training.steps, cost, curve, curve.steps == training.steps))
        return tuple(runs)

    def sabotage_runs(self) -> tuple[SabotageRun, ...]:
        """The mistakes as they are."""
        found = []
        for mistake in self.params.mistakes:
            training = self.by_name[mistake]
            curve = training.log.curve
            found.append(SabotageRun(mistake, curve, finished=curve.steps == training.steps))
        return tuple(found)

    def _way(self, setting: Setting, way: str) -> Training:
        """One example per turn goes on until it has computed as many tokens as the others."""
        steps, size = self.params.steps, self.params.batch_size
        if way != PER_TURN:
            only_last = way == LAST_TURN_WAY
            examples = [one.only(one.last_turn) if only_last else one for one in setting.examples]
            return self._training(setting, steps, lambda setting, chosen: one_per_row([examples[n] for n in chosen]))
        parts = [part for example in setting.examples for part in per_turn(example)]
        _, split, whole = self.costs[setting.seed]
        tokens_per_step = split.tokens / split.examples
        as_long = round(steps * whole.tokens / whole.examples / tokens_per_step)
        training = self._training(
            setting, max(steps, as_long), lambda setting, chosen: one_per_row([parts[n] for n in chosen])
        )
        training.batch = lambda step: one_per_row([parts[n] for n in setting.batch(step, size, len(parts))])
        return training

    def _training(self, setting: Setting, steps: int, rows: Callable[[Setting, Sequence[int]], Rows]) -> Training:
        size, turns = self.params.batch_size, self.params.turns
        held_out = setting.held_out_examples

        def batch(step: int) -> Rows:
            return rows(setting, setting.batch(step, size, len(setting.examples)))

        def evaluated(model: object) -> Evaluation:
            return evaluate(model, held_out, turns)

        every = max(1, self.params.steps // EVALUATIONS)
        return Training(setting.model, steps, self.params.learning_rate, batch, evaluated, every)


def name_of(way: str, seed: int) -> str:
    return f"{way} {seed}"


def label_of(name: str) -> Text:
    """What a training is called for the user."""
    return SABOTAGE_LABELS.get(name) or WAY_LABELS[name.split()[0]]


def packed_row_length(setting: Setting) -> int:
    """Tokens of a packed row: half the context, or the longest conversation."""
    longest = max(len(example) for example in (*setting.examples, *setting.held_out_examples))
    return max(setting.context // 2, longest)


def _drop_mask(setting: Setting, chosen: Sequence[int]) -> Rows:
    return one_per_row([setting.examples[number].with_all_targets() for number in chosen])


def _pad_with_end(setting: Setting, chosen: Sequence[int]) -> Rows:
    return one_per_row([setting.examples[number].without_targets(setting.end_token) for number in chosen])


def _forget_document_mask(setting: Setting, chosen: Sequence[int]) -> Rows:
    examples: list[Example] = [setting.examples[number] for number in chosen]
    rows, _ = packed(examples, packed_row_length(setting), document_mask=False, positions_reset=False)
    return rows


_MISTAKES: dict[str, Callable[[Setting, Sequence[int]], Rows]] = {
    DROP_MASK: _drop_mask,
    PAD_WITH_END: _pad_with_end,
    FORGET_DOCUMENT_MASK: _forget_document_mask,
}
