"""Claims on what is stored, and on what is computed with."""

from __future__ import annotations

import math

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.format import format_quantity
from core.topics.quantization.result import PAPER_BLOCK, PAPER_NESTED, QuantizationResult
from core.wording import missing, provenance, quantity
from kernels.quantization.formats import FORMATS

QLORA = "Dettmers et al. 2023 (arXiv 2305.14314)"

_PAPER_BITS = (0.5, 0.127, 0.373)
_LITTLE_DB, _MUCH_DB = 0.1, 1.0
"""In SNR. The 0.373 bits that double quantization saves are worth 2.2 dB, at 6 dB a bit."""

LABELS = {name.value: format_.label for name, format_ in FORMATS.items()}
"""What evidence calls the formats."""


def stores_four_bits(result: QuantizationResult) -> Finding:
    """Holds when the traced matmul reads half a byte per weight and multiplies bf16 tiles."""
    names = ("matmul.code_bytes", "matmul.weights", "matmul.computes_bf16", "matmul.scale_bytes")
    if untested := _not_traced(result, *names):
        return untested
    bits = 8 * result.value("matmul.code_bytes") / result.value("matmul.weights")
    computes = bool(result.value("matmul.computes_bf16"))
    evidence = (
        f"The kernel reads {quantity(result, 'matmul.code_bytes')} of codes for "
        f"{int(result.value('matmul.weights')):,} weights, {bits:.3g} bits each "
        f"({provenance(result, 'matmul.code_bytes')}), and {quantity(result, 'matmul.scale_bytes')} of scales; in bf16 "
        f"they would be {quantity(result, 'matmul.weight_bytes_bf16')}. Its tl.dot takes "
        f"{'bf16 tiles, restored on the chip' if computes else 'tiles of another type'}."
    )
    return Finding(Verdict.HOLDS if math.isclose(bits, 4) and computes else Verdict.DOES_NOT_HOLD, evidence)


def saves_bits(result: QuantizationResult) -> Finding:
    """Holds when what is really stored at the paper's block sizes comes to the paper's numbers, as they are printed."""
    names = ("stored.plain_bits", "stored.nested_bits")
    if untested := _not_traced(result, *names):
        return untested
    code_bits = 4
    plain, nested = (result.value(name) - code_bits for name in names)
    as_printed = all(
        abs(bits - printed) < 5e-4 for bits, printed in zip((plain, nested, plain - nested), _PAPER_BITS, strict=True)
    )
    evidence = (
        f"NF4 in blocks of {PAPER_BLOCK}, scales in groups of {PAPER_NESTED}, by the bytes of the stored tensors: "
        f"{plain:.4g} bits of scales per parameter become {nested:.4g}, {plain - nested:.4g} less "
        f"({provenance(result, names[0])})."
    )
    block, group = result.params.block_size, result.params.nested_block
    if (block, group) != (PAPER_BLOCK, PAPER_NESTED) and "scales.saved_bits" in result.metrics:
        evidence += (
            f" With the chosen {block} and {group}: {quantity(result, 'scales.plain_bits')} become "
            f"{quantity(result, 'scales.nested_bits')}, {quantity(result, 'scales.saved_bits')} less (modelled)."
        )
    return Finding(Verdict.HOLDS if as_printed else Verdict.DOES_NOT_HOLD, evidence)


def costs_little(result: QuantizationResult) -> Finding:
    """Holds when quantizing the scales lowers the SNR of NF4 by less than `_LITTLE_DB` at every block size; does not
    hold when it lowers it by `_MUCH_DB` or more at one; with a limit between the two."""
    points = [point for point in result.sweep if point.format == "nf4"]
    plain, nested = (
        {point.block_size: point.snr_db for point in points if point.nested is way and point.snr_db is not None}
        for way in (False, True)
    )
    pairs = {size: snr_db - nested[size] for size, snr_db in plain.items() if size in nested}
    if not pairs:
        return Finding(
            Verdict.NOT_TESTED, "This run did not measure NF4 with and without double quantization: turn it on."
        )
    worst = max(pairs, key=lambda size: pairs[size])
    evidence = (
        f"NF4 of these weights loses at most {format_quantity(pairs[worst], 'dB')} to quantized scales, at blocks of "
        f"{worst} (measured (CPU), block sizes {min(pairs)} to {max(pairs)})."
    )
    if pairs[worst] >= _MUCH_DB:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    return Finding(Verdict.HOLDS if pairs[worst] < _LITTLE_DB else Verdict.HOLDS_WITH_LIMIT, evidence)


def _not_traced(result: QuantizationResult, *names: str) -> Finding | None:
    """The finding when the run lacks these metrics of the kernels, else None."""
    if (untested := missing(result, *names)) and not result.params.kernels:
        return Finding(Verdict.NOT_TESTED, "This run did not trace the Triton kernels: switch Triton kernels on.")
    return untested


STORAGE_CLAIMS = (
    Claim(
        id="stores-4-bits-computes-bf16",
        statement=tr(
            "QLoRA stores weights in 4 bits and computes in bf16: they are dequantized, then multiplied.",
        ),
        source=f"{QLORA}, section 3, equation 5",
        test=stores_four_bits,
    ),
    Claim(
        id="double-quantization-saves",
        statement=tr(
            "Double quantization saves 0.373 bits per parameter: 0.5 bits of scales become 0.127.",
        ),
        source=f"{QLORA}, section 3",
        test=saves_bits,
    ),
    Claim(
        id="double-quantization-costs-little",
        statement=tr(
            "Double quantization saves memory without degrading accuracy.",
        ),
        source=f"{QLORA}, section 4 (Table 3: no degradation)",
        test=costs_little,
    ),
)
