"""The result of the dialogue experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from core.chat.doctor import BrokenLine, Finding, IllConversation, Severity
from core.contracts.archive import Array
from core.contracts.result import Provenance, Result
from core.contracts.text import Text
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.ways import WayCost


def _no_floats() -> Array:
    return np.empty(0, dtype=np.float32)


def _no_ints() -> Array:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class ShownLoss:
    """The loss of each token of the page's conversation under the small model; measured.

    `text` is the rendered text: the losses belong to the rows of a plan that renders the same. `before` and `after`,
    float32 [tokens], are nats, as pretrained and after the training on all assistant turns; NaN for the first token,
    for tokens beyond `context` tokens of the small model, and all of `after` until that training is over.

    `is_spread` says that the tokenizer is not that of the small model: the loss of each of the small model's tokens is
    spread evenly over its characters, and a token has the sum over its own.
    """

    text: str
    before: Array
    after: Array
    context: int
    is_spread: bool = False


@dataclass(frozen=True)
class Examination:
    """What the doctor found in the data file, or in the page's conversation if there is no file.

    findings  one verdict per failure; empty until the end of the file
    `conversations` counts those examined, `broken` the lines that are no conversation, `ill` the conversations with a
    failure of their own; `ill_rows` and `broken_lines` list the first of them.
    lengths   int32 [conversations that the template renders]: tokens of each, before anything is cut
    targets   int32 [the same]: those of them that the model learns from
    `share` is how much of the file has been read, 0 to 1, and `seconds` the time that took, measured. `finished` is
    false while it goes on.
    """

    data: str = ""
    findings: tuple[Finding, ...] = ()
    ill_rows: tuple[IllConversation, ...] = ()
    broken_lines: tuple[BrokenLine, ...] = ()
    conversations: int = 0
    broken: int = 0
    ill: int = 0
    lengths: Array = field(default_factory=_no_ints)
    targets: Array = field(default_factory=_no_ints)
    share: float = 0.0
    seconds: float = 0.0
    finished: bool = False

    @property
    def is_ill(self) -> bool:
        """Whether anything is ill: a failure, or a line that is no conversation."""
        return self.broken > 0 or any(finding.severity is Severity.ILL for finding in self.findings)


@dataclass(frozen=True)
class Curve:
    """A training so far, under TRL's names; measured.

    loss          float32 [steps]: of each batch before its update, in nats per target
    mean_token_accuracy  float32 [steps]: the share of its targets that were the likeliest token
    grad_norm     float32 [steps]: of its gradient before it was limited
    num_tokens    int64 [steps]: tokens computed up to and with each step, without padding
    num_targets   int64 [steps]: targets learned from up to and with each step
    eval_step     int64 [evaluations]: the steps after which held-out conversations were read; 0 is before training
    eval_loss     float32 [evaluations]: nats per token of their assistant turns, whatever the training learns from
    eval_correct  float32 [evaluations, turns]: the share of held-out conversations whose answer in each turn is right,
                  to its end token, given the true history
    """

    loss: Array = field(default_factory=_no_floats)
    mean_token_accuracy: Array = field(default_factory=_no_floats)
    grad_norm: Array = field(default_factory=_no_floats)
    num_tokens: Array = field(default_factory=_no_ints)
    num_targets: Array = field(default_factory=_no_ints)
    eval_step: Array = field(default_factory=_no_ints)
    eval_loss: Array = field(default_factory=_no_floats)
    eval_correct: Array = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))

    @property
    def steps(self) -> int:
        return len(self.loss)

    @property
    def eval_tokens(self) -> Array:
        """Tokens computed before each evaluation, int64 [evaluations]."""
        return np.append(0, self.num_tokens)[self.eval_step]

    def correct_at(self, tokens: float) -> Array:
        """The shares of right answers once `tokens` tokens were computed, float64 [turns]: between two evaluations in
        proportion. Of the last one if the training ended before."""
        if not len(self.eval_step):
            return np.full(self.eval_correct.shape[1], np.nan)
        return np.array([np.interp(tokens, self.eval_tokens, turn) for turn in self.eval_correct.T])

    def correct_after(self, step: int) -> Array:
        """The same after a step."""
        if not len(self.eval_step):
            return np.full(self.eval_correct.shape[1], np.nan)
        return np.array([np.interp(step, self.eval_step, turn) for turn in self.eval_correct.T])


@dataclass(frozen=True)
class WayRun:
    """One way to train. `cost` is that of all conversations of the training set, counted. `steps` are those that the
    training will have: a way with shorter examples goes on until it has computed as many tokens as the others."""

    way: str
    seed: int
    steps: int
    cost: WayCost
    curve: Curve = field(default_factory=Curve)
    finished: bool = False


@dataclass(frozen=True)
class Equality:
    """Gradients of all turns in one pass, and of one example per turn, over the same conversations; measured.

    names       the parameters
    float32, float64, unmatched  float64 [parameters]: the norm of the difference as a share of the norm; `unmatched`
                with each example's own mean as its loss, in float64, where a short turn weighs as much as a long one
    packed      float64 [parameters]: the same for the conversations packed into one row with document mask, against
                one per row, in float64
    `one_pass_tokens` and `per_turn_tokens` are those computed; `turns` and `targets` those of the conversations.
    """

    names: tuple[str, ...]
    float32: Array
    float64: Array
    unmatched: Array
    packed: Array
    conversations: int
    turns: int
    targets: int
    one_pass_tokens: int
    per_turn_tokens: int


@dataclass(frozen=True)
class HistoryNeed:
    """Right answers of the trained model with the history and without it (the last question alone), float32 [turns].
    Measured on `conversations` held-out conversations. They show that the questions need the history."""

    with_history: Array
    without_history: Array
    conversations: int


@dataclass(frozen=True)
class LeakedDocument:
    """A conversation in a packed row, under the trained model; measured.

    `row` and `place` say where it lies, `foreign` how many tokens of other conversations come before it. Losses are in
    nats per target: `alone`, packed with the document mask (`masked`), and without it (`leaked`). `masked_logits` and
    `leaked_logits` are the largest difference of a logit from those of the conversation alone. `text` begins it.
    """

    row: int
    place: int
    tokens: int
    foreign: int
    alone: float
    masked: float
    leaked: float
    masked_logits: float
    leaked_logits: float
    text: str = ""


@dataclass(frozen=True)
class LeakedAnswer:
    """A question about somebody of whom nothing was told, alone and behind another conversation in its row, without
    document mask; greedy answers of the trained model. `neighbour` is what that conversation tells of its own person;
    `took` says that the answer names it."""

    neighbour: str
    question: str
    alone: str
    packed: str
    masked: str
    took: bool
    took_alone: bool
    took_masked: bool


@dataclass(frozen=True)
class PositionScheme:
    """What happens under a position scheme if positions are not reset in a packed row, with the document mask.

    `logits` is the largest difference of a logit of the untrained model from that of each conversation alone, in
    float64. `alone` and `not_reset` are losses in nats per target of the model `model`, trained on conversations that
    start from position 0, for conversations that begin at position `begins` or later. Measured.
    """

    id: str
    label: Text
    is_relative: bool
    model: Text
    logits: float
    alone: float
    not_reset: float
    begins: int


@dataclass(frozen=True)
class Generation:
    """A greedy generation from a held-out conversation. `text` has the special tokens, and goes on past the end token.

    `ended` is the number of tokens before the first end token, -1 if there is none. `speaks_for_user` says that it
    opens a turn of the user, and writes in it.
    """

    prompt: str
    expected: str
    text: str
    ended: int
    speaks_for_user: bool


@dataclass(frozen=True)
class Behaviour:
    """What a trained model does when it speaks: of `generations` greedy ones of `tokens` tokens each, the share that
    `stops` (has an end token) and that `speaks_for_user`; 0 to 1, measured. The latter is NaN for a template whose end
    token is what opens the user's turn, as ChatGLM's is. `shown` are the first of them."""

    generations: int
    tokens: int
    stops: float
    speaks_for_user: float
    shown: tuple[Generation, ...] = ()


@dataclass(frozen=True)
class SabotageRun:
    """A training with a mistake, on the same conversations in the same order as the sound one."""

    mistake: str
    curve: Curve = field(default_factory=Curve)
    behaviour: Behaviour | None = None
    finished: bool = False


@dataclass(frozen=True, kw_only=True)
class DialogueResult(Result):
    """What was examined and measured. Parts that a run has not reached, or does not have, are None or empty.

    shown       the loss of the page's conversation, token by token
    examined    what the doctor found
    template    the name of the template that the experiments train with
    ways        the three ways to train, for each seed
    behaviour   of the model trained on all assistant turns, the sound one
    leaks, leaked_answers  in packed rows without document mask
    leaked_share  the share of those answers that name what the neighbour tells: 'alone', 'masked', 'without_mask'

    Metrics, those of ways and mistakes at the last common step: '{last_turn,per_turn,one_pass}.{tokens,targets,waste,
      lost}' (counted over the training set), '{way}.{loss,mean_token_accuracy,eval_loss,eval_correct}',
      '{way}.eval_correct_equal_tokens', 'equality.{float32,float64,unmatched,packed}' (the largest of all parameters),
      'history.{with,without}', 'leak.{masked,without_mask}' (nats per target),
      'leak.answers_{alone,masked,without_mask}', '{one_pass,MISTAKE}.{stops,speaks_for_user}',
      'MISTAKE.{loss,mean_token_accuracy,eval_loss,eval_correct}',
      'doctor.{ill,conversations,ill_conversations,broken_lines,seconds}', 'first_partial_s'
    """

    topic: str = "dialogue"
    params: DialogueParams
    shown: ShownLoss | None = None
    examined: Examination | None = None
    template: str = ""
    ways: tuple[WayRun, ...] = ()
    equality: Equality | None = None
    history: HistoryNeed | None = None
    behaviour: Behaviour | None = None
    leaks: tuple[LeakedDocument, ...] = ()
    leaked_answers: tuple[LeakedAnswer, ...] = ()
    leaked_share: Mapping[str, float] = field(default_factory=dict)
    schemes: tuple[PositionScheme, ...] = ()
    sabotages: tuple[SabotageRun, ...] = ()

    @property
    def measured(self) -> Provenance:
        """The provenance of measurements on this machine: the experiments run on the CPU."""
        return Provenance.MEASURED_CPU

    def way(self, way: str) -> WayRun | None:
        """The run of a way with the first seed."""
        return next((run for run in self.ways if run.way == way), None)

    def sabotage(self, mistake: str) -> SabotageRun | None:
        return next((run for run in self.sabotages if run.mistake == mistake), None)
