"""`trace FILE.py::FUNCTION ...`: what the launches of functions move through memory, and their memory errors."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands.session import engine_for
from core.commands.traced_runs import FAULTS_FOUND, TOPIC_ID, params_of, place_of, traced
from core.contracts.errors import InvalidParams, RunFailed, TilescopeError
from core.contracts.registry import topic as find_topic
from core.contracts.text import tr
from core.engine.addresses import Target
from core.outside import cleaned
from core.paths import expanded
from core.trace.file import SUFFIX

if TYPE_CHECKING:
    from core.engine import Engine
    from core.topics.kernel_lab.result import KernelLabResult

RUN_FAILED, BAD_INPUT = 1, 2


@dataclass(frozen=True)
class Choices:
    """How functions are run. `gpu` is the GPU that a file finds where there is none: an id, or the beginning of one.
    With `arguments`, a file is run as a script with that command line. `config` is the number of the configuration that
    autotuned kernels run, 0 for their own choice; with `try_configs`, all of them are compared. `time_limit_s` is the
    parameter of that name, None its default."""

    addresses_only: bool = False
    gpu: str = ""
    arguments: Sequence[str] = ()
    config: int = 0
    try_configs: bool = False
    time_limit_s: int | None = None

    def as_params(self) -> dict[str, Any]:
        """The parameters of kernel-lab. Raises InvalidParams for an unknown GPU."""
        from core.hardware.gpus import gpu_called

        return {
            "addresses_only": self.addresses_only,
            "arguments": shlex.join(self.arguments),
            "config": self.config,
            "try_configs": self.try_configs,
            **({"gpu": gpu_called(self.gpu).id} if self.gpu else {}),
            **({} if self.time_limit_s is None else {"time_limit_s": self.time_limit_s}),
        }


@dataclass(frozen=True)
class Outputs:
    """What is printed and written: JSON or tables, with those of each launch if wanted, the trace as a file, the report
    as a page, and the stack of the user's code where that fails."""

    as_json: bool = False
    with_launches: bool = False
    export: Path | None = None
    html: Path | None = None
    with_stack: bool = False

    def checked(self, targets: int) -> Outputs:
        """The paths as they will be written for so many targets. Raises InvalidParams, before a run, where that cannot
        be."""
        export = None if self.export is None else place_of(self.export)
        html = None if self.html is None else place_of(self.html)
        if targets > 1 and (export is not None or html is not None):
            raise InvalidParams(tr("--export and --html write one trace: name one target with them."))
        if export is not None and export.suffix.lower() != SUFFIX:
            raise InvalidParams(
                tr(
                    "A trace is written as an {suffix} file, not as {path}: change the name.",
                    suffix=SUFFIX,
                    path=str(export),
                )
            )
        if export is not None and html is not None and export.resolve() == html.resolve():
            raise InvalidParams(tr("--export and --html name the same file, {path}: name two.", path=str(html)))
        return Outputs(self.as_json, self.with_launches, export, html, self.with_stack)


def trace_targets(targets: Sequence[str], choices: Choices, *, device: Target, outputs: Outputs) -> int:
    """Trace every Triton kernel that the functions launch, then print and write the `outputs`. All share one worker.

    A target is FILE.py::FUNCTION, or FILE.py where one function is obvious, or a trace (.npz) that --export wrote.
    Returns exit code 1 if the sanitizer found a fault or a function failed after its launches, else 0, also after
    remarks. Raises TilescopeError for bad input, and for a file that cannot be written: that after everything else was
    printed. Of several targets, one that cannot be traced gets its sentence on stderr, and the others are traced; then
    the exit code is the highest of all.
    """
    with ExitStack() as stack:
        engine = None
        if not all(map(_is_trace, targets)):
            engine = stack.enter_context(engine_for(device, (TOPIC_ID,)))
        # While the worker starts, this process imports what the report needs.
        from core.topics.kernel_lab.report import as_json

        outputs = outputs.checked(len(targets))
        found, codes = [], []
        for target in targets:
            try:
                found.append(_Traced(_result(target, choices, engine, outputs)))
            except TilescopeError as error:
                if len(targets) == 1:
                    raise
                print(f"{cleaned(target)}: {error.sentence}", file=sys.stderr)
                codes.append(RUN_FAILED if isinstance(error, RunFailed) else BAD_INPUT)
            else:
                codes.append(found[-1].code)
                if not outputs.as_json:
                    found[-1].print_tables(outputs, title=target if len(targets) > 1 else "")
    if outputs.as_json:
        reports = [each.report for each in found]
        print(as_json(reports if len(targets) > 1 else reports[0]))
    for each in found:
        each.write(outputs)
    return max(codes)


def _is_trace(target: str) -> bool:
    return target.lower().endswith(SUFFIX)


def _result(target: str, choices: Choices, engine: tuple[Engine, str] | None, outputs: Outputs) -> KernelLabResult:
    from core.topics.kernel_lab import analysis
    from core.topics.kernel_lab.params import KernelLabParams

    if _is_trace(target):
        return analysis.opened(expanded(target), KernelLabParams())
    assert engine is not None
    topic = find_topic(TOPIC_ID)
    params = params_of(topic, target, choices.as_params())
    return traced(*engine, topic, params, whole=outputs.export is not None, with_stack=outputs.with_stack)


class _Traced:
    """A result, and what becomes of it."""

    def __init__(self, result: KernelLabResult) -> None:
        self._result = result
        self._findings = [(claim, claim.test(result)) for claim in find_topic(TOPIC_ID).claims]

    @property
    def code(self) -> int:
        """The exit code."""
        has_fault = any(row.severity == "fault" for row in self._result.faults)
        return FAULTS_FOUND if self._result.failure or has_fault else 0

    @property
    def report(self) -> dict[str, Any]:
        from core.topics.kernel_lab.report import report

        return report(self._result, self._findings)

    def print_tables(self, outputs: Outputs, *, title: str) -> None:
        """Below the title, if there is one."""
        from core.commands.trace_tables import print_report

        if title:
            print(f"{cleaned(title)}\n")
        print_report(self._result, with_launches=outputs.with_launches)
        if title:
            print()
            sys.stdout.flush()

    def write(self, outputs: Outputs) -> None:
        """The stack of the user's code to stderr, and the files."""
        from core.topics.kernel_lab.html_report import write_html
        from core.trace.file import write

        if outputs.with_stack and self._result.stack:
            print(cleaned(self._result.stack.rstrip()), file=sys.stderr)
        if outputs.export is not None and self._result.trace is not None:
            write(outputs.export, self._result.trace)
        if outputs.html is not None:
            write_html(outputs.html, self._result, self._findings)
