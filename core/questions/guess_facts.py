"""Guesses as the question files have them, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core.questions.guesses import ChoiceGuess, NumberGuess, VerdictGuess

MetricName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+.\-]{1,100}$")]
OptionId = Annotated[str, Field(pattern=r"^[a-z0-9\-]{1,40}$")]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _NumberFacts(_Facts):
    kind: Literal["number"]
    metric: MetricName
    unit: str = Field("", max_length=20)
    per: float = Field(1.0, gt=0)
    within: float = Field(0.0, ge=0, le=1)
    margin: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _has_a_tolerance(self) -> _NumberFacts:
        if not self.within and not self.margin:
            raise ValueError("within or margin must be larger than 0")
        return self


class _VerdictFacts(_Facts):
    kind: Literal["verdict"]
    claim: str = Field(min_length=1, max_length=100)


class _ChoiceFacts(_Facts):
    kind: Literal["largest", "smallest"]
    metrics: dict[OptionId, MetricName] = Field(min_length=2, max_length=6)


_Checked = _NumberFacts | _VerdictFacts | _ChoiceFacts


def _guess(facts: _Checked) -> NumberGuess | VerdictGuess | ChoiceGuess:
    match facts:
        case _NumberFacts():
            return NumberGuess(**facts.model_dump())
        case _VerdictFacts():
            return VerdictGuess(**facts.model_dump())
        case _ChoiceFacts():
            return ChoiceGuess(**facts.model_dump())


if TYPE_CHECKING:
    Guess = NumberGuess | VerdictGuess | ChoiceGuess
else:
    Guess = Annotated[_Checked, Field(discriminator="kind"), AfterValidator(_guess)]
"""What pydantic reads as a guess."""
