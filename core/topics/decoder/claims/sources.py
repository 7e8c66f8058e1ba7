"""Claims on where Q, K and V of the cross-attention come from."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text
from core.topics.decoder.claims.structure import SAME_TO_ROUNDING, VASWANI, not_encoder_decoder
from core.wording import missing, provenance

_SUM_LIMIT = 1e-9
_SWAPS = tuple(f"{swap}_swap.{letter}_change" for swap in ("memory", "stream") for letter in "qkv")


def qkv_sources(result: Result) -> Finding:
    """Holds when the memory moves K and V alone, the stream Q alone, and torch's layer is handed the same tensors."""
    arguments = tuple(f"torch_cross.{name}_error" for name in ("query", "key", "value"))
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS, *arguments):
        return untested
    moved, given = _moved(result), [result.value(name) for name in arguments]
    as_taught = {"memory_swap": [False, True, True], "stream_swap": [True, False, False]}
    holds = all([change != 0 for change in moved[swap]] == expected for swap, expected in as_taught.items())
    memory, stream = (", ".join(f"{change:.3g}" for change in moved[swap]) for swap in as_taught)
    return Finding(
        Verdict.HOLDS if holds and max(given) <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        f"Replacing the memory alone changes Q, K, V of the cross-attention by {memory}; replacing the tokens of the "
        f"decoder alone, by {stream} ({provenance(result, _SWAPS[0])}; 0 is exact). torch.nn's layer hands its "
        f"cross-attention the output of the masked self-attention (difference {given[0]:.2g}) and the memory "
        f"({max(given[1:]):.2g}).",
    )


def all_from_encoder(result: Result) -> Finding:
    """It would hold if the cross-attention's queries moved with the memory and not with the decoder's tokens."""
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS):
        return untested
    moved = _moved(result)
    from_memory, from_stream = moved["memory_swap"][0], moved["stream_swap"][0]
    return Finding(
        Verdict.HOLDS if from_memory != 0 and from_stream == 0 else Verdict.DOES_NOT_HOLD,
        f"Q changes by {from_memory:.3g} when the memory is replaced and by {from_stream:.3g} when the decoder's "
        f"tokens are ({provenance(result, _SWAPS[0])}): it comes from the decoder.",
    )


def gradient_paths(result: Result) -> Finding:
    """Holds when the paths through K and V add up to the whole gradient and nothing is left without them."""
    names = tuple(f"gradient.{name}" for name in ("whole", "k", "v", "neither", "sum_error", "torch_error"))
    if untested := not_encoder_decoder(result) or missing(result, *names):
        return untested
    whole, k, v, neither, sum_error, torch_error = (result.value(name) for name in names)
    holds = whole > 0 and neither == 0 and sum_error <= _SUM_LIMIT and torch_error <= _SUM_LIMIT
    return Finding(
        Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD,
        f"The gradient into the memory has norm {whole:.4g}: {k:.4g} through K alone, {v:.4g} through V alone, and "
        f"with both cut off {neither:g}. The two paths differ from the whole by {sum_error:.2g}, the whole from that "
        f"through torch.nn's layer by {torch_error:.2g} (relative, float64, {provenance(result, names[0])}).",
    )


def keys_can_be_kept(result: Result) -> Finding:
    """Holds when K and V of the cross-attention stay as they are, exactly, whatever the decoder reads."""
    if untested := not_encoder_decoder(result) or missing(result, *_SWAPS):
        return untested
    q, k, v = _moved(result)["stream_swap"]
    return Finding(
        Verdict.HOLDS if k == v == 0 and q != 0 else Verdict.DOES_NOT_HOLD,
        f"With all of the decoder's tokens replaced, K changes by {k:g}, V by {v:g} and Q by {q:.3g} "
        f"({provenance(result, _SWAPS[0])}).",
    )


def _moved(result: Result) -> dict[str, list[float]]:
    """The changes of Q, K and V by what was replaced."""
    return {
        swap: [result.value(f"{swap}.{letter}_change") for letter in "qkv"] for swap in ("memory_swap", "stream_swap")
    }


SOURCE_CLAIMS = (
    Claim(
        id="qkv-sources",
        statement=Text(
            "In cross-attention Q comes from the decoder (the output of the masked self-attention), K and V from the "
            "encoder's last layer.",
            "交叉注意力中，Q 来自解码器（带掩码自注意力的输出），K 和 V 来自编码器最后一层的输出。",
        ),
        source=f"{VASWANI}, section 3.2.3",
        test=qkv_sources,
    ),
    Claim(
        id="gradient-through-k-and-v",
        statement=Text(
            "Gradients reach the encoder's output only through K and V of the cross-attention.",
            "梯度只能经由交叉注意力的 K 和 V 传到编码器的输出。",
        ),
        source=f"Follows from {VASWANI}, section 3.2.3",
        test=gradient_paths,
    ),
    Claim(
        id="all-from-encoder",
        statement=Text(
            "In cross-attention Q, K and V all come from the encoder.", "交叉注意力的 Q、K、V 都来自编码器。"
        ),
        source=f"A mix-up with self-attention; against {VASWANI}, section 3.2.3",
        test=all_from_encoder,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="cross-keys-can-be-kept",
        statement=Text(
            "K and V of cross-attention do not depend on the decoder's tokens, so one computation serves all steps.",
            "交叉注意力的 K、V 与解码器的输入无关，因此只需计算一次，所有生成步骤共用。",
        ),
        source=f"Follows from {VASWANI}, section 3.2.3",
        test=keys_can_be_kept,
    ),
)
