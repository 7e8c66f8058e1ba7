"""Prints a tested claim on the command line: one block of lines, readable at 80 columns."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from core.commands.wrapping import wrapped
from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import EMPTY, tr

_VERDICT_STYLES = {
    Verdict.HOLDS: "green",
    Verdict.HOLDS_WITH_LIMIT: "yellow",
    Verdict.DOES_NOT_HOLD: "red",
    Verdict.NOT_TESTED: "dim",
}


def print_claim(console: Console, topic_id: str, claim: Claim, finding: Finding) -> None:
    """Verdict and id on the first line, then statement, evidence and source, each on its own lines."""
    verdict = finding.verdict
    mark = EMPTY
    if claim.is_surprised_by(finding):
        mark = tr(" (unexpected)")
    elif verdict is Verdict.DOES_NOT_HOLD:
        mark = tr(" (as expected)")
    style = _VERDICT_STYLES[verdict]
    heading = Text.assemble((str(verdict.label), style), str(mark), (f"  {topic_id}: {claim.id}", "bold"))
    console.print(heading, highlight=False)
    for text, style in ((claim.statement, ""), (finding.evidence, ""), (claim.source, "dim")):
        for line in wrapped(str(text), console.width - 2):
            console.print(Text(f"  {line}", style), soft_wrap=True)
    console.print()
