"""A memory of padding alone: how it is written, and what each implementation makes of it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from core.contracts.claims import Verdict
from core.contracts.errors import InvalidParams
from core.topics.decoder import TOPIC
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan
from core.topics.decoder.result import FLOAT64, OUTPUT, DecoderResult, Outcome

EMPTY = {"source": "", "target": "c b a", "padding": 3, "weights": "random", "heads": 2, "feed_forward": 48}


@cache
def outcome(norm: str) -> DecoderResult:
    pytest.importorskip("triton")
    steps = TOPIC.load_experiment()(DecoderParams(**EMPTY, norm=norm), "cpu")
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            result: DecoderResult = finished.value
            return result


def test_that_an_empty_source_with_padding_is_a_memory_of_padding() -> None:
    planned = plan(DecoderParams(**EMPTY))
    assert planned.inputs.labels("source") == ("<pad>",) * 3
    assert not planned.masks["cross"].any()
    assert not planned.masks["encoder"].any()
    (remark,) = TOPIC.remarks(planned.params)
    assert "no query of the cross-attention sees a key" in str(remark.text)
    assert TOPIC.remarks(DecoderParams()) == ()


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"padding": 0}, "source", "empty and has no padding"),
        ({"perturb": "source"}, "perturb", "padding is not replaced"),
        ({"kind": "decoder-only"}, "source", "source is empty"),
        ({"kind": "encoder-only"}, "source", "source is empty"),
    ],
)
def test_that_what_makes_no_sense_without_a_source_is_refused(
    values: dict[str, object], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidParams, match=sentence) as caught:
        DecoderParams.parse({**EMPTY, **values})
    assert caught.value.field == field


@pytest.mark.parametrize("norm", ["post-norm", "pre-norm"])
def test_that_each_implementation_is_shown_with_what_it_makes_of_it(norm: str) -> None:
    result = outcome(norm)
    rows = {row.impl: row for row in result.empty_memory}
    assert rows["kernel"].outcome == rows["flex"].outcome == rows["sdpa"].outcome == Outcome.ZEROS
    assert rows["naive"].outcome == rows["mha"].outcome == Outcome.NAN
    assert rows["smallest"].outcome == Outcome.MEAN
    assert rows["naive"].nan_rows == rows["naive"].rows == 2 * 4
    assert {"sdpa-math", "mha-without-weights", "decoder-layer", "encoder", "encoder-inference"} <= set(rows)
    for name, row in rows.items():
        assert (row.outcome == Outcome.NAN) == (row.nan_rows > 0)
        assert result.value(f"empty_memory.{name}.nan_rows") == row.nan_rows


def test_that_our_block_stays_finite_and_equals_float64() -> None:
    result = outcome("post-norm")
    (check,) = result.checks
    assert (check.what, check.against, check.passed) == (OUTPUT, FLOAT64, True)
    assert all(np.isfinite(tensor).all() for tensor in result.tensors.values())
    assert not result.tensors["decoder.cross.heads"].any()
    assert not result.attentions["cross"].probabilities.any()
    assert all(np.isfinite(metric.value) for metric in result.metrics.values())


def test_that_no_claim_is_judged_by_what_was_not_seen() -> None:
    result = outcome("post-norm")
    for claim in TOPIC.claims:
        finding = claim.test(result)
        assert finding.verdict in (claim.expected, Verdict.NOT_TESTED), claim.id
        assert str(finding.evidence)
    restored = DecoderResult.from_bytes(result.to_bytes())
    assert restored.empty_memory == result.empty_memory
