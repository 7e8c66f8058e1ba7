"""The parameters of the decoder page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import tr, tr_in
from core.topics.decoder.tokens import MAX_TOKENS, split

ENCODER_DECODER, DECODER_ONLY, ENCODER_ONLY = "encoder-decoder", "decoder-only", "encoder-only"
POST_NORM, PRE_NORM = "post-norm", "pre-norm"
RANDOM, REVERSAL = "random", "reversal"
NOTHING, SOURCE, TARGET = "none", "source", "target"
TEXTS = {SOURCE: tr_in("text of the decoder page", "source"), TARGET: tr_in("text of the decoder page", "target")}
_TOKENS = {"words": tr("words"), "characters": tr("characters")}


class DecoderParams(Params):
    """One decoder block over an encoder stack, on two typed texts. The width is heads x head_dim."""

    source: str = text(
        "the cat sat on a mat",
        label=tr_in("text of the decoder page", "Source"),
        help=tr("The text that the encoder reads. Empty: padding alone, as in a row of a batch that has no source."),
        group=tr("Text"),
        if_empty=tr("padding alone"),
    )
    target: str = text(
        "mat a on sat cat the",
        label=tr_in("text of the decoder page", "Target"),
        help=tr("The text that the decoder reads, shifted right by one token. The default is the source reversed."),
        group=tr("Text"),
    )
    tokens: str = choice(
        "words",
        "words",
        "characters",
        label=tr("Tokens"),
        labels=_TOKENS,
        help=tr("Split both texts into words or characters."),
        group=tr("Text"),
    )
    padding: int = number(
        2,
        minimum=0,
        maximum=32,
        label=tr("Source padding"),
        unit="tokens",
        help=tr("Padding tokens after the source, as in a batch with a longer text. The masks hide them."),
        group=tr("Text"),
    )
    kind: str = choice(
        ENCODER_DECODER,
        ENCODER_DECODER,
        DECODER_ONLY,
        ENCODER_ONLY,
        labels={ENCODER_DECODER: tr("encoder-decoder")},
        label=tr("Model type"),
        help=tr(
            "Encoder and decoder with cross-attention (Transformer, T5), decoder only (GPT) or encoder only (BERT)."
        ),
        group=tr("Block"),
    )
    norm: str = choice(
        POST_NORM,
        POST_NORM,
        PRE_NORM,
        label=tr("Layer norm"),
        help=tr("After each residual addition, as in the original Transformer, or before each sublayer."),
        group=tr("Block"),
    )
    heads: int = choice(
        4, 1, 2, 4, 8, label=tr("Heads"), unit="heads", help=tr("Heads per attention."), group=tr("Block")
    )
    head_dim: int = choice(
        32, 32, 64, label=tr("Head dim d"), unit="elements",
        help=tr("Width of one head. The model width is heads times head dim."), group=tr("Block"),
    )  # fmt: skip
    feed_forward: int = number(
        256,
        minimum=32,
        maximum=2048,
        scale="log2",
        label=tr("Feed-forward width"),
        unit="elements",
        help=tr("Hidden width of the feed-forward layers."),
        group=tr("Block"),
    )
    encoder_layers: int = number(
        2,
        minimum=1,
        maximum=4,
        label=tr("Encoder layers"),
        unit="layers",
        help=tr("Number of encoder layers. The output of the last one is the memory."),
        group=tr("Block"),
    )
    weights: str = choice(
        REVERSAL,
        RANDOM,
        REVERSAL,
        labels={RANDOM: tr("random"), REVERSAL: tr("reversal")},
        label=tr("Weights"),
        help=tr(
            "Random from the seed, or trained for a few seconds to reverse the source. Only trained weights "
            "give meaningful attention maps."
        ),
        group=tr("Weights"),
    )
    training_steps: int = number(
        900,
        minimum=10,
        maximum=5000,
        step=100,
        label=tr("Training steps"),
        unit="steps",
        help=tr(
            "Training steps for reversing sequences. 900 steps take about 9 s at width 128 on one CPU core, "
            "and a minute at width 512."
        ),
        group=tr("Weights"),
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label=tr("Seed"), help=tr("Seed of the weights."), group=tr("Weights")
    )
    perturb: str = choice(
        TARGET,
        NOTHING,
        SOURCE,
        TARGET,
        labels={NOTHING: tr_in("text of the decoder page", "none"), **TEXTS},
        label=tr("Change a token in"),
        help=tr("Replace one token and see which tensors change, and where."),
        group=tr("Perturbation"),
    )
    position: int = number(
        3,
        minimum=0,
        maximum=MAX_TOKENS,
        label=tr("Position"),
        unit="",
        help=tr("Index of the replaced token, from 0. Position 0 of the target is its <bos>."),
        group=tr("Perturbation"),
    )
    causal: bool = switch(
        True,
        label=tr("Causal mask"),
        help=tr(
            "Hide future tokens in the decoder's self-attention. Without it, future tokens change earlier outputs."
        ),
        group=tr("Perturbation"),
    )

    @model_validator(mode="after")
    def _combination_is_possible(self) -> Self:
        texts = (SOURCE, TARGET) if self.has_decoder else (SOURCE,)
        for field in texts[1:] if self.memory_is_padding else texts:
            _check_text(field, split(getattr(self, field), self.tokens), self.tokens)
        if self.memory_is_padding:
            self._check_padding()
        if self.perturbs and self.position >= self.changeable_tokens:
            raise InvalidParams(
                tr(
                    "position = {position} is past the end of the {text}, which has {tokens} tokens here: use 0 to "
                    "{last}.",
                    position=self.position,
                    text=TEXTS[self.perturb],
                    tokens=self.changeable_tokens,
                    last=self.changeable_tokens - 1,
                ),
                "position",
            )
        return self

    def _check_padding(self) -> None:
        if not self.padding:
            raise InvalidParams(
                tr(
                    "The source is empty and has no padding, so there is no memory to attend to: type at least one "
                    "word, or set padding for a memory of padding alone."
                ),
                "source",
            )
        if self.perturb == SOURCE:
            raise InvalidParams(
                tr("The source is padding alone, and padding is not replaced: change a token in the target, or none."),
                "perturb",
            )

    @property
    def memory_is_padding(self) -> bool:
        """Whether the cross-attention has no key to see: the source is empty, and its padding is all there is."""
        return self.has_cross_attention and not split(self.source, self.tokens)

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
        raise InvalidParams(
            tr("The {text} is empty, so there is nothing to attend to: type at least one word.", text=TEXTS[field]),
            field,
        )
    if len(pieces) > MAX_TOKENS:
        raise InvalidParams(
            tr(
                "The {text} has {tokens:,} tokens ({unit}), and at most {limit} can be drawn legibly: use a shorter "
                "text.",
                text=TEXTS[field],
                tokens=len(pieces),
                unit=_TOKENS[unit],
                limit=MAX_TOKENS,
            ),
            field,
        )
