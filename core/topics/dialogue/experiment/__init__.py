"""The experiment of the dialogue page: the doctor, then what is learned from conversations, and with mistakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.chat.template_errors import BrokenTemplate
from core.contracts.errors import RunFailed
from core.contracts.text import Text, tr
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.language_model.model_config import STANDARD
from core.language_model.small_model import small_model
from core.language_model.torch_state import torch_threads
from core.topics.dialogue.choices import FORGET_DOCUMENT_MASK, ONE_PASS, PACKING, WAYS
from core.topics.dialogue.examples import Encoder
from core.topics.dialogue.experiment.board import Board, Events
from core.topics.dialogue.experiment.examining import examined
from core.topics.dialogue.experiment.figures import (
    add_behaviour_figures,
    add_part_figures,
    add_sabotage_figures,
    add_way_figures,
)
from core.topics.dialogue.experiment.generations import behaviour
from core.topics.dialogue.experiment.gradients import equality
from core.topics.dialogue.experiment.history import history_need
from core.topics.dialogue.experiment.lanes import run_side_by_side
from core.topics.dialogue.experiment.memory import Remembered, remember, remembered
from core.topics.dialogue.experiment.packed_leaks import leaked_answers, leaks, shares
from core.topics.dialogue.experiment.positions import SCHEMES_S, schemes
from core.topics.dialogue.experiment.setting import Setting, refusal, with_vocabulary
from core.topics.dialogue.experiment.token_losses import shown_loss
from core.topics.dialogue.experiment.trainings import Trainings, label_of, packed_row_length
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.plan import Plan, check, plan

THREADS = 1
"""Per training; see `lanes`."""

EXAMINE_S, FILE_S, STEP_S, PARTS_S = 0.1, 10.0, 0.07, 1.0
"""Estimated seconds of the doctor on one conversation and on a data file, of a step of eight conversations, and of each
part before and after the trainings."""

EQUALITY_CONVERSATIONS = 8


def run(params: DialogueParams, device: str) -> ExperimentRun:
    """Examine, then train. Can be cancelled between steps.

    A template that the experiments cannot train with ends the run with a warning: what the doctor said stays. Raises
    InvalidParams for parameters that nothing can be made of.
    """
    check(params)
    planned = plan(params)
    subject = planned.subject
    assert subject is not None
    board = Board(params, _estimate_s(params))
    if planned.problem:
        board.warn(planned.problem)
    with torch_threads(THREADS):
        yield from examined(board, planned, subject, FILE_S if params.data.strip() else EXAMINE_S)
        if params.data.strip() and not params.trains:
            return board.result
        shipped = yield from phase(0.0, 0.0, lambda progress: small_model(STANDARD, progress))
        board.warn(shipped.notice, "notice")
        try:
            yield from _with_small_model(board, planned, subject.small_encoder, shipped.model)
        except (BrokenTemplate, RunFailed) as error:
            board.warn(refusal(error).text)
    return board.result


def _with_small_model(board: Board, planned: Plan, encoder: Encoder, shipped: Any) -> Events:
    """The losses of the page's conversation, and the experiments that the parameters ask for. If the last run of this
    process had them, they are taken from it."""
    params = board.params
    model = with_vocabulary(shipped, encoder.vocabulary)
    settings = [Setting(params, encoder, model, seed) for seed in range(params.seed, params.seed + params.seeds)]
    setting = settings[0]
    _show_loss(board, planned, setting, None)
    yield board.partial()
    if not params.trains:
        return
    known = remembered(params, encoder)
    if known is not None:
        known.put_into(board)
        _show_loss(board, planned, setting, known.sound)
        yield board.partial()
        return
    board.add(template=encoder.template.name)
    row_length = packed_row_length(setting)
    if params.runs(WAYS):
        yield board.progress(0, tr("comparing gradients"))
        board.add(equality=equality(model, setting.examples[:EQUALITY_CONVERSATIONS], row_length))
        yield from _part_done(board, tr("comparing gradients"))
    trainings = Trainings(params, settings)
    stopped = yield from _trained(board, trainings)
    if not trainings.sound.is_finished:
        return
    sound = trainings.sound.model
    _show_loss(board, planned, setting, sound)
    yield board.partial()
    yield from _spoken(board, setting, trainings)
    yield from _packed(board, setting, sound, row_length)
    if not stopped:
        remember(Remembered(params, encoder, board.result, sound))


def _trained(board: Board, trainings: Trainings) -> Events:
    """All trainings, with their curves. Returns the names of those that stopped early."""

    def show() -> None:
        board.add(ways=trainings.way_runs(), sabotages=trainings.sabotage_runs())
        add_way_figures(board)
        add_sabotage_figures(board)

    step_s = STEP_S * board.params.batch_size / 8
    stopped = yield from run_side_by_side(board, trainings.by_name, step_s, show)
    for name, text in stopped.items():
        board.warn(tr("{training} stopped: {reason}", training=label_of(name), reason=text))
    return stopped


def _spoken(board: Board, setting: Setting, trainings: Trainings) -> Events:
    """What the sound model answers without the history, and what it and those with a mistake do when they speak."""
    params = board.params
    if params.runs(WAYS):
        board.add(history=history_need(setting, trainings.sound.model))
        yield from _part_done(board, tr("asking without the history"))
    found = behaviour(setting, trainings.sound.model)
    board.add(behaviour=found)
    add_behaviour_figures(board, ONE_PASS, found)
    yield from _part_done(board, tr("generating"))
    for mistake in params.mistakes:
        training = trainings.by_name[mistake]
        if training.is_finished:
            found = behaviour(setting, training.model)
            runs = [replace(run, behaviour=found) if run.mistake == mistake else run for run in board.result.sabotages]
            board.add(sabotages=tuple(runs))
            add_sabotage_figures(board)
        yield from _part_done(board, tr("generating"))


def _packed(board: Board, setting: Setting, sound: Any, row_length: int) -> Events:
    """What leaks in packed rows, and what positions that are not reset do."""
    params = board.params
    if params.runs(PACKING) or FORGET_DOCUMENT_MASK in params.mistakes:
        board.add(leaks=leaks(setting, sound, row_length))
        yield from _part_done(board, tr("reading packed rows"))
        answers = leaked_answers(setting, sound)
        board.add(leaked_answers=answers, leaked_share=shares(answers))
        yield from _part_done(board, tr("asking in packed rows"))
    if params.runs(PACKING):
        board.add(schemes=(yield from schemes(board, setting, sound, row_length)))
        yield board.partial()


def _part_done(board: Board, text: Text) -> Events:
    add_part_figures(board)
    board.done += PARTS_S
    yield board.progress(0, text)
    yield board.partial()


def _show_loss(board: Board, planned: Plan, setting: Setting, after: Any) -> None:
    if planned.rendered is not None and planned.encoded is not None:
        board.add(shown=shown_loss(setting, planned.rendered, planned.encoded, setting.model, after))


def _estimate_s(params: DialogueParams) -> float:
    """Seconds that a run takes, for the progress."""
    examine = FILE_S if params.data.strip() else EXAMINE_S
    if not params.trains:
        return examine + 0.1
    trainings = 1 + (2.3 * params.seeds + params.seeds - 1 if params.runs(WAYS) else 0) + len(params.mistakes)
    parts = 1 + 2 * params.runs(WAYS) + len(params.mistakes) + 2 * params.runs(PACKING)
    schemes_s = SCHEMES_S if params.runs(PACKING) else 0
    return examine + trainings * params.steps * STEP_S * params.batch_size / 8 + parts * PARTS_S + schemes_s
