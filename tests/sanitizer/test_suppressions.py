"""Suppression comments: which are accepted, and what is said of the others."""

from __future__ import annotations

import pytest

from core.sanitizer.kinds import KINDS
from core.sanitizer.suppressions import suppressions


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.slug)
def test_that_a_kind_is_accepted_by_its_id_and_by_its_slug(kind: object) -> None:
    for name in (kind.id, kind.slug):  # type: ignore[attr-defined]
        (found,) = suppressions(f"x = 1\ny = 2  # tilescope: ignore[{name}] for a reason\n")
        assert (found.line, found.kinds, found.reason, found.problem) == (2, {kind.id}, "for a reason", None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("ignore[equal stores]", "has no reason"),
        ("ignore", "names no kind"),
        ("ignore[] why", "names no kind"),
        ("ignore[equal stores, races] why", "“races”"),
    ],
)
def test_that_what_is_not_accepted_says_why(comment: str, problem: str) -> None:
    (found,) = suppressions(f"x = 1  # tilescope: {comment}\n")
    assert problem.strip("“”") in str(found.problem)


def test_that_a_string_is_no_comment_and_broken_code_is_no_error() -> None:
    assert suppressions('text = "# tilescope: ignore[equal stores] why"\n') == ()
    assert suppressions("def f(:\n  '''open\n") == ()
