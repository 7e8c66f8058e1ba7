"""Claims on what is stored, and on the precision of the arithmetic."""

from __future__ import annotations

import math

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Provenance
from core.contracts.text import Text, sentences, tr
from core.format import quantity as quantity_of
from core.topics.quantization.result import PAPER_BLOCK, PAPER_NESTED, QuantizationResult
from core.wording import missing, provenance, quantity

QLORA = "Dettmers et al. 2023 (arXiv 2305.14314)"

_PAPER_BITS = (0.5, 0.127, 0.373)
_LITTLE_DB, _MUCH_DB = 0.1, 1.0
"""In SNR. The 0.373 bits that double quantization saves are worth 2.2 dB, at 6 dB per bit."""


def stores_four_bits(result: QuantizationResult) -> Finding:
    """Holds when the traced matmul reads half a byte per weight and multiplies bf16 tiles."""
    names = ("matmul.code_bytes", "matmul.weights", "matmul.computes_bf16", "matmul.scale_bytes")
    if untested := _not_traced(result, *names):
        return untested
    bits = 8 * result.value("matmul.code_bytes") / result.value("matmul.weights")
    computes = bool(result.value("matmul.computes_bf16"))
    reads = tr(
        "For {weights:,} weights the kernel reads {codes} of codes, which is {bits:.3g} bits per weight, and {scales} "
        "of scales ({provenance}).",
        weights=int(result.value("matmul.weights")),
        codes=quantity(result, "matmul.code_bytes"),
        bits=bits,
        scales=quantity(result, "matmul.scale_bytes"),
        provenance=provenance(result, "matmul.code_bytes"),
    )
    in_bf16 = tr("In bf16 the weights would take {bytes}.", bytes=quantity(result, "matmul.weight_bytes_bf16"))
    if computes:
        product = tr("The kernel's tl.dot multiplies bf16 tiles, which are dequantized on chip.")
    else:
        product = tr("The kernel's tl.dot multiplies tiles of a type other than bf16.")
    holds = math.isclose(bits, 4) and computes
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, sentences(reads, in_bf16, product))


def saves_bits(result: QuantizationResult) -> Finding:
    """Holds when the bits that are really stored at the paper's block sizes round to the numbers of the paper."""
    names = ("stored.plain_bits", "stored.nested_bits")
    if untested := _not_traced(result, *names):
        return untested
    code_bits = 4
    plain, nested = (result.value(name) - code_bits for name in names)
    as_printed = all(
        abs(bits - printed) < 5e-4 for bits, printed in zip((plain, nested, plain - nested), _PAPER_BITS, strict=True)
    )
    evidence = tr(
        "NF4 in blocks of {block}, with scales in groups of {group}: in the stored tensors the scales take {plain:.4g} "
        "bits per parameter without double quantization and {nested:.4g} with it, which saves {saved:.4g} "
        "({provenance}).",
        block=PAPER_BLOCK,
        group=PAPER_NESTED,
        plain=plain,
        nested=nested,
        saved=plain - nested,
        provenance=provenance(result, names[0]),
    )
    block, group = result.params.block_size, result.params.nested_block
    if (block, group) != (PAPER_BLOCK, PAPER_NESTED) and "scales.saved_bits" in result.metrics:
        chosen = tr(
            "With the chosen block sizes {block} and {group}, {plain} become {nested}, which saves {saved} "
            "({provenance}).",
            block=block,
            group=group,
            plain=quantity(result, "scales.plain_bits"),
            nested=quantity(result, "scales.nested_bits"),
            saved=quantity(result, "scales.saved_bits"),
            provenance=Provenance.MODELLED.label,
        )
        evidence = sentences(evidence, chosen)
    return Finding(Verdict.HOLDS if as_printed else Verdict.DOES_NOT_HOLD, evidence)


def costs_little(result: QuantizationResult) -> Finding:
    """Holds when double quantization lowers the SNR of NF4 by less than `_LITTLE_DB` at every block size. Does not hold
    when it lowers it by `_MUCH_DB` or more at some block size; holds with a limit in between."""
    points = [point for point in result.sweep if point.format == "nf4"]
    plain, nested = (
        {point.block_size: point.snr_db for point in points if point.nested is is_nested and point.snr_db is not None}
        for is_nested in (False, True)
    )
    losses = {size: snr_db - nested[size] for size, snr_db in plain.items() if size in nested}
    if not losses:
        return Finding(
            Verdict.NOT_TESTED,
            tr("This run did not measure NF4 with and without double quantization: turn double quantization on."),
        )
    worst = max(losses, key=lambda size: losses[size])
    evidence = tr(
        "Double quantization lowers the SNR of NF4 on these weights by at most {loss}, at blocks of {worst} "
        "({provenance}, block sizes {smallest} to {largest}).",
        loss=quantity_of(losses[worst], "dB"),
        worst=worst,
        provenance=Provenance.MEASURED_CPU.label,
        smallest=min(losses),
        largest=max(losses),
    )
    if losses[worst] >= _MUCH_DB:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    return Finding(Verdict.HOLDS if losses[worst] < _LITTLE_DB else Verdict.HOLDS_WITH_LIMIT, evidence)


def _not_traced(result: QuantizationResult, *names: str) -> Finding | None:
    """The finding if the run lacks these metrics of the kernels, else None."""
    if (untested := missing(result, *names)) and not result.params.kernels:
        return Finding(
            Verdict.NOT_TESTED, tr("This run did not trace the Triton kernels: turn on Triton kernels and run again.")
        )
    return untested


def qlora(section: Text) -> Text:
    """A citation of the QLoRA paper."""
    return tr("{paper}, {section}", paper=QLORA, section=section)


STORAGE_CLAIMS = (
    Claim(
        id="stores-4-bits-computes-bf16",
        statement=tr(
            "QLoRA stores weights in 4 bits and computes in bf16: weights are dequantized first, then multiplied.",
        ),
        source=qlora(tr("section 3, equation 5")),
        test=stores_four_bits,
    ),
    Claim(
        id="double-quantization-saves",
        statement=tr(
            "Double quantization saves 0.373 bits per parameter: the scales take 0.127 bits instead of 0.5.",
        ),
        source=qlora(tr("section 3")),
        test=saves_bits,
    ),
    Claim(
        id="double-quantization-costs-little",
        statement=tr(
            "Double quantization saves memory without degrading accuracy.",
        ),
        source=qlora(tr("section 4 (Table 3: no degradation)")),
        test=costs_little,
    ),
)
