"""How a process ended, in words."""

from __future__ import annotations

import signal

from core.contracts.text import Text, tr

WORKER = tr("The worker process")


def exit_reason(exitcode: int | None, process: Text = WORKER) -> Text:
    """A clause that can be a sentence or the beginning of one; `process` is its subject.

    `exitcode` as in multiprocessing: negative for a signal, 255 or None when it is not known.
    """
    if exitcode is None or exitcode == 255:
        return tr("{process} ended with an unknown exit code", process=process)
    if exitcode >= 0:
        return tr("{process} exited with code {code}", process=process, code=exitcode)
    number = -exitcode
    try:
        name = signal.Signals(number).name
    except ValueError:
        return tr("{process} was terminated by signal {number}", process=process, number=number)
    match name:
        case "SIGSEGV":
            return tr("{process} crashed with a segmentation fault (SIGSEGV)", process=process)
        case "SIGBUS":
            return tr("{process} crashed on a bad memory access (SIGBUS)", process=process)
        case "SIGABRT":
            return tr("{process} aborted (SIGABRT)", process=process)
        case "SIGFPE":
            return tr("{process} crashed on an arithmetic fault (SIGFPE)", process=process)
        case "SIGILL":
            return tr("{process} crashed on an illegal instruction (SIGILL)", process=process)
        case "SIGKILL":
            return tr(
                "{process} was killed from outside (SIGKILL), most likely because the machine ran out of memory",
                process=process,
            )
    return tr("{process} was terminated by signal {number} ({name})", process=process, number=number, name=name)
