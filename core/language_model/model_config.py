"""All that the weights of the small model follow from. Without torch: its hash can be known before anything loads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from core.contracts.errors import InvalidParams

CODE_VERSION = 2
"""Raised by whoever changes what a model config leads to (texts, model, training): older caches are not taken then."""


@dataclass(frozen=True)
class ModelConfig:
    """A world, a tokenizer, a model and its training.

    The model is a Llama: `hidden` wide, `layers` deep, `heads` heads, MLPs `intermediate` wide, embeddings tied.
    Training: `steps` batches of `batch` sequences of `length` tokens, AdamW, one-cycle `learning_rate`.
    """

    seed: int = 0
    people: int = 64
    vocabulary: int = 1024
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    intermediate: int = 384
    context: int = 512
    steps: int = 800
    batch: int = 32
    length: int = 64
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        """Raises InvalidParams for numbers that make no model."""
        if self.seed < 0:
            raise InvalidParams(f"The seed {self.seed} is negative: take 0 or more.")
        if self.hidden % (2 * self.heads):
            raise InvalidParams(
                f"{self.heads} heads cannot share {self.hidden} dimensions in even parts: make the width a multiple "
                f"of {2 * self.heads}."
            )
        if min(self.steps, self.batch, self.layers) < 1:
            raise InvalidParams("A model needs at least one layer, and its training one step of one sequence.")
        if not 2 <= self.length <= self.context:
            raise InvalidParams(f"Sequences of {self.length} tokens do not fit: take 2 to {self.context}.")


STANDARD = ModelConfig()
"""About one million parameters, trained in about a minute on two cores."""

TINY = ModelConfig(
    people=8, vocabulary=320, hidden=32, layers=2, heads=2, intermediate=64, context=128, steps=20, batch=8
)
"""For tests and first pictures: a second, and it knows next to nothing."""


def content_hash(config: ModelConfig, versions: dict[str, str]) -> str:
    """The name of what the config leads to with these versions of the libraries: 20 hexadecimal digits."""
    inputs = {"code": CODE_VERSION, "recipe": asdict(config), "versions": versions}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:20]
