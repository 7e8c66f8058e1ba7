"""The experiment of the compare page: every contender at every point of a sweep, checked, timed, traced, compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import torch

from core.contracts.errors import InvalidParams
from core.contracts.events import Partial
from core.contracts.result import Message
from core.contracts.result_builder import ResultBuilder
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.families.running import own_file
from core.families.running.ceilings import ceilings
from core.families.running.problem import DTYPES, build
from core.topics.compare.experiment.facts import model_gpu, run_of
from core.topics.compare.experiment.metrics import messages, metrics
from core.topics.compare.experiment.points import Build, PointRunner
from core.topics.compare.experiment.virtual import Surroundings, surroundings, timed
from core.topics.compare.params import CompareParams
from core.topics.compare.plan import Plan, plan
from core.topics.compare.result import CompareResult
from core.user_code.source import Source

_CEILINGS_SHARE = 0.05


def run(params: CompareParams, device: str) -> ExperimentRun:
    """Yields a Partial after the ceilings and after every point.

    A point at which nothing can be run, for lack of memory or because its inputs raise, says so, and the sweep goes on.
    Raises InvalidParams for a file that does not import.
    """
    planned, torch_device = plan(params), torch.device(device)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)
    assert planned.family is not None
    text = "" if planned.source is None else planned.source.text
    result = CompareResult(
        params=params,
        run=run_of(planned, torch_device, hashlib.sha256(text.encode()).hexdigest() if text else ""),
    )
    builder = ResultBuilder(result)
    found = surroundings(planned, torch_device)
    settings = timed(params, found)
    done = 0.0
    notices = () if planned.source is None else _notices(planned.source, found)
    if settings.timed and settings.checked:
        dtype = planned.points[0].cost.dtype
        measured = yield from phase(
            0.0,
            _CEILINGS_SHARE,
            partial(ceilings, torch_device, dtype if dtype in DTYPES else "bf16", params.threads or None),
        )
        _add(builder, notices, ceilings=measured)
        yield Partial(builder.result)
        done = _CEILINGS_SHARE
    with _building(planned, found) as building:
        kind = model_gpu(planned, torch_device)
        runner = PointRunner(settings, planned.contenders, building, torch_device, kind, virtual_gpu=found.gpu)
        each = (1.0 - done) / len(planned.points)
        for index, planned_point in enumerate(planned.points):
            start = done + index * each
            work = found.inside(partial(runner.run, planned_point))
            point = yield from phase(start, start + each, work)
            assert builder.result.run is not None
            notices = () if planned.source is None else _notices(planned.source, found)
            _add(builder, notices, points=(*builder.result.run.points, point))
            yield Partial(builder.result)
    return builder.result


def _add(builder: ResultBuilder[CompareResult], notices: tuple[Message, ...], **fields: object) -> None:
    """Add to the run, and bring the metrics up to date."""
    assert builder.result.run is not None
    grown = replace(builder.result.run, **fields)  # type: ignore[arg-type]
    builder.add(metrics(grown), run=grown, messages=(*notices, *messages(grown)))


def _notices(source: Source, found: Surroundings) -> tuple[Message, ...]:
    return tuple(Message("notice", text) for text in (*own_file.notices(source), *found.notices))


@contextmanager
def _building(planned: Plan, found: Surroundings) -> Iterator[Build]:
    """What makes the problem of a case; the user's file stays imported until the block ends."""
    assert planned.family is not None
    if planned.source is None:
        family, seed = planned.family, planned.params.seed
        yield lambda case: build(family, case, seed, found.device)
        return
    with ExitStack() as stack:
        with found.entered():
            opened = own_file.opened(planned.source, planned.contenders, planned.params.seed, found.device)
            file = stack.enter_context(opened)
        yield file.problem
