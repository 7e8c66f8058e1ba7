"""The parameters of the quantization page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.checkpoint.gguf_files.types import QUANTIZABLE, RESTORED_ONLY
from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import quoted, tr, verbatim
from core.model_presets import PRESETS
from core.topics.quantization.labels import DISTRIBUTION_LABELS, FORMAT_LABELS
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId

ALL, GGUF = "all", "gguf"
_GGUF_TYPES = {name.lower(): name for name in QUANTIZABLE}
DISTRIBUTIONS = tuple(DISTRIBUTION_LABELS)

_DISTRIBUTION_FIELDS = ("distribution", "tail", "outlier_share", "outlier_scale", "blocks", "seed")
"""The parameters that determine the weights without a checkpoint."""
_WEIGHTS, _FORMAT, _KERNELS, _OUTPUTS = tr("Weights"), tr("Format"), tr("Kernels"), tr("Effect on outputs")


class QuantizationParams(Params):
    """Weights drawn from a distribution, or read from `checkpoint` if one is named."""

    checkpoint: str = text(
        "",
        label=tr("Checkpoint"),
        help=tr(
            "A .safetensors file, a *.safetensors.index.json, a .gguf file or a model folder. If empty, weights are "
            "drawn from a distribution."
        ),
        file_filter="*.safetensors *.safetensors.index.json *.gguf",
        group=_WEIGHTS,
    )
    requantize: bool = switch(
        False,
        label=tr("Requantize"),
        help=tr(
            "Measure weights that are quantized already as well: they are restored (GGUF, FP8, MXFP4, NVFP4, "
            "bitsandbytes, GPTQ, AWQ) and quantized again. If off, they are only listed."
        ),
        group=_WEIGHTS,
    )
    quantized_file: str = text(
        "",
        label=tr("Quantized file"),
        help=tr(
            "A file of the checkpoint's model that is quantized already: GGUF, or another format that Requantize "
            "restores. Its weights are restored and compared with those of the checkpoint, tensor by tensor."
        ),
        file_filter="*.gguf *.safetensors *.safetensors.index.json",
        group=_WEIGHTS,
    )
    report: str = text(
        "",
        label=tr("Save report as"),
        help=tr(
            "A .csv (one row per tensor and format), .json (all tables) or .md file (for reading). The run writes it, "
            "on the machine that it runs on. If empty, nothing is saved."
        ),
        group=_WEIGHTS,
    )
    distribution: str = choice(
        "normal",
        *DISTRIBUTIONS,
        label=tr("Distribution"),
        help=tr("The distribution that weights are drawn from without a checkpoint. Its standard deviation is 1."),
        labels=DISTRIBUTION_LABELS,
        group=_WEIGHTS,
    )
    tail: int = number(
        5,
        minimum=3,
        maximum=30,
        label=tr("Degrees of freedom"),
        help=tr("The degrees of freedom of Student's t: the fewer, the heavier the tails. 30 is almost normal."),
        group=_WEIGHTS,
    )
    outlier_share: float = number(
        0.0,
        minimum=0.0,
        maximum=0.1,
        step=0.001,
        label=tr("Outliers"),
        unit="of the weights",
        help=tr("The share of the weights that are outliers."),
        group=_WEIGHTS,
    )
    outlier_scale: float = number(
        10.0,
        minimum=1.0,
        maximum=100.0,
        scale="log2",
        label=tr("Size of outliers"),
        unit="σ",
        help=tr("The magnitude of an outlier in standard deviations of the other weights. Its sign is random."),
        group=_WEIGHTS,
    )
    blocks: int = number(
        512,
        minimum=1,
        maximum=4096,
        scale="log2",
        label=tr("Number of blocks"),
        unit="blocks",
        help=tr("How many blocks of weights are drawn."),
        group=_WEIGHTS,
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label=tr("Seed"), help=tr("The random seed of the weights."), group=_WEIGHTS
    )
    format: str = choice(
        FormatId.NF4.value,
        *(name.value for name in FORMATS),
        label=tr("Format"),
        help=tr("The format shown in the error map, the histogram and the list of worst tensors."),
        labels=FORMAT_LABELS,
        group=_FORMAT,
    )
    compare: str = text(
        ALL,
        label=tr("Formats measured"),
        help=tr(
            "The formats that the report, the sweep and the outputs measure besides the format above: {all}, or some "
            "of {formats}, separated by commas. The report also measures types of GGUF that can be made here: {gguf} "
            "for all, or some of {types}.",
            all=ALL,
            formats=", ".join(FORMATS),
            gguf=GGUF,
            types=", ".join(_GGUF_TYPES),
        ),
        group=_FORMAT,
        max_length=200,
    )
    block_size: int = choice(
        64,
        *BLOCK_SIZES,
        label=tr("Block size"),
        unit="weights",
        help=tr("How many weights, in row order, share a scale."),
        group=_FORMAT,
    )
    double_quantization: bool = switch(
        True,
        label=tr("Double quantization"),
        help=tr("Store the scales themselves in 8 bits, as QLoRA does. INT4 affine keeps its scales in float32."),
        group=_FORMAT,
    )
    nested_block: int = choice(
        256,
        *BLOCK_SIZES,
        label=tr("Block size of scales"),
        unit="scales",
        help=tr("How many scales share one float32 under double quantization."),
        group=_FORMAT,
    )
    model_preset: str = choice(
        "llama-65b",
        *PRESETS,
        label=tr("Whole model"),
        help=tr("The public model whose total weight size is shown in each format."),
        labels={name: verbatim(architecture.name) for name, architecture in PRESETS.items()},
        group=tr("Whole model"),
    )
    kernels: bool = switch(
        True,
        label=tr("Triton kernels"),
        help=tr(
            "Run the Triton kernels on a small matrix of these weights and count what they read and write. Without a "
            "GPU, the kernels are traced."
        ),
        group=_KERNELS,
    )
    timing: bool = switch(
        False,
        label=tr("Benchmark kernels"),
        help=tr(
            "Compare with bitsandbytes, and on a GPU also with a copy of the same bytes and with cuBLAS in bf16. On a "
            "CPU the arithmetic of the report is timed, not the Triton kernels."
        ),
        group=_KERNELS,
    )
    outputs: bool = switch(
        True,
        label=tr("Effect on outputs"),
        help=tr(
            "Measure the loss of the small model that comes with the program, and of the model folder below, with "
            "their linear layers in each format."
        ),
        group=_OUTPUTS,
    )
    model: str = text(
        "",
        label=tr("Model folder"),
        help=tr(
            "A Hugging Face folder of a causal language model. It is read, and never run as code. If empty, only the "
            "small model is measured."
        ),
        group=_OUTPUTS,
    )
    text_file: str = text(
        "",
        label=tr("Text"),
        help=tr("A UTF-8 text file, for the perplexity of the model folder."),
        file_filter="*.txt *.md",
        group=_OUTPUTS,
    )
    text_tokens: int = number(
        8192,
        minimum=512,
        maximum=1 << 18,
        scale="log2",
        label=tr("Length of text"),
        unit="tokens",
        help=tr(
            "How many tokens of the text the folder's model reads, once unquantized and once per format. More tokens "
            "mean less noise."
        ),
        group=_OUTPUTS,
    )

    @model_validator(mode="after")
    def _formats_exist(self) -> Self:
        for name in self._names:
            if name.upper() in RESTORED_ONLY:
                text = tr(
                    "compare names {name}, which can be restored here but not made: give a GGUF file of the model as "
                    "quantized_file, or use {types}.",
                    name=quoted(name),
                    types=", ".join(_GGUF_TYPES),
                )
                raise InvalidParams(text, "compare")
            if name not in (*FORMATS, *_GGUF_TYPES, ALL, GGUF):
                text = tr(
                    "compare names {name}, which is not a format: use {all}, {gguf}, or some of {formats}.",
                    name=quoted(name),
                    all=ALL,
                    gguf=GGUF,
                    formats=", ".join((*FORMATS, *_GGUF_TYPES)),
                )
                raise InvalidParams(text, "compare")
        return self

    @property
    def _names(self) -> list[str]:
        return [name.strip().lower() for name in self.compare.split(",") if name.strip()]

    @property
    def formats(self) -> tuple[FormatId, ...]:
        """The formats to measure: the chosen one first, then the others in the order of FORMATS."""
        names = self._names
        others = (name for name in FORMATS if (ALL in names or name in names) and name != self.format)
        return (FormatId(self.format), *others)

    @property
    def gguf_types(self) -> tuple[str, ...]:
        """The types of GGUF to measure, such as 'Q8_0'."""
        names = self._names
        return tuple(type_ for name, type_ in _GGUF_TYPES.items() if GGUF in names or name in names)

    def needs_same_run_as(self, other: Params) -> bool:
        """Whether a run of `other` has the same weights in the same blocks, and measured all formats of these params.

        The chosen format, the preset of the whole model and the texts change nothing that was measured.
        """
        return (
            isinstance(other, QuantizationParams)
            and (self.checkpoint.strip(), self.requantize) == (other.checkpoint.strip(), other.requantize)
            and self.quantized_file.strip() in ("", other.quantized_file.strip())
            and self._shares(other, "block_size", "nested", *(() if self.checkpoint.strip() else _DISTRIBUTION_FIELDS))
        )

    def asks_for_the_scales_of(self, other: QuantizationParams) -> bool:
        """Whether the scales of that run are those of these params. Double quantization is shown even if it is off."""
        return self.needs_same_run_as(other) and self.nested_block == other.nested_block

    def asks_for_the_outliers_of(self, other: QuantizationParams) -> bool:
        """Whether that run measured outliers among such weights, which are drawn even if there is a checkpoint."""
        return self._shares(other, "block_size", "nested", "distribution", "tail", "seed")

    def asks_for_the_outputs_of(self, other: QuantizationParams) -> bool:
        """Whether that run also read the model folder and the text of these params."""
        return self.needs_same_run_as(other) and self._shares(other, "model", "text_file", "text_tokens")

    def _shares(self, other: QuantizationParams, *names: str) -> bool:
        measured = {*self.formats, *self.gguf_types} <= {*other.formats, *other.gguf_types}
        return measured and all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def nested(self) -> int:
        """How many scales share one float32; 0 without double quantization."""
        return self.nested_block if self.double_quantization else 0
