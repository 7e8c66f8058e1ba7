"""Everything that determines the weights of the small model. No torch, so its hash is known before anything loads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from core.contracts.errors import InvalidParams
from core.contracts.text import tr

CODE_VERSION = 2
"""Increase this when texts, model or training change for the same config. Older cache entries are then ignored."""


@dataclass(frozen=True)
class ModelConfig:
    """The configuration of a world, a tokenizer, a model and its training.

    The model is a Llama with `layers` layers of width `hidden`, `heads` heads, MLPs of width `intermediate` and tied
    embeddings. Training takes `steps` batches of `batch` sequences of `length` tokens, with AdamW and a one-cycle
    schedule that peaks at `learning_rate`.
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
        """Raises InvalidParams if no model can have these numbers."""
        if self.seed < 0:
            raise InvalidParams(tr("The seed {seed} is negative: use 0 or more.", seed=self.seed))
        if self.hidden % (2 * self.heads):
            raise InvalidParams(
                tr(
                    "{heads} heads cannot share {width} dimensions evenly: make the width a multiple of {multiple}.",
                    heads=self.heads,
                    width=self.hidden,
                    multiple=2 * self.heads,
                )
            )
        if min(self.steps, self.batch, self.layers) < 1:
            raise InvalidParams(tr("A model needs at least one layer, one training step and one sequence per batch."))
        if not 2 <= self.length <= self.context:
            raise InvalidParams(
                tr(
                    "Sequences of {length} tokens do not fit: use 2 to {context} tokens.",
                    length=self.length,
                    context=self.context,
                )
            )


STANDARD = ModelConfig()
"""About one million parameters. This model comes with the program (see `shipped`); training it takes about a minute on
two cores."""

TINY = ModelConfig(
    people=8, vocabulary=320, hidden=32, layers=2, heads=2, intermediate=64, context=128, steps=20, batch=8
)
"""For tests and quick looks: trains in a second and knows next to nothing."""


def content_hash(config: ModelConfig, versions: dict[str, str]) -> str:
    """The cache key of the model that this config gives with these library versions: 20 hexadecimal digits."""
    inputs = {"code": CODE_VERSION, "recipe": asdict(config), "versions": versions}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:20]
