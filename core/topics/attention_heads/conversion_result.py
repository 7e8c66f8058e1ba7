"""What a conversion of a model to fewer KV heads gives: arrays and numbers. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.contracts.archive import Array
from core.topics.attention_heads.schemes import divisors


class Grouping(StrEnum):
    """Which KV heads are pooled into one. All groups of a layer have the same size.

    - UNCHANGED: every KV head stays. The model is only tuned, as a control for the others
    - NEIGHBOURS: consecutive heads, as in the GQA paper
    - SIMILAR: the groups that lose least, chosen for each layer
    - RANDOM: one random draw for each layer, as a yardstick for SIMILAR
    """

    UNCHANGED = "unchanged"
    NEIGHBOURS = "neighbours"
    SIMILAR = "similar"
    RANDOM = "random"


@dataclass(frozen=True)
class ConversionSetting:
    """The model with `kv_heads` KV heads, grouped by `grouping`. With one KV head all groupings are the same."""

    kv_heads: int
    grouping: Grouping


@dataclass(frozen=True)
class ConversionResult:
    """One conversion. Losses are mean cross-entropies on held-out text in nats per token; None if not finite.

    - `group_of_head`, int32 [layers, heads]: the KV head that each query head reads; heads are numbered as in the model
      before the conversion
    - `energy_lost`, float32 [layers]: the share of the energy of keys and values that pooling removes, from 0 to 1; see
      `experiment.conversion.grouping`
    - `head_error`, float32 [layers, heads]: relative RMS error of each head's attention output on held-out text,
      before the output projection and before tuning. Errors of earlier layers are included
    - `head_error_alone`, float32 [layers, heads]: the same with the inputs that the layer had before the conversion
    - `loss_after` right after pooling, `loss_tuned` after tuning (None without tuning); `increase_stderr` and
      `tuned_increase_stderr` are the standard errors of their differences to the loss of the model before
    - `curve`, float32 [steps]: the loss of each training batch before its step, in nats per token
    - `kv_parameters`: parameters of all K and V projections after the conversion
    """

    kv_heads: int
    grouping: Grouping
    group_of_head: Array
    energy_lost: Array
    head_error: Array
    head_error_alone: Array
    loss_after: float | None
    increase_stderr: float | None
    loss_tuned: float | None
    tuned_increase_stderr: float | None
    curve: Array
    kv_parameters: int


@dataclass(frozen=True)
class ConversionStudy:
    """All conversions of one model, in the order in which they ran; fewer while the study runs.

    `kv_heads` and `kv_parameters` are those of the model before. `tokens` is the number of tokens that the losses
    predict. `steps` are those of the tuning that was asked for. `loss_before` in nats per token.
    """

    model: str
    heads: int
    kv_heads: int
    kv_parameters: int
    tokens: int
    loss_before: float | None
    steps: int
    results: tuple[ConversionResult, ...] = ()

    def result(self, kv_heads: int, grouping: Grouping) -> ConversionResult | None:
        """The result of a setting, None if it has not run."""
        for result in self.results:
            if (result.kv_heads, result.grouping) == (kv_heads, grouping):
                return result
        return None


def possible_kv_heads(kv_heads: int) -> tuple[int, ...]:
    """The numbers of KV heads that a model with `kv_heads` can be converted to, largest first."""
    return divisors(kv_heads)[1:]


def all_settings(kv_heads: int) -> tuple[ConversionSetting, ...]:
    """The control, then every smaller number of KV heads with every grouping."""
    settings = [ConversionSetting(kv_heads, Grouping.UNCHANGED)]
    for count in possible_kv_heads(kv_heads):
        groupings = (Grouping.NEIGHBOURS, Grouping.SIMILAR, Grouping.RANDOM) if count > 1 else (Grouping.NEIGHBOURS,)
        settings += [ConversionSetting(count, grouping) for grouping in groupings]
    return tuple(settings)
