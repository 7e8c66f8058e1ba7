"""Claims on which format is nearest to the weights, tested on a control that depends on no parameter but the seed."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Provenance
from core.contracts.text import Text, listed, sentences, tr
from core.topics.quantization.claims.storage import QLORA, qlora
from core.topics.quantization.labels import DISTRIBUTION_LABELS, FORMAT_LABELS
from core.topics.quantization.result import QuantizationResult

_SYMMETRIC_RIVALS = ("fp4-e2m1", "fp4-e3m0", "int4")
_RIVALS = (*_SYMMETRIC_RIVALS, "int4-affine")

SnrByCase = dict[tuple[str, str, int], float]
"""SNR in dB by distribution, format and block size."""


def best_on_normal(result: QuantizationResult) -> Finding:
    """Holds when NF4's SNR on normal weights is above FP4's and symmetric INT4's at every block size."""
    snr = _snr(result)
    if not snr:
        return _untested()
    sizes = sorted({size for _, _, size in snr})
    leads = {
        rival: min(snr["normal", "nf4", size] - snr["normal", rival, size] for size in sizes)
        for rival in _SYMMETRIC_RIVALS
    }
    at_64 = listed(
        tr("{format} {snr:.2f} dB", format=FORMAT_LABELS[name], snr=snr["normal", name, 64])
        for name in ("nf4", *_SYMMETRIC_RIVALS)
    )
    lead_texts = listed(
        tr("{lead:.2f} dB over {format}", lead=lead, format=FORMAT_LABELS[rival]) for rival, lead in leads.items()
    )
    evidence = sentences(
        tr(
            "SNR on normal weights in blocks of 64: {at_64} ({provenance}).",
            at_64=at_64,
            provenance=Provenance.MEASURED_CPU.label,
        ),
        tr(
            "Over blocks of {smallest} to {largest} weights the lead of NF4 is at least {leads}.",
            smallest=sizes[0],
            largest=sizes[-1],
            leads=lead_texts,
        ),
    )
    if min(leads.values()) <= 0:
        return Finding(Verdict.HOLDS_WITH_LIMIT if _leads_at(snr, 64) else Verdict.DOES_NOT_HOLD, evidence)
    behind = [size for size in sizes if snr["normal", "int4-affine", size] > snr["normal", "nf4", size]]
    if behind:
        affine = tr(
            "INT4 affine, which stores two numbers per block, is ahead of NF4 at blocks of {sizes}.",
            sizes=listed(map(str, behind)),
        )
        return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, affine))
    return Finding(Verdict.HOLDS, evidence)


def best_on_anything(result: QuantizationResult) -> Finding:
    """Would hold if no other 4-bit format were nearer on any distribution at any block size."""
    snr = _snr(result)
    if not snr:
        return _untested()
    lost = sorted(
        (snr[distribution, rival, size] - snr_of_nf4, distribution, rival, size)
        for (distribution, name, size), snr_of_nf4 in snr.items()
        if name == "nf4"
        for rival in _RIVALS
        if snr[distribution, rival, size] > snr_of_nf4
    )
    if not lost:
        none_nearer = tr(
            "No other 4-bit format is nearer to the weights than NF4 in any tested case ({provenance}).",
            provenance=Provenance.MEASURED_CPU.label,
        )
        return Finding(Verdict.HOLDS, none_nearer)
    cases = len({(distribution, size) for distribution, _, size in snr})
    beaten = len({(distribution, size) for _, distribution, _, size in lost})
    lead, distribution, rival, size = lost[-1]
    evidence = sentences(
        tr(
            "In {beaten} of {cases} cases another 4-bit format is nearer to the weights than NF4 ({provenance}).",
            beaten=beaten,
            cases=cases,
            provenance=Provenance.MEASURED_CPU.label,
        ),
        tr(
            "The largest lead is that of {format} on weights of the {distribution} distribution in blocks of {size}: "
            "{lead:.2f} dB.",
            format=FORMAT_LABELS[rival],
            distribution=DISTRIBUTION_LABELS[distribution],
            size=size,
            lead=lead,
        ),
        tr("Formats ahead of NF4: {leaders}.", leaders=listed(_leaders(lost))),
        tr("INT4 affine spends 64 bits per block on its scale, the others 32."),
    )
    return Finding(Verdict.DOES_NOT_HOLD, evidence)


def _leaders(lost: list[tuple[float, str, str, int]]) -> list[Text]:
    """The formats ahead of NF4 by distribution, with the block sizes at which they lead."""
    winners: dict[tuple[str, str], list[int]] = {}
    for _, distribution, rival, size in lost:
        winners.setdefault((distribution, rival), []).append(size)
    return [_leader(distribution, rival, sorted(sizes)) for (distribution, rival), sizes in sorted(winners.items())]


def _leader(distribution: str, rival: str, sizes: list[int]) -> Text:
    labels = {"distribution": DISTRIBUTION_LABELS[distribution], "format": FORMAT_LABELS[rival]}
    if len(sizes) < 4:
        sizes_text = " / ".join(map(str, sizes))
        return tr("{format} on {distribution} weights (blocks of {sizes})", sizes=sizes_text, **labels)
    return tr(
        "{format} on {distribution} weights (blocks of {smallest} to {largest}, {count} sizes)",
        smallest=sizes[0],
        largest=sizes[-1],
        count=len(sizes),
        **labels,
    )


def _leads_at(snr: SnrByCase, size: int) -> bool:
    return all(snr["normal", "nf4", size] > snr["normal", rival, size] for rival in _SYMMETRIC_RIVALS)


def _snr(result: QuantizationResult) -> SnrByCase:
    return {
        (row.distribution, row.format, row.block_size): row.snr_db
        for row in result.distributions
        if row.snr_db is not None
    }


def _untested() -> Finding:
    return Finding(Verdict.NOT_TESTED, tr("This run did not quantize the distributions: run the page to the end."))


ACCURACY_CLAIMS = (
    Claim(
        id="nf4-beats-fp4-and-int4",
        statement=tr(
            "On normally distributed weights NF4 loses less than FP4 and INT4.",
        ),
        source=qlora(tr("section 3 and section 4 (4-bit NormalFloat)")),
        test=best_on_normal,
    ),
    Claim(
        id="nf4-is-always-best",
        statement=tr(
            "NF4 is the best 4-bit format, whatever the weights and the block size.",
        ),
        source=tr(
            "Often taught; corrected by {paper}, section 3, which claims optimality only for normally distributed "
            "weights",
            paper=QLORA,
        ),
        test=best_on_anything,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
