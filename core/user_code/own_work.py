"""Tells an error inside Tilescope from one of the user's code, while both run in the same process."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from core.contracts.errors import InternalError, TilescopeError
from core.contracts.text import Text, tr
from core.installation import command
from core.out_of_memory import is_out_of_memory
from core.outside import described
from core.user_code.paths import shown
from core.user_code.stack import is_own_fault


@contextmanager
def own_work(subject: Text | str) -> Iterator[None]:
    """Inside the block, Tilescope works on `subject`. What fails there becomes an InternalError.

    Errors that are sentences already, exhausted memory, and what code of the user raises from inside, pass.
    """
    try:
        yield
    except TilescopeError:
        raise
    except Exception as error:
        if is_out_of_memory(error) or not is_own_fault(error):
            raise
        raise InternalError(_sentence(subject, error)) from error


def _sentence(subject: Text | str, error: Exception) -> Text:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    location = f"{shown(frame.filename)}:{frame.lineno}"
    return tr(
        "Tilescope itself failed while it worked on {subject} ({error}, {location}). The fault is not in your code: "
        "please report it with the output of `{command}`.",
        subject=subject,
        error=described(error),
        location=location,
        command=command("trace --traceback"),
    )
