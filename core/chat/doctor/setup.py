"""How conversations become training rows: what the doctor must know besides tokenizer, template and data."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.contracts.errors import InvalidParams
from core.contracts.text import tr, verbatim


class TrainingSetup(BaseModel):
    """The choices of a training script that decide what is learned. The defaults are those of TRL's SFTTrainer with
    `assistant_only_loss=True`, but without max_length.

    policy: which tokens are targets, see `core.chat.targets`.
    switches: what the template gets besides messages and tools, such as `enable_thinking`.
    adds_special_tokens: the rendered text is encoded with the special tokens that the tokenizer adds by itself.
    pad_token: "" for the tokenizer's own, or its end token if it has none, as in TRL.
    padding_masked_by: 'position' ignores what was padded, 'token' every label that equals the pad token, as
        transformers' DataCollatorForLanguageModeling does.
    padding_side: "" for the tokenizer's own.
    max_length: tokens per training row; None if rows are as long as they are.
    packing: a strategy of `core.chat.packing`; rows have `max_length` tokens. 'none' is one conversation per row.
    document_mask, positions_reset: whether a packed row keeps its conversations apart, and counts positions from 0
        in each.
    batch_size: rows per micro-batch.
    gradient_accumulation: micro-batches per step of the optimizer.
    loss_mean_over: 'targets' divides the sum of a step's losses by the number of its targets, 'micro_batch' takes the
        mean of each micro-batch and then the mean of those.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Literal["assistant_only", "completion_only", "last_turn", "all"] = "assistant_only"
    switches: dict[str, Any] = Field(default_factory=dict)
    adds_special_tokens: bool = False
    pad_token: str = ""
    padding_masked_by: Literal["position", "token"] = "position"
    padding_side: Literal["", "left", "right"] = ""
    max_length: int | None = Field(default=None, ge=1)
    truncation_side: Literal["left", "right"] = "right"
    packing: Literal["none", "bfd", "bfd_split", "wrapped"] = "none"
    document_mask: bool = True
    positions_reset: bool = True
    batch_size: int = Field(default=8, ge=1, le=65_536)
    gradient_accumulation: int = Field(default=1, ge=1, le=65_536)
    loss_mean_over: Literal["targets", "micro_batch"] = "targets"

    def __hash__(self) -> int:
        return hash((self.policy, self.max_length, self.packing))

    @model_validator(mode="after")
    def _packing_needs_a_length(self) -> Self:
        if self.packing != "none" and self.max_length is None:
            raise InvalidParams(
                tr("Packing needs max_length: it is the number of tokens of a packed row."), "max_length"
            )
        return self

    @classmethod
    def of(cls, values: dict[str, Any]) -> TrainingSetup:
        """The setup from raw values, such as those of a command line.

        Raises InvalidParams with one sentence about the first value that cannot be used.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            raise InvalidParams(
                tr("{name} cannot be used: {problem}.", name=name, problem=verbatim(first["msg"])), name or None
            ) from None
