"""The parameters of the fine-tuning page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, text
from core.topics.fine_tuning.methods import METHODS, MethodId

ALL = "all"
_RATES = ", ".join(f"{method.label} {method.learning_rate:g}" for method in METHODS.values())


class FineTuningParams(Params):
    """All selected methods use the same task, batches and steps."""

    methods: str = text(
        ALL,
        label="Methods",
        help=f"Which methods are trained: {ALL}, or names with commas between, of {', '.join(METHODS)}.",
        group="Methods",
        max_length=200,
    )
    method: str = choice(
        MethodId.P_TUNING_V2.value,
        *(method.value for method in METHODS),
        label="Method shown",
        help="The method that the diagram, the mask and the vectors are shown for.",
        group="Methods",
        view_only=True,
    )
    model: str = text(
        "",
        label="Model folder",
        help="A Hugging Face folder of a causal language model, read and never run as code. Empty: the small model.",
        group="Model",
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label="Seed", help="Of batches and of what is drawn anew.", group="Training"
    )
    steps: int = number(
        200,
        minimum=2,
        maximum=2000,
        label="Steps",
        unit="steps",
        help="Of every method, on the same batches; the rate rises over the first tenth, then falls as a cosine.",
        group="Training",
        scale="log2",
    )
    batch: int = number(
        16, minimum=1, maximum=128, label="Batch", unit="rows", help="Rows of the table per step.", group="Training"
    )
    rate_factor: float = number(
        1.0,
        minimum=0.01,
        maximum=1000.0,
        scale="log2",
        label="Learning rate",
        unit="× own",
        help=f"Multiplies the peak rate that each method has of its own, found by trying on the small model: {_RATES}.",
        group="Training",
    )
    virtual_tokens: int = number(
        16,
        minimum=1,
        maximum=1024,
        scale="log2",
        label="Virtual tokens",
        unit="tokens",
        help="Length of the prompt or prefix of prompt tuning, prefix-tuning and P-tuning v2.",
        group="Prefix and prompt",
    )
    prefix_hidden: int = number(
        128,
        minimum=1,
        maximum=4096,
        scale="log2",
        label="Prefix MLP",
        unit="units",
        help="Width of the MLP that writes the prefix in prefix-tuning; thrown away after training.",
        group="Prefix and prompt",
    )
    rank: int = number(
        8,
        minimum=1,
        maximum=1024,
        scale="log2",
        label="Rank",
        help="Of LoRA and QLoRA, and the mean rank that AdaLoRA ends with (it begins with half as much again).",
        group="Adapters",
    )
    alpha: float = number(
        16.0,
        minimum=0.0625,
        maximum=1024.0,
        scale="log2",
        label="Alpha",
        help="What an adapter adds is scaled by alpha over rank.",
        group="Adapters",
    )
    target_modules: str = text(
        ALL,
        label="Target modules",
        help=f"Linear layers that get an adapter: {ALL}, or names with commas between, such as q_proj, v_proj.",
        group="Adapters",
        max_length=1000,
    )
    held_out_every: int = number(
        25,
        minimum=1,
        maximum=2000,
        label="Held-out loss every",
        unit="steps",
        help="How often the loss on rows of unseen people is measured.",
        group="Evaluation",
    )
    samples: int = number(
        8,
        minimum=1,
        maximum=64,
        label="Samples",
        unit="rows",
        help="Held-out rows that are shown with the answers before and after.",
        group="Evaluation",
    )
    exact_match_rows: int = number(
        48,
        minimum=1,
        maximum=512,
        label="Exact match on",
        unit="rows",
        help="Of unseen people, and as many untold facts (as far as there are), answered greedily by every method.",
        group="Evaluation",
    )

    @model_validator(mode="after")
    def _methods_exist(self) -> Self:
        unknown = [name for name in self._named if name not in METHODS and name != ALL]
        if unknown:
            raise InvalidParams(
                f"methods names {unknown[0]!r}, which is no method here: use {ALL}, or some of {', '.join(METHODS)}.",
                "methods",
            )
        if not self._named:
            raise InvalidParams(f"methods names none: use {ALL}, or some of {', '.join(METHODS)}.", "methods")
        return self

    @property
    def _named(self) -> list[str]:
        return [name.strip().lower() for name in self.methods.split(",") if name.strip()]

    @property
    def chosen(self) -> tuple[MethodId, ...]:
        """The methods to train, in the order of METHODS."""
        return tuple(method for method in METHODS if ALL in self._named or method in self._named)

    @property
    def initial_rank(self) -> int:
        """AdaLoRA's rank before pruning: 1.5 times the budget."""
        return self.rank + max(1, self.rank // 2)
