"""Claims on what a block is made of: its attentions, and its equality with torch.nn's layers."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text
from core.topics.decoder.params import ENCODER_DECODER
from core.wording import missing, provenance, quantity

VASWANI = "Vaswani et al. 2017 (arXiv 1706.03762)"
SAME_TO_ROUNDING = 1e-4
"""What tells the same computation from another. Whether it is met to 1e-5 is a claim of its own, `equals-torch`."""


def not_encoder_decoder(result: Result) -> Finding | None:
    """The finding where the run's model has no cross-attention, else None."""
    kind = result.params["kind"]
    if kind == ENCODER_DECODER:
        return None
    return Finding(
        Verdict.NOT_TESTED, f"This run's model is {kind}, without cross-attention: set kind to encoder-decoder."
    )


def two_attentions(result: Result) -> Finding:
    """Holds when the decoder's block launched two kernels of attention, one over itself and one over the memory."""
    if untested := not_encoder_decoder(result):
        return untested
    names = ("block.attentions", "self.query_len", "self.visible_keys", "cross.query_len", "cross.visible_keys")
    if untested := missing(result, *names):
        return untested
    launched, self_queries, self_keys, cross_queries, cross_keys = (round(result.value(name)) for name in names)
    holds = launched == 2 and self_queries == self_keys == cross_queries
    return Finding(
        Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD,
        f"The decoder's block launched {launched} kernels of attention ({provenance(result, names[0])}): "
        f"{self_queries} queries over its own {self_keys} tokens, then {cross_queries} queries over {cross_keys} of "
        "the memory's.",
    )


def decoder_only_has_one(result: Result) -> Finding:
    """Holds when the decoder-only block launches one attention and equals torch.nn's layer that has no other."""
    names = ("decoder_only.attentions", "decoder_only.error_torch", "decoder_only.parameters")
    if untested := missing(result, *names):
        return untested
    launched, error = round(result.value(names[0])), result.value(names[1])
    extra = ""
    if "decoder.cross.parameters" in result.metrics:
        extra = f"; what it lacks are the {quantity(result, 'decoder.cross.parameters')} parameters of cross-attention"
    return Finding(
        Verdict.HOLDS if launched == 1 and error <= SAME_TO_ROUNDING else Verdict.DOES_NOT_HOLD,
        f"The decoder-only block launches {launched} kernel of attention ({provenance(result, names[0])}) and has "
        f"{quantity(result, names[2])} parameters (modelled){extra}. It differs from torch.nn.TransformerEncoderLayer "
        f"under a mask by at most {error:.2g} ({provenance(result, names[1])}), and there is no memory for a gradient.",
    )


def equals_torch(result: Result) -> Finding:
    """Holds when every comparison with torch.nn met its limit; with a limit where torch.nn is the one that is off.

    In float32 torch.nn's layer can itself be further than the limit from float64: then ours must be no further.
    """
    checks = result.tables.get("checks", [])
    rows = [row for row in checks if row["against"].startswith("torch.nn")]
    errors = {row["what"]: row["max_abs_error"] for row in checks if row["against"] == "float64"}
    if not rows or len(errors) < 2:
        return Finding(Verdict.NOT_TESTED, "This run compared nothing with torch.nn: run the page to the end.")
    told = ", ".join(f"{row['what']} from {row['against']}: {row['max_abs_error']:.2g}" for row in rows)
    limit, ours, theirs = rows[0]["limit"], errors["output"], errors["torch.nn"]
    evidence = (
        f"Largest difference on the same weights in float32, {told}; {limit:g} is asked for. From float64, "
        f"ours differs by {ours:.2g} and torch.nn's by {theirs:.2g}."
    )
    if all(row["max_abs_error"] <= limit for row in rows):
        return Finding(Verdict.HOLDS, evidence)
    torch_is_off = theirs > limit and ours <= theirs
    return Finding(Verdict.HOLDS_WITH_LIMIT if torch_is_off else Verdict.DOES_NOT_HOLD, evidence)


STRUCTURE_CLAIMS = (
    Claim(
        id="two-attentions",
        statement=Text(
            "A decoder block has two attentions: masked self-attention, then cross-attention to the encoder's output.",
            "解码器层有两个注意力：先是带掩码的自注意力，再是对编码器输出的交叉注意力。",
        ),
        source=f"{VASWANI}, section 3.1 and Figure 1",
        test=two_attentions,
    ),
    Claim(
        id="decoder-only-has-one",
        statement=Text(
            "Decoder-only models such as GPT have no cross-attention.",
            "GPT 这类 decoder-only 模型没有交叉注意力。",
        ),
        source="Radford et al. 2018 (GPT), section 3.1",
        test=decoder_only_has_one,
    ),
    Claim(
        id="equals-torch",
        statement=Text(
            "On the flash kernel the block gives what torch.nn's layers give with the same weights.",
            "权重相同时，基于 flash kernel 的层与 torch.nn 的层输出一致。",
        ),
        source="torch.nn.TransformerDecoderLayer and TransformerEncoder",
        test=equals_torch,
    ),
)
