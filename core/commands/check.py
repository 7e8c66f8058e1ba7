"""`check FILE.py::FUNCTION`, `check SCRIPT.py`, `check --pytest FILE`: the findings of a run, one per line."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.commands.session import engine_for
from core.commands.traced_runs import FAULTS_FOUND, TOPIC_ID, params_of, place_of, traced
from core.contracts.errors import InvalidParams, RunFailed
from core.contracts.registry import topic as find_topic
from core.contracts.text import Text, sentences, tr, tr_plural
from core.engine.addresses import Target
from core.files import reason_of, write_whole
from core.hardware.gpus import gpu_called
from core.outside import cleaned
from core.topics.kernel_lab.checks.check import Check, checked
from core.topics.kernel_lab.checks.junit import junit
from core.topics.kernel_lab.checks.sarif import sarif
from core.topics.kernel_lab.report import as_json
from core.user_code.test_file import TESTS


@dataclass(frozen=True)
class Written:
    """Whether one JSON object is printed instead of lines, and the files that are written."""

    as_json: bool = False
    junit: Path | None = None
    sarif: Path | None = None

    def checked(self) -> Written:
        """The paths as they will be written. Raises InvalidParams, before a run, where that cannot be."""
        places = [None if path is None else place_of(path) for path in (self.junit, self.sarif)]
        if places[0] is not None and places[1] is not None and places[0].resolve() == places[1].resolve():
            raise InvalidParams(tr("--junit and --sarif name the same file, {path}: name two.", path=str(places[0])))
        return Written(self.as_json, *places)


def check_target(
    command_line: Sequence[str],
    *,
    device: Target,
    written: Written,
    tests: str = "",
    gpu: str = "",
    proves: bool = False,
    time_limit_s: int = 0,
    tries_configs: bool = False,
) -> int:
    """Run the target, print its findings, one per line, and write the files.

    `command_line` is FILE.py::FUNCTION, or a script and its arguments. With `tests`, that file is run with pytest, and
    `command_line` is the rest of pytest's. With `proves`, each kernel gets a line that says what holds for all sizes.
    With `tries_configs`, the configurations of autotuned kernels are compared.
    What is launched after `time_limit_s` is not checked, and checks of the launches come after it; 0 is no
    limit, since a check that ends early may find nothing.
    Returns exit code 1 if there is a fault that no comment suppresses, or if the function or its tests failed; else 0.
    Raises TilescopeError for bad input and for a file that cannot be written.
    """
    if not tests and not command_line:
        raise InvalidParams(tr("Nothing to check: name FILE.py::FUNCTION, SCRIPT.py or --pytest FILE."))
    written = written.checked()
    topic = find_topic(TOPIC_ID)
    target, arguments = (f"{tests}::{TESTS}", command_line) if tests else (command_line[0], command_line[1:])
    choice = {"gpu": gpu_called(gpu).id} if gpu else {}
    asked = {
        "arguments": shlex.join(arguments),
        "prove": proves,
        "time_limit_s": time_limit_s,
        "try_configs": tries_configs,
        **choice,
    }
    params = params_of(topic, target, asked)
    with engine_for(device, (TOPIC_ID,)) as (engine, engine_device):
        check = checked(traced(engine, engine_device, topic, params, with_stack=bool(tests)))
    if written.as_json:
        print(as_json(check.as_json()))
    else:
        _print(check)
    if written.junit is not None:
        _write(written.junit, junit(check))
    if written.sarif is not None:
        _write(written.sarif, as_json(sarif(check)))
    return FAULTS_FOUND if check.fails else 0


def _print(check: Check) -> None:
    """The findings to stdout; everything else to stderr, with what the file printed, such as pytest's report."""
    for found in check.found:
        if found.suppression is None and not found.row.is_of_proof:
            print(cleaned(f"{found.row.file}:{found.row.line}: {found.row.kind}: {found.text}"))
    result = check.result
    for proof in check.proofs:
        print(cleaned(f"{proof.file}:{proof.line}: {proof.verdict}: {proof.sentence}"))
    sys.stdout.flush()
    for text in (*(part.text for part in result.log), result.stack):
        if text:
            print(cleaned(text.rstrip()), file=sys.stderr)
    for message in result.messages:
        print(cleaned(str(message.text)), file=sys.stderr)
    for each in check.refused:
        print(cleaned(f"{each.file}:{each.line}: {each.problem}"), file=sys.stderr)
    print(_summary(check), file=sys.stderr)


def _summary(check: Check) -> Text:
    kernels = tr_plural("{count:,} kernel", "{count:,} kernels", count=len(check.kernels))
    faults = tr_plural("{count:,} fault", "{count:,} faults", count=check.counts["faults"])
    remarks = tr_plural("{count:,} remark", "{count:,} remarks", count=check.counts["remarks"])
    suppressed = tr_plural(
        "{count:,} finding is suppressed by a comment.",
        "{count:,} findings are suppressed by a comment.",
        count=check.counts["suppressed"],
    )
    launched = tr_plural(
        "{count:,} launch of {kernels}: {faults}, {remarks}.",
        "{count:,} launches of {kernels}: {faults}, {remarks}.",
        count=len(check.result.launches),
        kernels=kernels,
        faults=faults,
        remarks=remarks,
    )
    return sentences(launched, suppressed if check.counts["suppressed"] else "")


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise RunFailed(
            tr("{path} could not be written ({reason}).", path=str(path), reason=reason_of(error))
        ) from error
