"""Claims on the bytes: HBM traffic, S and P, and how both grow."""

from __future__ import annotations

from itertools import pairwise

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text
from core.format import format_quantity
from core.wording import missing, provenance, quantity


def fewer_hbm_accesses(result: Result) -> Finding:
    """Holds when the traced kernels and the paper's configuration both move fewer bytes with flash."""
    names = ("standard.hbm_bytes", "flash.hbm_bytes", "paper.standard.hbm_bytes", "paper.flash.hbm_bytes")
    if untested := missing(result, *names):
        return untested
    standard, flash, paper_standard, paper_flash = (result.value(name) for name in names)
    fewer = flash < standard and paper_flash < paper_standard
    return Finding(
        Verdict.HOLDS if fewer else Verdict.DOES_NOT_HOLD,
        f"Standard attention moves {quantity(result, names[0])} and flash {quantity(result, names[1])}, "
        f"{standard / flash:.1f} times less ({provenance(result, names[1])}, forward); in the paper's configuration "
        f"{quantity(result, names[2])} and {quantity(result, names[3])} (modelled, forward and backward; the paper "
        "prints 40.3 and 4.4 GB).",
    )


def no_scores_in_hbm(result: Result) -> Finding:
    """Holds when not one byte of S or P is loaded or stored by the flash kernel."""
    names = ("flash.S_bytes", "flash.P_bytes", "standard.S_bytes", "standard.P_bytes")
    if untested := missing(result, *names):
        return untested
    flash_s, flash_p, standard_s, standard_p = (quantity(result, name) for name in names)
    none = result.value("flash.S_bytes") == 0 and result.value("flash.P_bytes") == 0
    return Finding(
        Verdict.HOLDS if none else Verdict.DOES_NOT_HOLD,
        f"Flash moves {flash_s} of S and {flash_p} of P through HBM; standard attention moves {standard_s} of S and "
        f"{standard_p} of P ({provenance(result, 'flash.S_bytes')}).",
    )


def gain_grows(result: Result) -> Finding:
    """Holds, towards a ceiling, when the ratio of the bytes rises from N/4 over N/2 to N."""
    steps = sorted(result.tables.get("sweep", []), key=lambda row: row["seq_len"])
    if len(steps) < 3:
        return Finding(Verdict.NOT_TESTED, "The sequence is too short to be cut in four: set seq_len to 256 or more.")
    ratios = [row["standard_bytes"] / row["flash_bytes"] for row in steps]
    saved = [row["standard_bytes"] - row["flash_bytes"] for row in steps]
    lengths = " / ".join(f"{row['seq_len']:,}" for row in steps)
    evidence = (
        f"At N = {lengths} flash moves {' / '.join(f'{ratio:.2f}' for ratio in ratios)} times fewer bytes and saves "
        f"{' / '.join(format_quantity(count, 'bytes') for count in saved)} a head (traced)"
    )
    if not all(later > earlier for earlier, later in pairwise(saved)):
        return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}: the saving does not grow.")
    if not all(later > earlier for earlier, later in pairwise(ratios)):
        return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}: the ratio does not grow.")
    return Finding(
        Verdict.HOLDS_WITH_LIMIT,
        f"{evidence}; both being quadratic in N, the ratio tends to {quantity(result, 'gain.limit')} (modelled).",
    )


def traffic_is_linear(result: Result) -> Finding:
    """It would hold if doubling N doubled the bytes of flash; what is linear is the memory it takes."""
    steps = sorted(result.tables.get("sweep", []), key=lambda row: row["seq_len"])
    if len(steps) < 3 or steps[-1]["seq_len"] < 8 * result.params["block_q"]:
        return Finding(
            Verdict.NOT_TESTED, "Too few tiles to tell a line from a parabola: set seq_len to 8 Q tiles or more."
        )
    growth = steps[-1]["flash_bytes"] / steps[-2]["flash_bytes"]
    evidence = (
        f"From N = {steps[-2]['seq_len']:,} to {steps[-1]['seq_len']:,} the bytes that flash moves grow {growth:.2f} "
        "times (traced); twice would be linear, four times is quadratic. The memory it takes is linear: no S, no P."
    )
    return Finding(Verdict.HOLDS if growth < 2.2 else Verdict.DOES_NOT_HOLD, evidence)


_DAO = "Dao et al. 2022 (arXiv 2205.14135)"

MEMORY_CLAIMS = (
    Claim(
        id="fewer-hbm-accesses",
        statement=Text(
            "What FlashAttention saves is HBM accesses (40.3 to 4.4 GB in the paper).",
            "FlashAttention 节省的是 HBM 访问量（论文：从 40.3 GB 降到 4.4 GB）。",
        ),
        source=f"{_DAO}, Theorem 2 and Figure 2 (left)",
        test=fewer_hbm_accesses,
    ),
    Claim(
        id="no-scores-in-hbm",
        statement=Text(
            "The score matrix S and the probabilities P are never written to HBM.",
            "分数矩阵 S 与概率矩阵 P 从不写入 HBM。",
        ),
        source=f"{_DAO}, section 3.1",
        test=no_scores_in_hbm,
    ),
    Claim(
        id="gain-grows-with-length",
        statement=Text(
            "The longer the sequence, the more FlashAttention gains.", "序列越长，FlashAttention 的收益越大。"
        ),
        source=f"{_DAO}, section 3.2 and Figure 3",
        test=gain_grows,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="traffic-is-linear",
        statement=Text(
            "FlashAttention makes the memory traffic of attention linear in the sequence length.",
            "FlashAttention 使注意力的访存量随序列长度线性增长。",
        ),
        source=f"A mix-up of memory, which is linear, and accesses, which are Θ(N²d²/M): {_DAO}, Theorems 1 and 2",
        test=traffic_is_linear,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
