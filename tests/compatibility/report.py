"""The table of results, as docs/compatibility.md shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.compatibility.case_files import FOLDER, CaseFile, version_of
from tests.compatibility.running import Outcome

REQUIRED_SHARE = 0.97
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"

Results = Mapping[CaseFile, Sequence[Outcome]]


def passed_share(results: Results) -> float:
    each = [outcome for outcomes in results.values() for outcome in outcomes]
    return sum(not outcome.problem for outcome in each) / max(len(each), 1)


def table(results: Results) -> str:
    lines = ["| packages | cases | passed | kernels launched |", "| --- | ---: | ---: | ---: |"]
    for file, outcomes in results.items():
        packages = ", ".join(f"{package} {version_of(package)}" for package in file.packages)
        lines.append(f"| {packages} ({file.name}) | {len(outcomes)} | {_passed(outcomes)} | {_launches(outcomes)} |")
    every = [outcome for outcomes in results.values() for outcome in outcomes]
    share = f"{_passed(every)} ({passed_share(results):.1%})"
    lines.append(f"| **all** | **{len(every)}** | **{share}** | **{_launches(every)}** |")
    failures = _listed(results, lambda outcome: outcome.problem)
    findings = _listed(results, lambda outcome: outcome.finding)
    lines += ["", *(["Not passed:", "", *failures] if failures else ["All cases passed."])]
    return "\n".join(
        [*lines, *(["", "What the sanitizer finds in these packages:", "", *findings] if findings else [])]
    )


def _listed(results: Results, sentence: Callable[[Outcome], str]) -> list[str]:
    return [
        f"- `{file.name}::{outcome.case}`: {_sentence(sentence(outcome))}"
        for file, outcomes in results.items()
        for outcome in outcomes
        if sentence(outcome)
    ]


def write(results: Results) -> None:
    """Replace the results in the document, and the versions that they were made with."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text.split(_BEGIN)[0], text.split(_END)[1]
    versions = f"With torch {version_of('torch')} and triton {version_of('triton')}, on a CPU:"
    DOCUMENT.write_text(f"{before}{_BEGIN}\n{versions}\n\n{table(results)}\n{_END}{after}", encoding="utf-8")


def _passed(outcomes: Sequence[Outcome]) -> int:
    return sum(not outcome.problem for outcome in outcomes)


def _launches(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome.launches for outcome in outcomes)


def _sentence(problem: str) -> str:
    """One line, with paths relative to the folder of a package, or to the user's home."""
    words = " ".join(problem.replace(f"{FOLDER}/", "").replace(f"{Path.home()}/", "~/").split())
    return " ".join(word.rpartition("site-packages/")[2] for word in words.split(" "))
