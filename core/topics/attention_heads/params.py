"""The parameters of the attention-heads page."""

from __future__ import annotations

from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import tr, verbatim
from core.hardware.gpus import GPU_IDS, gpus
from core.model_configs import CACHE_DTYPES, WEIGHT_DTYPES, preset, preset_ids

MODEL, MHA, GQA, MQA, MLA = "model", "mha", "gqa", "mqa", "mla"
TENSOR_PARALLEL = (1, 2, 4, 8, 16, 32, 64)
PAGE_SIZES = (16, 32, 64, 128, 256)
_MODEL, _HEADS, _SERVING, _RUN = tr("Model"), tr("Attention"), tr("Serving"), tr("Run")


class AttentionHeadsParams(Params):
    """A public model, or the user's own config.json, with its own attention or another one, and how it is served."""

    model: str = choice(
        "llama-3.1-8b",
        *preset_ids(),
        labels={preset_id: verbatim(preset(preset_id).name) for preset_id in preset_ids()},
        label=tr("Model"),
        help=tr("A public model. Its sizes are those of its published configuration."),
        group=_MODEL,
    )
    config: str = text(
        "",
        label=tr("Own config.json"),
        help=tr("The config.json of a Hugging Face model, or its folder. If empty, the public model above is used."),
        file_filter="*.json",
        group=_MODEL,
    )
    attention: str = choice(
        MODEL,
        MODEL,
        MHA,
        GQA,
        MQA,
        MLA,
        labels={
            MODEL: tr("as the model"),
            MHA: verbatim("MHA"),
            GQA: verbatim("GQA"),
            MQA: verbatim("MQA"),
            MLA: verbatim("MLA"),
        },
        label=tr("Attention"),
        help=tr(
            "What every attention layer would be: a KV head per query head (MHA), per group of query heads (GQA) or "
            "one for all (MQA), or a compressed latent vector (MLA, with the sizes that DeepSeek-V2 recommends)."
        ),
        group=_HEADS,
    )
    kv_heads: int = number(
        0,
        minimum=0,
        maximum=512,
        scale="log2",
        label=tr("KV heads (0: the model's)"),
        unit="heads",
        help=tr(
            "The number of KV heads of GQA: a divisor of the number of query heads. 0 takes the model's own, or 8 "
            "where it has none."
        ),
        group=_HEADS,
    )
    context: int = number(
        8192,
        minimum=1,
        maximum=1 << 24,
        scale="log2",
        label=tr("Context"),
        unit="tokens",
        help=tr("Tokens per sequence in the KV cache when the next one is generated."),
        group=_SERVING,
    )
    batch: int = number(
        1,
        minimum=1,
        maximum=4096,
        scale="log2",
        label=tr("Batch"),
        unit="sequences",
        help=tr("Sequences that are generated together."),
        group=_SERVING,
    )
    cache_dtype: str = choice(
        "bf16",
        *CACHE_DTYPES,
        label=tr("Precision of the cache"),
        help=tr("Element type of the KV cache. fp8 and int4 count their scales."),
        group=_SERVING,
    )
    weight_dtype: str = choice(
        "bf16",
        *WEIGHT_DTYPES,
        label=tr("Precision of the weights"),
        help=tr("Element type of the weights."),
        group=_SERVING,
    )
    gpu: str = choice(
        "h100-sxm",
        *GPU_IDS,
        labels={gpu_id: verbatim(known.name) for gpu_id, known in gpus().items()},
        label=tr("GPU"),
        help=tr("The GPU whose memory, bandwidth and peak the model uses."),
        group=_SERVING,
    )
    tensor_parallel: int = choice(
        1,
        *TENSOR_PARALLEL,
        label=tr("Tensor parallelism"),
        unit="GPUs",
        help=tr("GPUs that share each layer. Where there are fewer KV heads than GPUs, KV heads are replicated."),
        group=_SERVING,
    )
    page_size: int = choice(
        16,
        *PAGE_SIZES,
        label=tr("Page size"),
        unit="tokens",
        help=tr("An engine allocates the cache in whole pages of so many tokens."),
        group=_SERVING,
    )
    keep_sliding_whole: bool = switch(
        False,
        label=tr("Keep sliding layers whole"),
        help=tr("Allocate all tokens in layers with a sliding window too, as engines without a hybrid cache do."),
        group=_SERVING,
    )
    traced_context: int = number(
        8192,
        minimum=16,
        maximum=1 << 20,
        scale="log2",
        label=tr("Context of the run"),
        unit="tokens",
        help=tr("Tokens in the cache of the kernels that a run traces: one layer, one sequence."),
        group=_RUN,
    )
    convert: bool = switch(
        True,
        label=tr("Convert heads"),
        help=tr(
            "Turn a trained model's MHA into GQA and MQA by mean-pooling its K and V projections, and measure what "
            "that costs. With an own config.json, only a model folder is converted."
        ),
        group=_RUN,
    )
    model_folder: str = text(
        "",
        label=tr("Model folder"),
        help=tr(
            "A Hugging Face folder of a causal language model, whose heads are converted. It is read, and never run as "
            "code. If empty, the small model is converted."
        ),
        group=_RUN,
    )
    text_file: str = text(
        "",
        label=tr("Text"),
        help=tr(
            "A UTF-8 text file for the model folder: its last fifth measures the converted model, the rest tunes it. "
            "If empty, both use texts of the small model."
        ),
        file_filter="*.txt *.md",
        group=_RUN,
    )
    tuning_steps: int = number(
        40,
        minimum=0,
        maximum=2000,
        label=tr("Steps of fine-tuning"),
        unit="steps",
        help=tr("Training steps after each conversion, to see how much of the loss they recover."),
        group=_RUN,
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label=tr("Seed"), help=tr("Seed of the random inputs."), group=_RUN
    )

    @property
    def converts(self) -> bool:
        """Whether a run converts heads."""
        return self.convert and bool(self.model_folder.strip() or not self.config.strip())

    @property
    def scheme(self) -> str:
        """The chosen attention: a number of KV heads makes the model's own GQA."""
        return GQA if self.attention == MODEL and self.kv_heads else self.attention

    @property
    def traced_dtype(self) -> str:
        """The element type of the cache in a run: that of the params, and bf16 for int4, which no kernel here reads."""
        return "bf16" if self.cache_dtype == "int4" else self.cache_dtype

    def needs_same_run_as(self, other: Params) -> bool:
        """Whether a run of `other` traced the same layer, and converted the same model if these params convert one: how
        it is served changes nothing that was run, except the element type of the cache."""
        if not isinstance(other, AttentionHeadsParams):
            return False
        names = (*_TRACED_FIELDS, *(_CONVERSION_FIELDS if self.convert else ()))
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and self.traced_dtype == other.traced_dtype


_TRACED_FIELDS = ("model", "config", "attention", "kv_heads", "traced_context", "seed")
_CONVERSION_FIELDS = ("convert", "model_folder", "text_file", "tuning_steps")
