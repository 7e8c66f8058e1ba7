"""Results of the decoder: the parameters that a result is a run of, and results stored by earlier versions."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np

from core.contracts.result import Metric, Provenance
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan
from core.topics.decoder.result import DecoderResult, Influence, MemoryGradient, Prediction

DEFAULT = DecoderParams()
ONES = np.ones((7, 7), np.float32)


def old_bytes() -> bytes:
    """An archive as it was written when arrays and tables had names only."""
    traffic = {"kernel": "flash", "function": "fwd", "tensor": "Q", "read_bytes": 8, "written_bytes": 0}
    line = {"kernel": "flash", "function": "fwd", "file": "flash.py", "line": 3, "op": "load", "tensor": "Q"}
    header: dict[str, Any] = {
        "topic": "decoder",
        "params": DEFAULT.model_dump(mode="json"),
        "environment": {"device": "cpu", "backend": "lanes", "versions": {"torch": "2"}},
        "metrics": {"past.cells": {"value": 28.0, "unit": "pairs", "provenance": "measured (CPU)", "note": ""}},
        "tables": {
            "checks": [{"what": "block", "against": "float64", "max_abs_error": 1e-7, "limit": 1e-5, "passed": True}],
            "traffic": [
                {"attention": name, **traffic, "unique_bytes": size} for name, size in (("self", 4), ("encoder.0", 6))
            ],
            "lines": [{"attention": "self", **line, "accesses": 2, "bytes": 8, "masked_share": 0.0}],
            "paths": [{"path": "whole", "norm": 4.0}, {"path": "k + v", "norm": 5.0}],
            "predictions": [
                {
                    "position": 0,
                    "given": "<bos>",
                    "wanted": "mat",
                    "predicted": "mat",
                    "probability": 0.9,
                    "right": True,
                }
            ],
            "sources": [
                {"kernel": "flash", "function": "fwd", "file": "flash.py", "first_line": 1, "text": "def", "ttir": "m"}
            ],
        },
    }
    arrays = {
        "stage.decoder.cross.k": 2 * ONES, "change.output": 3 * ONES[0], "attention.self": 4 * ONES[None],
        "attention.encoder.0": 5 * ONES[None], "influence.target": 6 * ONES, "gradient.whole": 7 * ONES,
        "loss": ONES[0],
    }  # fmt: skip
    buffer = io.BytesIO()
    members: dict[str, Any] = {f"array:{name}": array for name, array in arrays.items()}
    np.savez_compressed(buffer, __result__=np.array(json.dumps(header)), **members)
    return buffer.getvalue()


def test_that_an_old_history_opens() -> None:
    result = DecoderResult.from_bytes(old_bytes())
    assert result.params == DEFAULT
    assert result.environment.versions == {"torch": "2"}
    assert {name: array.max() for name, array in result.tensors.items()} == {"decoder.cross.k": 2}
    assert {name: array.max() for name, array in result.changes.items()} == {"output": 3}
    assert {name: attention.probabilities.max() for name, attention in result.attentions.items()} == {
        "self": 4, "encoder.0": 5,
    }  # fmt: skip
    assert [row.unique_bytes for row in result.attentions["encoder.0"].traffic] == [6]
    assert result.influence.target is not None
    assert result.influence.target.max() == 6
    assert result.influence.source is None
    assert result.gradient.whole is not None
    assert result.gradient.k is None
    assert result.gradient.norms == {"whole": 4, "k + v": 5}
    assert result.training_loss is not None
    assert result.predictions == (Prediction(0, "<bos>", "mat", "mat", 0.9, True),)
    assert [check.passed for check in result.checks] == [True]
    assert [line.line for line in result.lines] == [source.first_line + 2 for source in result.sources] == [3]
    assert result.value("past.cells") == 28


def test_that_tensors_stay_true_for_another_change_and_for_nothing_else() -> None:
    result = DecoderResult(params=DEFAULT, changes={"output": ONES[0]})
    for changes, tensors_are, changes_are in (
        ({}, True, True), ({"position": 1}, True, False), ({"perturb": "none"}, True, False),
        ({"seed": 1}, False, False), ({"target": "a b"}, False, False), ({"causal": False}, False, False),
    ):  # fmt: skip
        params = DEFAULT.changed(**{**({"position": 1} if "target" in changes else {}), **changes})
        assert result.is_run_of(params) is tensors_are
        assert bool(result.changes_of(params)) is changes_are


def test_that_the_table_of_all_tokens_has_the_row_of_the_chosen_one() -> None:
    rows = np.arange(49, dtype=np.float32).reshape(7, 7)
    influence = Influence(target=rows)
    row = influence.of(plan(DEFAULT.changed(position=5)).perturbation)
    assert row is not None
    np.testing.assert_array_equal(row, rows[5])
    assert influence.of(plan(DEFAULT.changed(perturb="source")).perturbation) is None
    assert influence.of(None) is None


def test_that_a_run_in_the_making_keeps_what_is_known_of_all_tokens_but_never_a_change() -> None:
    earlier = DecoderResult(
        params=DEFAULT,
        metrics={
            "past.cells": Metric(28, "pairs", Provenance.MEASURED_CPU),
            "flops": Metric(1, "", Provenance.MODELLED),
        },
        tensors={"output": ONES},
        changes={"output": ONES[0]},
        influence=Influence(target=ONES),
        gradient=MemoryGradient(norms={"whole": 4.0}),
    )
    partial = DecoderResult(params=DEFAULT.changed(position=1), tensors={"output": 2 * ONES})
    kept = partial.with_all_tokens_of(earlier)
    assert kept.influence.target is ONES
    assert kept.gradient.norms == {"whole": 4.0}
    assert set(kept.metrics) == {"past.cells"}
    assert kept.changes == {}
    assert float(kept.tensors["output"][0, 0]) == 2
    other = replace(partial, params=partial.params.changed(seed=9))
    assert other.with_all_tokens_of(earlier) is other
    assert partial.with_all_tokens_of(None) is partial
