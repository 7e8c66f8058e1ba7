"""The parameters of the decoder page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.topics.decoder.tokens import MAX_TOKENS, split

ENCODER_DECODER, DECODER_ONLY, ENCODER_ONLY = "encoder-decoder", "decoder-only", "encoder-only"
POST_NORM, PRE_NORM = "post-norm", "pre-norm"
RANDOM, REVERSAL = "random", "reversal"
NOTHING, SOURCE, TARGET = "none", "source", "target"


class DecoderParams(Params):
    """One decoder block over an encoder stack, on two typed texts. The width is heads x head_dim."""

    source: str = text(
        "the cat sat on a mat",
        label="Source",
        help="The text that the encoder reads.",
        group="Text",
    )
    target: str = text(
        "mat a on sat cat the",
        label="Target",
        help="The text that the decoder reads, shifted right by one token. The default is the source reversed.",
        group="Text",
    )
    tokens: str = choice(
        "words", "words", "characters", label="Tokens", help="Split both texts into words or characters.", group="Text"
    )
    padding: int = number(
        2,
        minimum=0,
        maximum=32,
        label="Source padding",
        unit="tokens",
        help="Padding tokens after the source, as in a batch with a longer text. The masks hide them.",
        group="Text",
    )
    kind: str = choice(
        ENCODER_DECODER,
        ENCODER_DECODER,
        DECODER_ONLY,
        ENCODER_ONLY,
        label="Model type",
        help="Encoder and decoder with cross-attention (Transformer, T5), decoder only (GPT) or encoder only (BERT).",
        group="Block",
    )
    norm: str = choice(
        POST_NORM,
        POST_NORM,
        PRE_NORM,
        label="Layer norm",
        help="After each residual addition, as in the original Transformer, or before each sublayer.",
        group="Block",
    )
    heads: int = choice(4, 1, 2, 4, 8, label="Heads", unit="heads", help="Heads per attention.", group="Block")
    head_dim: int = choice(
        32, 32, 64, label="Head dim d", unit="elements",
        help="Width of one head. The model width is heads times head dim.", group="Block",
    )  # fmt: skip
    feed_forward: int = number(
        256,
        minimum=32,
        maximum=2048,
        scale="log2",
        label="Feed-forward width",
        unit="elements",
        help="Hidden width of the feed-forward layers.",
        group="Block",
    )
    encoder_layers: int = number(
        2,
        minimum=1,
        maximum=4,
        label="Encoder layers",
        unit="layers",
        help="Number of encoder layers. The output of the last one is the memory.",
        group="Block",
    )
    weights: str = choice(
        REVERSAL,
        RANDOM,
        REVERSAL,
        label="Weights",
        help="Random from the seed, or trained for some seconds to reverse the source, which gives the maps a meaning.",
        group="Weights",
    )
    training_steps: int = number(
        900,
        minimum=10,
        maximum=5000,
        step=100,
        label="Training steps",
        unit="steps",
        help="Steps of training to reverse. 900 take about 9 s at width 128 on one CPU core, a minute at width 512.",
        group="Weights",
    )
    seed: int = number(0, minimum=0, maximum=2**31 - 1, label="Seed", help="Seed of the weights.", group="Weights")
    perturb: str = choice(
        TARGET,
        NOTHING,
        SOURCE,
        TARGET,
        label="Change a token in",
        help="Replace one token and see which tensors change, and where.",
        group="Perturbation",
    )
    position: int = number(
        3,
        minimum=0,
        maximum=MAX_TOKENS,
        label="Position",
        unit="",
        help="Index of the replaced token, from 0. Position 0 of the target is its <bos>.",
        group="Perturbation",
    )
    causal: bool = switch(
        True,
        label="Causal mask",
        help="Hide future tokens in the decoder's self-attention. Without it, future tokens change earlier outputs.",
        group="Perturbation",
    )

    @model_validator(mode="after")
    def _combination_is_possible(self) -> Self:
        for field in (SOURCE, TARGET) if self.has_decoder else (SOURCE,):
            _check_text(field, split(getattr(self, field), self.tokens), self.tokens)
        if self.perturbs and self.position >= self.changeable_tokens:
            raise InvalidParams(
                f"position = {self.position} is past the end of the {self.perturb}, which has "
                f"{self.changeable_tokens} tokens here: use 0 to {self.changeable_tokens - 1}.",
                "position",
            )
        return self

    @property
    def width(self) -> int:
        """d_model, in elements."""
        return self.heads * self.head_dim

    @property
    def has_decoder(self) -> bool:
        return self.kind != ENCODER_ONLY

    @property
    def has_cross_attention(self) -> bool:
        return self.kind == ENCODER_DECODER

    @property
    def perturbs(self) -> bool:
        """Whether one token is replaced. An encoder alone reads no target."""
        return self.perturb == SOURCE or (self.perturb == TARGET and self.has_decoder)

    @property
    def changeable_tokens(self) -> int:
        """Tokens of the text that `perturb` names, the <bos> of a target and the <eos> of a source included."""
        return len(split(self.target if self.perturb == TARGET else self.source, self.tokens)) + 1


def _check_text(field: str, pieces: tuple[str, ...], unit: str) -> None:
    if not pieces:
        raise InvalidParams(f"The {field} is empty, so there is nothing to attend to: type at least one word.", field)
    if len(pieces) > MAX_TOKENS:
        raise InvalidParams(
            f"The {field} has {len(pieces):,} tokens ({unit}), and at most {MAX_TOKENS} can be drawn legibly: use a "
            "shorter text.",
            field,
        )
