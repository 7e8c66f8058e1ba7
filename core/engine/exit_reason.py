"""How the worker process ended, in words."""

from __future__ import annotations

import signal

from core.contracts.text import Text, tr

_BY_SIGNAL = {
    "SIGSEGV": tr("The worker process crashed with a segmentation fault (SIGSEGV)"),
    "SIGBUS": tr("The worker process crashed on a bad memory access (SIGBUS)"),
    "SIGABRT": tr("The worker process aborted (SIGABRT)"),
    "SIGFPE": tr("The worker process crashed on an arithmetic fault (SIGFPE)"),
    "SIGILL": tr("The worker process crashed on an illegal instruction (SIGILL)"),
    "SIGKILL": tr(
        "The worker process was killed from outside (SIGKILL), most likely because the machine ran out of memory"
    ),
}


def exit_reason(exitcode: int | None) -> Text:
    """A clause that can be a sentence or the beginning of one.

    `exitcode` as in multiprocessing: negative for a signal, 255 or None when it is not known.
    """
    if exitcode is None or exitcode == 255:
        return tr("The worker process ended with an unknown exit code")
    if exitcode >= 0:
        return tr("The worker process exited with code {code}", code=exitcode)
    number = -exitcode
    try:
        name = signal.Signals(number).name
    except ValueError:
        return tr("The worker process was terminated by signal {number}", number=number)
    return _BY_SIGNAL.get(name) or tr(
        "The worker process was terminated by signal {number} ({name})", number=number, name=name
    )
