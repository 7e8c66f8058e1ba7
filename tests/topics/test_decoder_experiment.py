"""The decoder's experiment from parameters to result, on the real kernel executed by the TTIR interpreter."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from core.contracts.claims import Verdict
from core.contracts.events import Partial, Progress
from core.contracts.result import Provenance
from core.topics.decoder import TOPIC
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan
from core.topics.decoder.result import FLOAT64, OUTPUT, TORCH, DecoderResult
from tests.poison import poison_new_tensors
from tests.same_result import same

pytest.importorskip("triton")

SMALL = {"weights": "random", "heads": 2, "feed_forward": 48, "encoder_layers": 1}
ALPHABET = "the quick brown fox jumps over a lazy dog "
CASES = {
    "post-norm": DecoderParams(**SMALL),
    "pre-norm, two layers": DecoderParams(
        **{**SMALL, "encoder_layers": 2}, norm="pre-norm", perturb="source", padding=3
    ),
    "one token each": DecoderParams(**SMALL, source="a", target="b", padding=0, position=1),
    "63 tokens and 5": DecoderParams(
        **SMALL, source=(ALPHABET * 2)[:62], target="hello", tokens="characters", padding=1, head_dim=64, position=2
    ),
    "decoder-only": DecoderParams(**SMALL, kind="decoder-only"),
    "encoder-only": DecoderParams(**SMALL, kind="encoder-only", perturb="source"),
    "no causal mask": DecoderParams(**SMALL, causal=False),
}


@cache
def outcome(case: str) -> tuple[DecoderResult, tuple[Progress | Partial, ...]]:
    return run(CASES[case])


def run(params: DecoderParams) -> tuple[DecoderResult, tuple[Progress | Partial, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        poison_new_tensors(patch)
        steps, events = TOPIC.load_experiment()(params, "cpu"), []
        while True:
            try:
                events.append(next(steps))
            except StopIteration as finished:
                return finished.value, tuple(events)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_that_the_block_equals_the_layers_of_torch(case: str) -> None:
    checks = outcome(case)[0].checks
    assert {check.what for check in checks} >= {OUTPUT, TORCH}
    assert [check.what for check in checks if check.against != FLOAT64]
    for check in checks:
        assert check.passed, check
        if check.against != FLOAT64:
            assert check.max_abs_error <= 1e-5


def test_that_every_node_of_the_plan_is_recorded_with_its_shape(case: str) -> None:
    result, planned = outcome(case)[0], plan(CASES[case])
    assert set(result.tensors) == {node.id for node in planned.flow.nodes}
    for node in planned.flow.nodes:
        tensor = result.tensors[node.id]
        assert tensor.shape == (node.length, min(node.width, 128))
        assert np.isfinite(tensor).all()


def test_that_a_change_never_leaves_what_the_masks_allow(case: str) -> None:
    result, planned = outcome(case)[0], plan(CASES[case])
    assert planned.reach
    for name, allowed in planned.reach.items():
        moved = result.changes[name]
        assert (moved[~allowed] == 0).all(), name
        assert np.isfinite(moved).all()
    stack = planned.perturbation.stack
    assert result.changes[f"{stack}.embedding"][planned.perturbation.position] > 0


def test_that_probabilities_are_zero_where_masked_and_sum_to_one(case: str) -> None:
    result, planned = outcome(case)[0], plan(CASES[case])
    assert result.attentions
    for name, attention in result.attentions.items():
        p, mask = attention.probabilities, planned.masks["encoder" if "encoder" in name else name]
        assert p.shape == (CASES[case].heads, *mask.shape)
        assert (p[:, ~mask] == 0).all()
        np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)


def test_that_traced_bytes_are_those_of_the_tensors(case: str) -> None:
    result, params = outcome(case)[0], CASES[case]
    for name, attention in result.attentions.items():
        rows = {row.tensor: row for row in attention.traffic}
        queries, visible, keys = (round(result.value(f"{name}.{n}")) for n in ("query_len", "visible_keys", "key_len"))
        assert {"Q", "K", "V", "O", "LSE"} <= set(rows)
        # Pads are hidden by the block-sparse kernel, which brings its lists and reads whole tiles of 64 keys.
        assert ("partial_ptr" in rows) == (visible < keys)
        keys_read = min(keys, -(-visible // 64) * 64)
        assert rows["Q"].unique_bytes == rows["O"].written_bytes == 4 * queries * params.width
        assert rows["K"].unique_bytes == rows["V"].unique_bytes == 4 * keys_read * params.width
    assert {line.function for line in result.lines} == {source.function for source in result.sources}
    assert result.metrics["block.error_torch" if params.has_decoder else "encoder.error_torch"].provenance is (
        Provenance.TRACED
    )


def test_that_every_claim_finds_what_it_should_or_says_what_would_test_it(case: str) -> None:
    result = outcome(case)[0]
    for claim in TOPIC.claims:
        finding = claim.test(result)
        assert not claim.is_surprised_by(finding), (claim.id, finding)
        assert str(finding.evidence).endswith(".")
    if case == "post-norm":
        untested = {c.id for c in TOPIC.claims if c.test(result).verdict is Verdict.NOT_TESTED}
        assert untested == {"attention-aligns"}


def test_that_gradients_flow_through_k_and_v_alone() -> None:
    result = outcome("post-norm")[0]
    assert result.value("gradient.neither") == 0
    assert result.value("gradient.k") > 0
    assert result.value("gradient.v") > 0
    assert result.value("gradient.sum_error") < 1e-12
    assert result.value("gradient.torch_error") < 1e-12
    assert 0 < result.value("gradient.kernel_error") <= 3 * result.value("gradient.float32_error") < 1e-4
    assert set(result.gradient.norms) == {"whole", "k", "v", "neither", "k + v"}
    maps = {path: getattr(result.gradient, path) for path in ("whole", "k", "v")}
    assert all(m.shape == (7, 9) for m in maps.values())
    assert (maps["whole"] <= maps["k"] + maps["v"] + 1e-6).all()
    assert all((m[:, 7:] == 0).all() for m in maps.values())  # pads


def test_that_influence_is_exactly_zero_in_the_future_only_under_the_mask() -> None:
    below = np.tri(7, k=-1, dtype=bool)
    assert (outcome("post-norm")[0].influence.target[below] == 0).all()
    assert (outcome("no causal mask")[0].influence.target > 0).all()


def test_that_a_decoder_only_block_has_no_memory() -> None:
    result = outcome("decoder-only")[0]
    names = (*result.tensors, *result.changes, *result.attentions, *result.metrics)
    assert not [name for name in names if "memory" in name or "cross" in name]
    assert result.influence.source is result.gradient.whole is None
    assert "gradient.whole" not in result.metrics
    assert result.value("block.attentions") == 1


def test_that_progress_never_goes_back_and_the_tensors_come_first(case: str) -> None:
    events = outcome(case)[1]
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    partial = next(event.result for event in events if isinstance(event, Partial))
    assert isinstance(partial, DecoderResult)
    assert "memory" in partial.tensors or CASES[case].kind == "decoder-only"
    assert partial.influence.target is None


def test_that_a_result_is_the_same_after_it_was_stored(case: str) -> None:
    result = outcome(case)[0]
    assert same(DecoderResult.from_bytes(result.to_bytes()), result)


def test_that_the_same_seed_trains_the_same_weights_and_a_cancel_leaves_none() -> None:
    from core.topics.decoder.experiment import weights

    params = DecoderParams(heads=1, feed_forward=32, encoder_layers=1, training_steps=10, seed=7)
    first, second = (weights.train(params, lambda *progress: None) for _ in range(2))
    np.testing.assert_array_equal(first.losses, second.losses)
    assert torch.equal(first.network.decoder.linear1.weight, second.network.decoder.linear1.weight)

    steps = TOPIC.load_experiment()(params.changed(seed=8), "cpu")
    next(steps)
    steps.close()
    assert not [key for key in weights._cache if 8 in key]


def test_that_training_teaches_the_cross_attention_where_to_look() -> None:
    params = DecoderParams(feed_forward=128, encoder_layers=1, training_steps=600)
    result, _ = run(params)
    assert result.value("accuracy.held_out") > 0.5  # chance is 1 in 196
    assert result.value("cross.weight_on_wanted") > 2 / 7  # twice what an even spread gives
    assert result.training_loss.shape == (600,)
    assert result.training_loss[-20:].mean() < 0.4 * result.training_loss[:20].mean()
