"""What a public model's weights take when its linear layers are quantized.

What bitsandbytes and QLoRA quantize are the linear layers inside the blocks; embeddings, norms and the output head
stay in 16 bits.
"""

from __future__ import annotations

from core.model_presets import Architecture

KEPT_BITS = 16


def weight_bytes(architecture: Architecture, bits_per_parameter: float) -> float:
    """Bytes of all weights with the linear layers at `bits_per_parameter` and everything else at 16 bits."""
    bits = architecture.linear_parameters * bits_per_parameter + architecture.other_parameters * KEPT_BITS
    return bits / 8
