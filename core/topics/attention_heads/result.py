"""The result of a run of the attention-heads experiment."""

from __future__ import annotations

from dataclasses import dataclass

from core.comparison import ImplResult
from core.contracts.result import Result
from core.topics.attention_heads.conversion_result import ConversionStudy
from core.topics.attention_heads.params import AttentionHeadsParams
from core.trace.kernel_traffic import TensorTraffic


@dataclass(frozen=True)
class TracedDecode:
    """One new token of one sequence in one layer, through the decode kernel. Traced; errors against float64.

    `key` is the title of the attention ('MHA', 'GQA-8', 'MQA', 'MLA'); `kv_heads` None for MLA. `cache_bytes` are those
    read of K and V (or of the latent vectors), `unique_cache_bytes` the distinct ones among them, and `formula_bytes`
    what the closed formula gives; `other_bytes` are all others, written ones included. `flops` by formula: two per
    multiply-add of Q K^T and P V. `splits` programs share the keys of a KV head. `from_mha` is the relative RMS
    difference of the float64 output from that of MHA, whose random heads' keys and values were mean-pooled; None for
    MLA.
    """

    key: str
    kv_heads: int | None
    tokens: int
    splits: int
    cache_bytes: int
    unique_cache_bytes: int
    formula_bytes: int
    other_bytes: int
    flops: int
    max_abs_error: float | None
    rms_error: float | None
    allowed_rms_error: float | None
    from_mha: float | None = None

    @property
    def bytes(self) -> int:
        return self.cache_bytes + self.other_bytes

    @property
    def intensity(self) -> float:
        """FLOP per byte of all traffic."""
        return self.flops / self.bytes


@dataclass(frozen=True)
class TracedPrefill:
    """Causal attention of `tokens` tokens of one sequence in one layer, through the flash kernel. Traced.

    `requested_bytes` is what the kernel asks of HBM before any cache: K and V once per query head and tile of queries.
    `once_bytes` counts Q, K, V and O once each. `flops` of whole visited tiles.
    """

    key: str
    tokens: int
    requested_bytes: int
    once_bytes: int
    flops: int


@dataclass(frozen=True)
class MlaForms:
    """MLA absorbed against expanded, on the same random weights and inputs in float64. Measured on the CPU.

    `difference` is the largest absolute difference of the outputs relative to their largest absolute value.
    """

    difference: float
    heads: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class AttentionHeadsResult(Result):
    """Kernels in `traffic` and `lines` are the keys of `decodes`, and 'prefill'. Their tensors are Q, K, V (or
    'latents'), O, LSE, and 'O_parts' and 'LSE_parts' of the splits, which the merging kernel reads.

    decodes      the chosen attention first, then MHA, GQA-8 (where 8 divides the heads), MQA and MLA, each once; those
                 whose sizes the kernel does not support are missing, with a message
    prefill      the chosen attention's; None where the flash kernel does not support its sizes
    comparison   implementations of decode for the chosen attention, on the inputs of its trace
    study        conversions of a trained model; None without them

    metrics      cache.{per_token,growth_per_token,needed,allocated,states},
                 memory.{weights,cache,activations,capacity}, fit.{context,batch},
                 model.{parameters,active_parameters,attention_parameters,heads,kv_heads},
                 SCHEME.{parameters,query_parameters,key_parameters,value_parameters,output_parameters,
                 cache_per_token}, {step,SCHEME}.{read_bytes_per_token,tokens_per_second_low,tokens_per_second_high},
                 {decode,prefill}.{attention,linear}.{flops,intensity,bound_ms}, gpu.ridge,
                 batch.{one,large}.{attention,linear}_intensity, training.mqa_flops_share,
                 mla.{absorbed,rebuilt,expanded-cache}.{flops,cache_read_bytes},
                 deepseek-v3.{mla,gqa-8}.cache_per_token                                            (modelled)
                 decode.KEY.{cache_bytes,bytes,intensity,rms_error},
                 prefill.{requested_bytes,once_bytes,tile_flops}, prefill.mha.{once_bytes,tile_flops}  (traced)
                 decode.KEY.{allowed_rms_error,from_mha}, decode.KEY.time_ms (on a GPU), mla.difference,
                 IMPL.{max_abs_error,rms_error,allowed_rms_error,time_ms}, conversion.loss_before,
                 conversion.KV_HEADS.GROUPING.{loss_after,loss_tuned}            (measured where it ran)
                 paper.{mha,gqa-8,mqa}.{time_s,score}                                                (recorded)

    SCHEME is mha, gqa-8, mqa or mla; KEY the key of a decode in lower case.
    """

    topic: str = "attention-heads"
    params: AttentionHeadsParams
    decodes: tuple[TracedDecode, ...] = ()
    prefill: TracedPrefill | None = None
    mla: MlaForms | None = None
    traffic: tuple[TensorTraffic, ...] = ()
    comparison: tuple[ImplResult, ...] = ()
    study: ConversionStudy | None = None

    def decode(self, key: str) -> TracedDecode | None:
        """The trace of one attention; None if the run has none."""
        return next((each for each in self.decodes if each.key == key), None)
