"""Every page with parameters and a result that shows most of it, made without a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.contracts.params import Params
from core.contracts.result import Result
from core.topics.decoder.params import DecoderParams
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.lora.params import LoraParams
from core.topics.masks.params import MasksParams
from core.topics.quantization.params import QuantizationParams
from tests.gui.pages.decoder.decoder_result import decoder_result
from tests.gui.pages.fine_tuning.fine_tuning_result import run_of
from tests.gui.pages.flash_attention.flash_result import flash_result
from tests.gui.pages.kernel_lab.lab_result import SOURCE, lab_result
from tests.gui.pages.lora.lora_result import lora_result
from tests.gui.pages.masks.masks_result import mask_result
from tests.gui.pages.quantization.quantization_result import checkpoint_result

Example = tuple[Params, Result]


def _attention(_: Path) -> Example:
    params = FlashAttentionParams(seq_len=256, heads=2, kv_heads=2, head_dim=32)
    return params, flash_result(params, gpu=True)


def _masks(_: Path) -> Example:
    params = MasksParams()
    return params, mask_result(params)


def _decoder(_: Path) -> Example:
    params = DecoderParams(source="a b c", target="c b a", padding=1, perturb="target", position=2)
    return params, decoder_result(params)


def _lora(_: Path) -> Example:
    params = LoraParams(steps=60, tinit=10, tfinal=20, delta_t=5, held_out_every=10)
    return params, lora_result(params, gpu=True)


def _fine_tuning(_: Path) -> Example:
    params = FineTuningParams()
    return params, run_of(params)


def _quantization(_: Path) -> Example:
    params = QuantizationParams(blocks=64)
    return params, checkpoint_result(params)


def _kernel_lab(folder: Path) -> Example:
    path = folder / "copy.py"
    path.write_text(SOURCE)
    result = lab_result(path)
    return result.params.changed(file=str(path)), result


EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "flash-attention": _attention,
    "masks": _masks,
    "decoder": _decoder,
    "lora": _lora,
    "fine-tuning": _fine_tuning,
    "quantization": _quantization,
    "kernel-lab": _kernel_lab,
}
"""By topic id: what to show, given a folder for files."""
