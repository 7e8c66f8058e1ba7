"""How a process ended, in words."""

from __future__ import annotations

import signal
from dataclasses import replace

from core.contracts.text import Text, tr

WORKER = tr("The worker process")

_BY_SIGNAL = {
    "SIGSEGV": tr("{process} crashed with a segmentation fault (SIGSEGV)"),
    "SIGBUS": tr("{process} crashed on a bad memory access (SIGBUS)"),
    "SIGABRT": tr("{process} aborted (SIGABRT)"),
    "SIGFPE": tr("{process} crashed on an arithmetic fault (SIGFPE)"),
    "SIGILL": tr("{process} crashed on an illegal instruction (SIGILL)"),
    "SIGKILL": tr("{process} was killed from outside (SIGKILL), most likely because the machine ran out of memory"),
}


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
    if name in _BY_SIGNAL:
        return replace(_BY_SIGNAL[name], values=(("process", process),))
    return tr("{process} was terminated by signal {number} ({name})", process=process, number=number, name=name)
