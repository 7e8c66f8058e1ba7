"""How a process ended, in words."""

from __future__ import annotations

import signal

_HINTS = {
    "SIGSEGV": "crashed with a segmentation fault (SIGSEGV)",
    "SIGBUS": "crashed on a bad memory access (SIGBUS)",
    "SIGABRT": "aborted (SIGABRT)",
    "SIGFPE": "crashed on an arithmetic fault (SIGFPE)",
    "SIGILL": "crashed on an illegal instruction (SIGILL)",
    "SIGKILL": "was killed from outside (SIGKILL), most likely because the machine ran out of memory",
}


def exit_reason(exitcode: int | None) -> str:
    """The rest of a sentence that begins with 'The worker process'.

    `exitcode` as in multiprocessing: negative for a signal, 255 or None when it is not known.
    """
    if exitcode is None or exitcode == 255:
        return "ended with an unknown exit code"
    if exitcode >= 0:
        return f"exited with code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        return f"was terminated by signal {-exitcode}"
    return _HINTS.get(name, f"was terminated by signal {-exitcode} ({name})")
