"""The parameters of the quantization page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.model_presets import PRESETS
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId

ALL = "all"
_DISTRIBUTION_FIELDS = ("distribution", "tail", "outlier_share", "outlier_scale", "blocks", "seed")
"""What decides the weights where no checkpoint is named."""
DISTRIBUTIONS = ("normal", "student-t", "laplace", "uniform")


class QuantizationParams(Params):
    """Weights from a distribution, or from `checkpoint` where one is named."""

    checkpoint: str = text(
        "",
        label="Checkpoint",
        help="A .safetensors file, a *.safetensors.index.json or a model folder. Empty: weights from a distribution.",
        file_filter="Checkpoints (*.safetensors *.safetensors.index.json)",
        group="Weights",
    )
    report: str = text(
        "",
        label="Save report as",
        help="A .csv (every tensor and format), .json (all tables) or .md (to be read), written by the run itself on "
        "the machine that it runs on. Empty: nothing is saved.",
        group="Weights",
    )
    distribution: str = choice(
        "normal",
        *DISTRIBUTIONS,
        label="Distribution",
        help="Where weights are drawn from when no checkpoint is named; each has standard deviation 1.",
        group="Weights",
    )
    tail: int = number(
        5,
        minimum=3,
        maximum=30,
        label="Degrees of freedom",
        help="Of Student's t: the fewer, the heavier its tails; 30 is almost normal.",
        group="Weights",
    )
    outlier_share: float = number(
        0.0,
        minimum=0.0,
        maximum=0.1,
        step=0.001,
        label="Outliers",
        unit="of the weights",
        help="The share of the weights that are made outliers.",
        group="Weights",
    )
    outlier_scale: float = number(
        10.0,
        minimum=1.0,
        maximum=100.0,
        scale="log2",
        label="Size of outliers",
        unit="σ",
        help="The magnitude of an outlier in standard deviations of the others; the sign is drawn.",
        group="Weights",
    )
    blocks: int = number(
        512,
        minimum=1,
        maximum=4096,
        scale="log2",
        label="Blocks",
        unit="blocks",
        help="How many blocks of weights are drawn.",
        group="Weights",
    )
    seed: int = number(0, minimum=0, maximum=2**31 - 1, label="Seed", help="Seed of the weights.", group="Weights")
    format: str = choice(
        FormatId.NF4.value,
        *(name.value for name in FORMATS),
        label="Format",
        help="The format that the error map, the histogram and the worst tensors are shown for.",
        group="Format",
    )
    compare: str = text(
        ALL,
        label="Formats measured",
        help="What the report, the sweep and the outputs measure beside the format above: "
        f"{ALL}, or names with commas between, of {', '.join(FORMATS)}.",
        group="Format",
        max_length=200,
    )
    block_size: int = choice(
        64,
        *BLOCK_SIZES,
        label="Block",
        unit="weights",
        help="Weights, in row order, that share a scale.",
        group="Format",
    )
    double_quantization: bool = switch(
        True,
        label="Double quantization",
        help="Keep the scales themselves in 8 bits, as QLoRA does (not those of INT4 affine).",
        group="Format",
    )
    nested_block: int = choice(
        256,
        *BLOCK_SIZES,
        label="Block of scales",
        unit="scales",
        help="Scales that share one float32 when they are quantized.",
        group="Format",
    )
    model_preset: str = choice(
        "llama-65b",
        *PRESETS,
        label="Whole model",
        help="The public model whose weights are added up in each format.",
        group="Whole model",
    )
    kernels: bool = switch(
        True,
        label="Triton kernels",
        help="Run the Triton kernels on a small matrix of these weights and count what they read and write: on a GPU "
        "as they are, elsewhere traced.",
        group="Kernels",
    )
    timing: bool = switch(
        False,
        label="Benchmark kernels",
        help="Beside bitsandbytes, and on a GPU beside a copy of the same bytes and cuBLAS in bf16. On a CPU what is "
        "timed is the report's arithmetic, not the Triton kernels.",
        group="Kernels",
    )
    outputs: bool = switch(
        True,
        label="Effect on outputs",
        help="Measure the loss of a small trained model, and of the folder below, with each format on its linear "
        "layers. The small model is trained first where it is not kept yet: about a minute.",
        group="Effect on outputs",
    )
    model: str = text(
        "",
        label="Model folder",
        help="A Hugging Face folder of a causal language model, read and never run as code. Empty: the small one only.",
        group="Effect on outputs",
    )
    text_file: str = text(
        "",
        label="Text",
        help="A UTF-8 text file for the perplexity of the model folder.",
        file_filter="Text (*.txt *.md)",
        group="Effect on outputs",
    )
    text_tokens: int = number(
        8192,
        minimum=512,
        maximum=1 << 18,
        scale="log2",
        label="Length of text",
        unit="tokens",
        help="How much of the text the folder's model reads, once as it is and once per format: the more, the smaller "
        "the noise.",
        group="Effect on outputs",
    )

    @model_validator(mode="after")
    def _formats_exist(self) -> Self:
        unknown = [name for name in self._named_formats if name not in FORMATS]
        if unknown:
            raise InvalidParams(
                f"compare names {unknown[0]!r}, which is no format: use {ALL}, or some of {', '.join(FORMATS)}.",
                "compare",
            )
        return self

    @property
    def _named_formats(self) -> list[str]:
        names = [name.strip().lower() for name in self.compare.split(",") if name.strip()]
        return list(FORMATS) if ALL in names else names

    @property
    def formats(self) -> tuple[FormatId, ...]:
        """The formats to measure: the chosen one first, then the others in the order of FORMATS."""
        return (FormatId(self.format), *(name for name in FORMATS if name in self._named_formats and name != self.format))

    def asks_for_the_run_of(self, other: Params) -> bool:
        """The same weights in the same blocks, and no format that the other run did not measure.

        Another chosen format, another preset of a whole model or other texts change nothing that was measured.
        """
        return (
            isinstance(other, QuantizationParams)
            and self.checkpoint.strip() == other.checkpoint.strip()
            and self._shares(other, "block_size", "nested", *(() if self.checkpoint.strip() else _DISTRIBUTION_FIELDS))
        )

    def asks_for_the_scales_of(self, other: QuantizationParams) -> bool:
        """Whether the scales of that run are those asked for: their picture shows 8 bits even where they are off."""
        return self.asks_for_the_run_of(other) and self.nested_block == other.nested_block

    def asks_for_the_outliers_of(self, other: QuantizationParams) -> bool:
        """Whether that run grew outliers among such weights: drawn ones, even beside a checkpoint."""
        return self._shares(other, "block_size", "nested", "distribution", "tail", "seed")

    def asks_for_the_outputs_of(self, other: QuantizationParams) -> bool:
        """Whether that run read the model folder and the text asked for too."""
        return self.asks_for_the_run_of(other) and self._shares(other, "model", "text_file", "text_tokens")

    def _shares(self, other: QuantizationParams, *names: str) -> bool:
        measured = set(self.formats) <= set(other.formats)
        return measured and all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def nested(self) -> int:
        """Scales that share one float32; 0 without double quantization."""
        return self.nested_block if self.double_quantization else 0
