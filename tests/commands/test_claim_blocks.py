from __future__ import annotations

import pytest
from rich.console import Console

from core.commands.claim_blocks import print_claim
from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr

STATEMENT = "FlashAttention reads and writes fewer bytes of HBM than standard attention, at every length that fits."
EVIDENCE = "9.98 MB against 59.2 MB (traced); tensor h.[red]0[/].w was the largest of those that both kernels touch."
SOURCE = "Dao et al. 2022 (arXiv 2205.14135), Theorem 2 and Figure 2 (left), which leaves out the statistics"


def printed(capsys: pytest.CaptureFixture[str], verdict: Verdict, expected: Verdict = Verdict.HOLDS) -> list[str]:
    claim = Claim("fewer-bytes", tr(STATEMENT), SOURCE, lambda _: Finding(verdict, EVIDENCE), expected)
    print_claim(Console(width=80), "flash-attention", claim, Finding(verdict, EVIDENCE))
    return capsys.readouterr().out.splitlines()


def test_that_a_claim_is_a_block_of_whole_lines_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, Verdict.HOLDS)
    assert lines[0].rstrip() == "holds  flash-attention: fewer-bytes"
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) == 1 + 3 * 2 + 1
    assert " ".join(" ".join(lines[1:]).split()) == f"{STATEMENT} {EVIDENCE} {SOURCE}"


@pytest.mark.parametrize(
    ("verdict", "expected", "heading"),
    [
        (Verdict.DOES_NOT_HOLD, Verdict.HOLDS, "does not hold (unexpected)  "),
        (Verdict.DOES_NOT_HOLD, Verdict.DOES_NOT_HOLD, "does not hold (as expected)  "),
        (Verdict.HOLDS, Verdict.DOES_NOT_HOLD, "holds (unexpected)  "),
    ],
)
def test_that_the_heading_says_whether_the_verdict_was_expected(
    capsys: pytest.CaptureFixture[str], verdict: Verdict, expected: Verdict, heading: str
) -> None:
    assert printed(capsys, verdict, expected)[0].startswith(heading)
