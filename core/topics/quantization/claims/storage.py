"""Claims on what is stored, and on what is computed with."""

from __future__ import annotations

import math

from core.claims import Claim, Finding, Verdict
from core.format import format_quantity
from core.result import Result
from core.text import Text
from core.wording import missing, provenance, quantity

QLORA = "Dettmers et al. 2023 (arXiv 2305.14314)"

_PAPER_BITS = (0.5, 0.127, 0.373)
_PAPER_BLOCK, _PAPER_NESTED = 64, 256
_LITTLE_DB = 0.1


def stores_four_bits(result: Result) -> Finding:
    """Holds when the traced matmul reads half a byte a weight and multiplies bf16 tiles."""
    names = ("matmul.code_bytes", "matmul.weights", "matmul.computes_bf16")
    if untested := missing(result, *names):
        return untested
    bits = 8 * result.value("matmul.code_bytes") / result.value("matmul.weights")
    computes = bool(result.value("matmul.computes_bf16"))
    evidence = (
        f"The kernel reads {quantity(result, 'matmul.code_bytes')} of codes for "
        f"{int(result.value('matmul.weights')):,} weights, {bits:.3g} bits each "
        f"({provenance(result, 'matmul.code_bytes')}); its products take "
        f"{'bf16 tiles, restored on the chip' if computes else 'tiles of another type'}."
    )
    return Finding(Verdict.HOLDS if math.isclose(bits, 4) and computes else Verdict.DOES_NOT_HOLD, evidence)


def saves_bits(result: Result) -> Finding:
    """Holds when the formula gives the paper's numbers at its block sizes; other block sizes save another amount."""
    names = ("scales.plain_bits", "scales.nested_bits", "scales.saved_bits")
    if untested := missing(result, *names):
        return untested
    plain = 32 / _PAPER_BLOCK
    nested = 8 / _PAPER_BLOCK + 32 / (_PAPER_BLOCK * _PAPER_NESTED)
    as_printed = all(abs(a - b) < 5e-4 for a, b in zip((plain, nested, plain - nested), _PAPER_BITS, strict=True))
    evidence = (
        f"Blocks of {_PAPER_BLOCK} with scales in groups of {_PAPER_NESTED}: {plain:g} bits become {nested:.4g}, "
        f"{plain - nested:.4g} less (modelled)."
    )
    block, group = result.params["block_size"], result.params["nested_block"]
    if (block, group) != (_PAPER_BLOCK, _PAPER_NESTED):
        evidence += (
            f" With the chosen {block} and {group}: {quantity(result, names[0])} become {quantity(result, names[1])}, "
            f"{quantity(result, names[2])} less."
        )
    return Finding(Verdict.HOLDS if as_printed else Verdict.DOES_NOT_HOLD, evidence)


def costs_little(result: Result) -> Finding:
    """Holds when quantizing the scales lowers the SNR of NF4 by less than `_LITTLE_DB` at every block size."""
    rows = {(row["block_size"], row["nested"]): row for row in result.tables.get("sweep", []) if row["format"] == "nf4"}
    pairs = {
        size: row["snr_db"] - rows[size, True]["snr_db"]
        for (size, nested), row in rows.items()
        if not nested and (size, True) in rows and row["snr_db"] is not None and rows[size, True]["snr_db"] is not None
    }
    if not pairs:
        return Finding(
            Verdict.NOT_TESTED, "This run did not measure NF4 with and without double quantization: turn it on."
        )
    worst = max(pairs, key=lambda size: pairs[size])
    evidence = (
        f"NF4 of these weights loses at most {format_quantity(pairs[worst], 'dB')} to quantized scales, at blocks of "
        f"{worst} (measured (CPU), block sizes {min(pairs)} to {max(pairs)})."
    )
    return Finding(Verdict.HOLDS if pairs[worst] < _LITTLE_DB else Verdict.HOLDS_WITH_LIMIT, evidence)


STORAGE_CLAIMS = (
    Claim(
        id="stores-4-bits-computes-bf16",
        statement=Text(
            "QLoRA stores weights in 4 bits and computes in bf16: they are dequantized, then multiplied.",
            "QLoRA 以 4 bit 存储权重、以 bf16 计算：先反量化，再做矩阵乘。",
        ),
        source=f"{QLORA}, section 3, equation 5",
        test=stores_four_bits,
    ),
    Claim(
        id="double-quantization-saves",
        statement=Text(
            "Double quantization saves 0.373 bits a parameter: 0.5 bits of scales become 0.127.",
            "双重量化每个参数节省 0.373 bit：缩放系数从 0.5 bit 降到 0.127 bit。",
        ),
        source=f"{QLORA}, section 3",
        test=saves_bits,
    ),
    Claim(
        id="double-quantization-costs-little",
        statement=Text(
            "Double quantization saves memory without degrading accuracy.",
            "双重量化节省内存而不降低精度。",
        ),
        source=f"{QLORA}, section 4 (Table 3: no degradation)",
        test=costs_little,
    ),
)
