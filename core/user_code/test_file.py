"""Runs a user's test file with their pytest, in this process."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence

from core.contracts.errors import MissingRequirement, RunFailed
from core.contracts.text import tr
from core.user_code.loading import as_if_alone
from core.user_code.paths import shown
from core.user_code.source import Source

TESTS = "__pytest__"
"""In place of a function: the tests of the file, run with pytest."""

_TESTS_FAILED = 1


def run_tests(source: Source, arguments: Sequence[str] = ()) -> None:
    """Run the file's tests as `pytest FILE ARGUMENTS` would, with the same configuration and conftest files.

    pytest prints its report to stdout. Tests stay in this process, because launches of others are not seen. Raises
    MissingRequirement without pytest, and RunFailed if tests fail or pytest cannot run them.
    """
    if importlib.util.find_spec("pytest") is None:
        raise MissingRequirement(
            tr("pytest is missing in the environment of Tilescope: install it there, with what your tests import.")
        )
    options = ["-p", "no:cacheprovider", "-p", "no:faulthandler", "--capture=sys"]
    if importlib.util.find_spec("xdist") is not None:
        options.append("-n0")
    with as_if_alone(source.path, ()):
        pytest = importlib.import_module("pytest")
        code = int(pytest.main([str(source.path), *options, *arguments]))
    if code == _TESTS_FAILED:
        raise RunFailed(tr("Tests of {file} fail: see the report of pytest.", file=shown(source.path)))
    if code:
        raise RunFailed(
            tr(
                "pytest ended with exit code {code} for {file}: see its report.",
                code=code,
                file=shown(source.path),
            )
        )
