"""`trace FILE.py::FUNCTION`: what a function's launches move through memory, and their memory errors."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.commands.session import engine_for, run_once
from core.commands.trace_tables import print_report
from core.contracts.errors import InvalidParams
from core.contracts.params import Params
from core.contracts.registry import topic as find_topic
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.engine.addresses import Target
from core.hardware.gpus import gpu_called
from core.outside import cleaned
from core.paths import expanded
from core.topics.kernel_lab import analysis
from core.topics.kernel_lab.html_report import write_html
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.report import as_json, report
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.file import SUFFIX, write

TOPIC_ID = "kernel-lab"
FAULTS_FOUND = 1


@dataclass(frozen=True)
class Outputs:
    """What is printed and written: one JSON object or tables, with those of each launch if wanted, the trace as a file,
    the report as a page, and the stack of the user's code where that fails."""

    as_json: bool = False
    with_launches: bool = False
    export: Path | None = None
    html: Path | None = None
    with_stack: bool = False

    def checked(self) -> Outputs:
        """The paths as they will be written. Raises InvalidParams, before a run, where that cannot be."""
        export = None if self.export is None else place_of(self.export)
        html = None if self.html is None else place_of(self.html)
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


def trace_target(
    target: str,
    *,
    addresses_only: bool,
    device: Target,
    outputs: Outputs,
    gpu: str = "",
    arguments: Sequence[str] = (),
    config: int = 0,
    try_configs: bool = False,
    time_limit_s: int | None = None,
) -> int:
    """Trace every Triton kernel that the function launches, then print and write the `outputs`.

    `config` is the number of the configuration that autotuned kernels run, 0 for their own choice; with `try_configs`,
    all of them are compared. `time_limit_s` is the parameter of that name, None its default.

    `gpu` is the GPU that the file finds where there is none: an id, or the beginning of one. With `arguments`, the file
    is run as a script with that command line.

    `target` is FILE.py::FUNCTION, or FILE.py where one function is obvious, or a trace (.npz) that --export wrote.
    Returns exit code 1 if the sanitizer found a fault or the function failed after its launches, else 0, also after
    remarks. Raises TilescopeError for bad
    input, and for a file that cannot be written: that after everything else was printed.
    """
    topic = find_topic(TOPIC_ID)
    outputs = outputs.checked()
    if target.lower().endswith(SUFFIX):
        result = analysis.opened(expanded(target), KernelLabParams())
    else:
        given = {"addresses_only": addresses_only, "arguments": shlex.join(arguments)}
        choice = {"config": config, "try_configs": try_configs, **({"gpu": gpu_called(gpu).id} if gpu else {})}
        limit = {} if time_limit_s is None else {"time_limit_s": time_limit_s}
        params = params_of(topic, target, {**given, **choice, **limit})
        result = traced(topic, params, device, whole=outputs.export is not None, with_stack=outputs.with_stack)
    findings = [(claim, claim.test(result)) for claim in topic.claims]
    if outputs.as_json:
        print(as_json(report(result, findings)))
    else:
        print_report(result, with_launches=outputs.with_launches)
    if outputs.with_stack and result.stack:
        print(cleaned(result.stack.rstrip()), file=sys.stderr)
    if outputs.export is not None and result.trace is not None:
        write(outputs.export, result.trace)
    if outputs.html is not None:
        write_html(outputs.html, result, findings)
    return FAULTS_FOUND if result.failure or any(row.severity == "fault" for row in result.faults) else 0


def params_of(topic: Topic, target: str, given: dict[str, object]) -> Params:
    """The parameters of a run, with the file and the function that the target means."""
    file, _, function = target.rpartition("::") if "::" in target else (target, "", "")
    params = topic.params.parse({"file": file, "function": function, **given})
    planned = topic.plan(params)
    topic.check(params)
    return params.changed(file=str(planned.path), function=planned.function)


def traced(
    topic: Topic, params: Params, device: Target, *, whole: bool = False, with_stack: bool = False
) -> KernelLabResult:
    """The result of a run. It has all numbers; the trace itself only if `whole`."""
    with engine_for(device) as (engine, engine_device):
        result = run_once(engine, topic, params, engine_device, partial=not whole, with_stack=with_stack)
    assert isinstance(result, KernelLabResult)
    return result


def place_of(path: Path) -> Path:
    """The path of a file that will be written. Raises InvalidParams where that cannot be."""
    path = expanded(path)
    if path.is_dir():
        raise InvalidParams(tr("{path} is a folder: name a file to write.", path=str(path)))
    if not path.parent.is_dir():
        raise InvalidParams(
            tr("{path} cannot be written, because its folder does not exist: make it first.", path=str(path))
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InvalidParams(tr("{path} cannot be written (permission denied): choose another place.", path=str(path)))
    return path
