"""One headless run: parse the parameters, run in a worker, show progress on stderr, return the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from core.contracts import events
from core.contracts.errors import InvalidParams, RunFailed
from core.contracts.params import Params
from core.contracts.result import Result
from core.contracts.text import quoted, tr
from core.contracts.topic import Topic
from core.engine import Engine
from core.engine.addresses import SchedulerAddress, Target, target_of
from core.outside import cleaned


def parse_assignments(topic: Topic, assignments: Sequence[str]) -> Params:
    """Params from `name=value` strings. Raises InvalidParams or UnknownName with one sentence."""
    values: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise InvalidParams(
                tr(
                    "--set takes name=value, not {assignment}: for example --set seq_len=512.",
                    assignment=quoted(assignment),
                )
            )
        values[name.strip()] = value.strip()
    return topic.params.parse(values)


@contextmanager
def engine_for(device: Target, wanted_first: Sequence[str] = ()) -> Iterator[tuple[Engine, str]]:
    """An engine, and the device for its runs; `device` may be the address of a scheduler. `wanted_first` are topics
    whose runs of the user's code will come first.

    No warm-up: the run is queued before the worker is up, so importing ahead would only import other topics.
    """
    target = target_of(device)
    if isinstance(target, SchedulerAddress):
        engine, engine_device = Engine(target, warm_up=False), "auto"
    else:
        engine, engine_device = Engine(warm_up=False, wanted_first=wanted_first), target
    try:
        engine.start()
        yield engine, engine_device
    finally:
        engine.close()


def run_once(
    engine: Engine, topic: Topic, params: Params, device: str, *, partial: bool = False, with_stack: bool = False
) -> Result:
    """The result of one run. With `partial`, the first Partial is enough, and the rest of the run is cancelled. With
    `with_stack`, the stack of the user's own code is printed to stderr where it was that which failed.

    Raises InvalidParams for bad input, and RunFailed where the run ends without a result.
    """
    console = Console(stderr=True)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True)
    run = engine.submit(topic.id, params, device=device)
    with bar:
        task = bar.add_task(str(tr("starting the worker")), total=None)
        try:
            for event in run.stream():
                match event:
                    case events.Started(device=device_label):
                        bar.update(task, description=str(tr("running on {device}", device=device_label)))
                    case events.Progress(done=done, total=total, phase=phase):
                        bar.update(task, completed=done, total=total, description=str(phase))
                    case events.Partial(result=result) if partial:
                        run.cancel()
                        return result
                    case events.Finished(result=result):
                        return result
                    case events.Failed() as failure:
                        _print_failure(console, failure, with_stack=with_stack)
                        if failure.invalid_input:
                            raise InvalidParams(failure.sentence, failure.blames)
                        raise RunFailed(failure.sentence)
                    case events.Cancelled(reason=reason):
                        raise RunFailed(tr("The run was {reason}.", reason=reason))
        except KeyboardInterrupt:
            run.cancel()
            raise
    raise RunFailed(tr("The run ended without a result: run it again."))


def _print_failure(console: Console, failure: events.Failed, *, with_stack: bool) -> None:
    """What is known besides the sentence: lines as they are, never wrapped."""
    detail = "" if failure.invalid_input else failure.detail
    for text in (detail, failure.stack if with_stack else ""):
        if text:
            console.print(cleaned(text.rstrip()), style="dim", highlight=False, markup=False, soft_wrap=True)
