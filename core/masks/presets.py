"""Masks that real models use: which models, why, and the paper."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from core.contracts.text import Text, tr
from core.masks.nodes import Counted, Joined, Mask, Not
from core.masks.parser import parse


@dataclass(frozen=True)
class Preset:
    """A named mask with a text to show it on.

    `keys` is the text of the keys in cross-attention, else ''. `lengths` are real tokens per sequence of the batch,
    separated by commas, or '' for one sequence whose pads the text marks. `transformers` is the function that builds
    the same mask in Hugging Face transformers, or ''.
    """

    id: str
    title: Text
    expression: str
    text: str
    users: Text
    source: str
    keys: str = ""
    lengths: str = ""
    transformers: str = ""

    def mask(self, stretch: Fraction = Fraction(1)) -> Mask:
        """The mask, with windows and prefixes scaled by `stretch`, as the text is stretched over more positions."""
        return _stretched(parse(self.expression), stretch)


_FOX = (
    "The quick brown fox jumps over the lazy dog, and the dog, who had been asleep since noon, opens one eye. It sees "
    "the tail of the fox go over the wall, thinks for a while, and decides that this was a dream. So the story ends, "
    "the fox gone, the dog at rest."
)
_PACKED = (
    "<doc> Cats sleep most of the day and hunt in the dark, when mice feel safe. <eos> "
    "<doc> Dogs like to run after a ball. <eos> "
    "<doc> Fish can not close their eyes, so they sleep with open ones, still, close to the ground. <eos> "
    "<doc> Birds nap on one leg, some in flight. <eos>"
)
_DIALOGUE = (
    "<system> Be brief, and say so when you do not know. <user> What is an attention mask? "
    "<assistant> It says which token may look at which other token. <user> And what is padding? "
    "<assistant> Tokens that mean nothing: they make sequences equally long, and nobody may look at them, "
    "nor learn a thing from there."
)
_PREFIX_LM = (
    "Translate into French, and keep it short: The cat sat on the mat, looked out of the window and waited for the "
    "rain to end. <gmask> <sop> Le chat est assis sur le tapis, regarde par la fenêtre et attend que la pluie "
    "s'arrête, sans bouger ni bruit, les yeux mi-clos. <eop>"
)
_ENGLISH = (
    "translate English to German: That is good, because the house is old, the roof is new, and nobody wants to move "
    "before the winter comes back to the valley and the snow covers the road. </s>" + " <pad>" * 23
)
_GERMAN = (
    "<start> Das ist gut, denn das Haus ist alt, das Dach ist neu, und niemand will umziehen, bevor der Winter ins Tal "
    "kommt und der Schnee die Straße bedeckt. </s>"
)
_SHARED = (
    "Write one line about cats, as you would say it to a child. "
    "<doc> Cats nap in the sun until time to eat. <doc> A cat is a small tiger that came in to be warm. "
    "<doc> No door stays closed for a cat. <doc> A cat always lands on its feet, then pretends it was planned."
)

PRESETS: tuple[Preset, ...] = (
    Preset(
        id="causal",
        title=tr("Causal"),
        expression="causal",
        text=_FOX,
        users=tr(
            "Every decoder-only model, such as GPT and Llama: each token sees itself and the tokens before it, so all "
            "positions train in parallel without seeing their answers.",
        ),
        source="Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3; Radford et al. 2018 (GPT)",
        transformers="create_causal_mask",
    ),
    Preset(
        id="bert-padding",
        title=tr("BERT padding"),
        expression="~padding",
        text=_FOX,
        lengths="41, 64, 23, 52",
        users=tr(
            "BERT and every encoder: all tokens see each other, and no token sees the pads that make the sequences of "
            "a batch equally long.",
        ),
        source="Devlin et al. 2018 (arXiv 1810.04805); the reference code's create_attention_mask_from_input_mask",
        transformers="create_bidirectional_mask",
    ),
    Preset(
        id="prefix-lm",
        title=tr("Prefix-LM"),
        expression="causal | prefix(30)",
        text=_PREFIX_LM,
        users=tr(
            "GLM, ChatGLM-6B, U-PaLM: the prompt is bidirectional, and the answer is generated left to right.",
        ),
        source="Raffel et al. 2019 (T5, arXiv 1910.10683), section 3.2.1; Du et al. 2021 (GLM, arXiv 2103.10360)",
        transformers="create_causal_mask(or_mask_function=...)",
    ),
    Preset(
        id="t5-encoder",
        title=tr("T5 encoder"),
        expression="~padding",
        text=_ENGLISH,
        users=tr(
            "The encoder of T5, BART and the original Transformer: the same as in BERT.",
        ),
        source="Raffel et al. 2019 (T5, arXiv 1910.10683), section 2.1",
        transformers="create_bidirectional_mask",
    ),
    Preset(
        id="t5-decoder",
        title=tr("T5 decoder"),
        expression="causal & ~padding",
        text=_GERMAN + " <pad>" * 13,
        users=tr(
            "The first attention of the decoder of T5, BART and the original Transformer: causal, with pads hidden.",
        ),
        source="Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3; Raffel et al. 2019 (arXiv 1910.10683)",
        transformers="create_causal_mask",
    ),
    Preset(
        id="t5-cross",
        title=tr("T5 cross-attention"),
        expression="~padding",
        text=_GERMAN,
        keys=_ENGLISH,
        users=tr(
            "The second attention of an encoder-decoder: every target token sees the whole source, but not its pads. "
            "The matrix is not square.",
        ),
        source="Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3",
        transformers="create_bidirectional_mask(encoder_hidden_states=...)",
    ),
    Preset(
        id="mistral-window",
        title=tr("Sliding window"),
        expression="causal & window(12)",
        text=_FOX,
        users=tr(
            "Mistral 7B (4,096 tokens wide) and every other layer of Gemma 2: each token sees its last n keys; older "
            "information reaches it through the layers below.",
        ),
        source="Jiang et al. 2023 (Mistral 7B, arXiv 2310.06825), section 2; Beltagy et al. 2020 (arXiv 2004.05150)",
        transformers="create_sliding_window_causal_mask",
    ),
    Preset(
        id="packed-documents",
        title=tr("Packed documents"),
        expression="causal & documents",
        text=_PACKED,
        users=tr(
            "Pretraining of Llama 3 and fine-tuning with packing: short documents share a sequence instead of being "
            "padded, and no document sees another.",
        ),
        source="Krell et al. 2021 (arXiv 2107.02027); Llama 3 (arXiv 2407.21783), section 3.2",
        transformers="create_causal_mask(position_ids=...)",
    ),
    Preset(
        id="shared-prefix",
        title=tr("Shared prefix"),
        expression="causal & (documents | prefix(15))",
        text=_SHARED,
        users=tr(
            "Several answers to one prompt, sampled or scored in one sequence: each answer sees the prompt and itself. "
            "Prefix caches and the tree attention of speculative decoding use the same mask.",
        ),
        source="Juravsky et al. 2024 (Hydragen, arXiv 2402.05099); Miao et al. 2023 (SpecInfer, arXiv 2305.09781)",
    ),
    Preset(
        id="dialogue-turns",
        title=tr("Dialogue turns"),
        expression="turns",
        text=_DIALOGUE,
        users=tr(
            "Each turn is bidirectional inside and sees the turns before it (as Gemma 3 treats the tokens of an image)."
            " Most chat models stay causal over the whole dialogue: only the loss differs per turn.",
        ),
        source="Bao et al. 2020 (PLATO, arXiv 1910.07931), section 2; Gemma 3 (arXiv 2503.19786), section 2",
        transformers="create_causal_mask(block_sequence_ids=...)",
    ),
)

PRESET_IDS: tuple[str, ...] = tuple(preset.id for preset in PRESETS)


_BY_ID = dict(zip(PRESET_IDS, PRESETS, strict=True))


def preset(preset_id: str) -> Preset:
    """The preset with this id. Raises KeyError for an id that is not in PRESET_IDS."""
    return _BY_ID[preset_id]


def _stretched(mask: Mask, stretch: Fraction) -> Mask:
    match mask:
        case Joined(terms):
            return type(mask)(tuple(_stretched(term, stretch) for term in terms))
        case Not(term):
            return Not(_stretched(term, stretch))
        case Counted(count):
            return type(mask)(round(count * stretch))
    return mask
