"""Kernels as each version of Triton prints them parse, and every operation is known, with any version installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.interpreter.inlining import inlined
from core.interpreter.parser import parse_module
from core.interpreter.plan import plan

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ttir"
PRINTED = sorted(FIXTURES.glob("*/*.ttir"))


def test_that_every_version_has_the_same_kernels() -> None:
    names = {
        folder.name: sorted(path.name for path in folder.iterdir()) for folder in FIXTURES.iterdir() if folder.is_dir()
    }
    assert {"3.6.0", "3.7.1", "3.9.0"} <= set(names)
    assert len({tuple(kernels) for kernels in names.values()}) == 1


@pytest.mark.parametrize("path", PRINTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_that_every_operation_is_read_and_known(path: Path) -> None:
    module = parse_module(path.read_text())
    function = inlined(module)
    assert plan(function).body.steps
    accesses = [
        op for op in function.body.walk() if op.name in ("tt.load", "tt.store", "tt.atomic_rmw", "tt.atomic_cas")
    ]
    assert accesses
    assert all(access.location.file.startswith("/src/") and access.location.line for access in accesses)


@pytest.mark.parametrize("name", sorted({path.name for path in PRINTED}))
def test_that_the_versions_agree_on_accesses(name: str) -> None:
    """Other operations differ: each version folds and names things in its own way."""
    accesses = set()
    for version in ("3.6.0", "3.7.1", "3.9.0"):
        function = inlined(parse_module((FIXTURES / version / name).read_text()))
        accessing = [op for op in function.body.walk() if op.name.startswith(("tt.load", "tt.store", "tt.atomic"))]
        accesses.add(tuple((op.name, str(op.operands[0].type), op.location.line) for op in accessing))
    assert len(accesses) == 1
