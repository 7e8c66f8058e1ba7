"""The cases: every public function of the files `cases_*.py` in this folder, found without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class CaseFile:
    """One file. `packages` are the distributions whose operations it calls."""

    path: Path
    title: str
    packages: tuple[str, ...]
    cases: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.stem.removeprefix("cases_")

    @property
    def is_installed(self) -> bool:
        return all(version_of(package) for package in self.packages)


def case_files() -> tuple[CaseFile, ...]:
    return tuple(_read(path) for path in sorted(FOLDER.glob("cases_*.py")))


def version_of(package: str) -> str:
    """'' if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _read(path: Path) -> CaseFile:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    packages = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PACKAGES"
    )
    cases = tuple(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    )
    return CaseFile(path, " ".join((ast.get_docstring(tree) or "").split()), packages, cases)
