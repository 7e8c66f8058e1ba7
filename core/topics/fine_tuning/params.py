"""The parameters of the fine-tuning page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import listed, quoted, tr, tr_in
from core.language_model.dtypes import dtype_param
from core.language_model.target_modules import ALL, target_parameters_param
from core.topics.fine_tuning.methods import METHODS, MethodId

_RATES = listed(
    tr_in("learning rates", "{method} {rate:g}", method=method.label, rate=method.learning_rate)
    for method in METHODS.values()
)


class FineTuningParams(Params):
    """All selected methods use the same task, batches and steps."""

    methods: str = text(
        ALL,
        label=tr("Methods"),
        help=tr(
            "The methods to train: {all}, or names separated by commas, from {methods}.",
            all=ALL,
            methods=listed(METHODS),
        ),
        group=tr("Methods"),
        max_length=200,
    )
    method: str = choice(
        MethodId.P_TUNING_V2.value,
        *(method.value for method in METHODS),
        label=tr("Method shown"),
        help=tr("The method shown in the diagram, the mask and the vectors."),
        labels={method.value: METHODS[method].label for method in METHODS},
        group=tr("Methods"),
        view_only=True,
    )
    model: str = text(
        "",
        label=tr("Model folder"),
        help=tr(
            "A Hugging Face folder with a causal language model. Its weights are read; none of its code runs. Empty: "
            "the small model."
        ),
        group=tr("Model"),
    )
    dtype: str = dtype_param()
    seed: int = number(
        0,
        minimum=0,
        maximum=2**31 - 1,
        label=tr("Seed"),
        help=tr("Seed of the batches and of the new parameters' initial values."),
        group=tr("Training"),
    )
    steps: int = number(
        200,
        minimum=2,
        maximum=2000,
        label=tr("Steps"),
        unit="steps",
        help=tr(
            "Training steps per method, on the same batches. The learning rate warms up over the first tenth, then "
            "decays as a cosine."
        ),
        group=tr("Training"),
        scale="log2",
    )
    batch: int = number(
        16,
        minimum=1,
        maximum=128,
        label=tr("Batch"),
        unit="rows",
        help=tr("Rows of the table per step."),
        group=tr("Training"),
    )
    rate_factor: float = number(
        1.0,
        minimum=0.01,
        maximum=1000.0,
        scale="log2",
        label=tr("Learning rate"),
        unit="× own",
        help=tr(
            "Multiplies the peak learning rate of each method. The peak rates were tuned on the small model: {rates}.",
            rates=_RATES,
        ),
        group=tr("Training"),
    )
    gradient_checkpointing: bool = switch(
        False,
        label=tr("Gradient checkpointing"),
        help=tr(
            "Keep only each layer's input for the backward pass and compute the rest again: less memory, more time. "
            "The prefix of prefix-tuning and P-tuning v2 does not survive it."
        ),
        group=tr("Training"),
    )
    virtual_tokens: int = number(
        16,
        minimum=1,
        maximum=1024,
        scale="log2",
        label=tr("Virtual tokens"),
        unit="tokens",
        help=tr("Length of the prompt or prefix in prompt tuning, prefix-tuning and P-tuning v2."),
        group=tr("Prefix and prompt"),
    )
    prefix_hidden: int = number(
        128,
        minimum=1,
        maximum=4096,
        scale="log2",
        label=tr("Prefix MLP"),
        unit="units",
        help=tr("Hidden width of the MLP that produces the prefix in prefix-tuning. It is discarded after training."),
        group=tr("Prefix and prompt"),
    )
    rank: int = number(
        8,
        minimum=1,
        maximum=1024,
        scale="log2",
        label=tr("Rank"),
        help=tr(
            "Rank of LoRA and QLoRA, and AdaLoRA's average rank at the end. AdaLoRA starts with 1.5 times as much."
        ),
        group=tr("Adapters"),
    )
    alpha: float = number(
        16.0,
        minimum=0.0625,
        maximum=1024.0,
        scale="log2",
        label=tr("Alpha"),
        help=tr("The output of an adapter is scaled by alpha / rank."),
        group=tr("Adapters"),
    )
    target_modules: str = text(
        ALL,
        label=tr("Target modules"),
        help=tr("The linear layers to adapt: {all}, or names separated by commas, such as q_proj, v_proj.", all=ALL),
        group=tr("Adapters"),
        max_length=1000,
    )
    target_parameters: str = target_parameters_param(tr("Adapters"))
    held_out_every: int = number(
        25,
        minimum=1,
        maximum=2000,
        label=tr("Held-out loss every"),
        unit="steps",
        help=tr("How often the loss on rows about unseen people is measured."),
        group=tr("Evaluation"),
    )
    samples: int = number(
        8,
        minimum=1,
        maximum=64,
        label=tr("Samples"),
        unit="rows",
        help=tr("Held-out rows that are shown with the answers before and after training."),
        group=tr("Evaluation"),
    )
    exact_match_rows: int = number(
        48,
        minimum=1,
        maximum=512,
        label=tr("Exact match on"),
        unit="rows",
        help=tr(
            "Every method answers this many rows about unseen people, and the same number of unstated facts if there "
            "are enough."
        ),
        group=tr("Evaluation"),
    )

    @model_validator(mode="after")
    def _methods_exist(self) -> Self:
        unknown = [name for name in self._named if name not in METHODS and name != ALL]
        if unknown:
            raise InvalidParams(
                tr(
                    "methods names {name}, which does not exist: use {all}, or one or more of {methods}.",
                    name=quoted(unknown[0]),
                    all=ALL,
                    methods=listed(METHODS),
                ),
                "methods",
            )
        if not self._named:
            raise InvalidParams(
                tr("methods is empty: use {all}, or one or more of {methods}.", all=ALL, methods=listed(METHODS)),
                "methods",
            )
        return self

    @property
    def _named(self) -> list[str]:
        return [name.strip().lower() for name in self.methods.split(",") if name.strip()]

    @property
    def chosen(self) -> tuple[MethodId, ...]:
        """The methods to train, in the order of METHODS."""
        return tuple(method for method in METHODS if ALL in self._named or method in self._named)

    def needs_same_run_as(self, other: Params) -> bool:
        """Whether a run of `other` trained all methods of these params, with the same settings. Every method trains a
        model of its own, so the others change nothing."""
        return (
            isinstance(other, FineTuningParams)
            and set(self.chosen) <= set(other.chosen)
            and super().needs_same_run_as(other.model_copy(update={"methods": self.methods}))
        )

    @property
    def initial_rank(self) -> int:
        """AdaLoRA's rank before pruning: 1.5 times the budget."""
        return self.rank + max(1, self.rank // 2)
