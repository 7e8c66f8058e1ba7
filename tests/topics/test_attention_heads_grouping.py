"""Which heads are pooled: equal groups, the best of them, and what they lose."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.topics.attention_heads.experiment.conversion import grouping
from core.topics.attention_heads.experiment.conversion.layers import attention_layers
from core.topics.attention_heads.experiment.conversion.measuring import gram_matrices
from tests.topics.conversion_cases import built, groups_of, logits, no_progress, tokens


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_that_random_groups_have_the_same_size(count: int, size: int, seed: int) -> None:
    groups = grouping.random_groups(count * size, count, np.random.default_rng(seed))

    assert np.bincount(groups).tolist() == [size] * count
    firsts = [int(np.argmax(groups == group)) for group in range(count)]
    assert firsts == sorted(firsts)


@settings(deadline=None)
@given(st.sampled_from([(4, 2), (6, 2), (6, 3), (8, 2), (8, 4)]), st.integers(0, 999))
def test_that_the_most_similar_groups_lose_least_of_all_groups(sizes: tuple[int, int], seed: int) -> None:
    heads, count = sizes
    distance = random_distances(heads, seed)
    best = min(
        grouping.energy_lost(distance, np.array(labels, dtype=np.int32))
        for labels in itertools.product(range(count), repeat=heads)
        if labels[0] == 0 and np.bincount(labels, minlength=count).tolist() == [heads // count] * count
    )

    chosen = grouping.most_similar(distance, count)

    assert np.bincount(chosen).tolist() == [heads // count] * count
    assert grouping.energy_lost(distance, chosen) == pytest.approx(best)


@pytest.mark.parametrize("sizes", [(4, 2), (6, 3), (8, 4), (9, 3), (12, 2)])
def test_that_every_grouping_is_tried_once(sizes: tuple[int, int]) -> None:
    heads, count = sizes
    tried = [tuple(groups) for groups in grouping._all_groups(heads, heads // count)]

    assert len(set(tried)) == len(tried) == grouping.groupings(heads, count)


def test_that_swapping_finds_hidden_groups_among_many_heads() -> None:
    rng = np.random.default_rng(0)
    hidden = grouping.random_groups(32, 8, rng)
    vectors = rng.normal(size=(8, 64))[hidden] + 0.3 * rng.normal(size=(32, 64))
    distance = grouping.distances(vectors @ vectors.T, vectors @ vectors.T)
    assert grouping.groupings(32, 8) > grouping.MAX_EXHAUSTIVE

    assert grouping.most_similar(distance, 8).tolist() == hidden.tolist()


def test_that_swapping_is_near_the_optimum_and_never_worse_than_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, searched, plain = [], [], []
    for seed in range(20):
        distance = random_distances(8, seed)
        exact.append(grouping.energy_lost(distance, grouping.most_similar(distance, 4)))
        plain.append(grouping.energy_lost(distance, grouping.neighbours(8, 4)))
        with monkeypatch.context() as patch:
            patch.setattr(grouping, "MAX_EXHAUSTIVE", 0)
            searched.append(grouping.energy_lost(distance, grouping.most_similar(distance, 4)))

    assert np.mean(searched) <= 1.01 * np.mean(exact)
    assert (np.array(searched) <= np.array(plain) + 1e-12).all()


def random_distances(heads: int, seed: int) -> np.ndarray:
    keys, values = np.random.default_rng(seed).normal(size=(2, heads, 10))
    return grouping.distances(keys @ keys.T, values @ values.T)


def test_that_the_energy_lost_is_that_of_the_pooled_keys_and_values() -> None:
    model, ids = built(), tokens()
    layers = attention_layers(model)
    groups = groups_of([0, 1, 1, 0], [0, 1, 0, 1])
    distance = [
        grouping.distances(k, v) for k, v in zip(*gram_matrices(model, layers, [ids], no_progress), strict=True)
    ]
    kept: dict[str, torch.Tensor] = {}
    for part in ("k_proj", "v_proj"):
        projection = model.model.layers[0].self_attn.get_submodule(part)
        projection.register_forward_hook(lambda module, inputs, output, part=part: kept.update({part: output}))
    logits(model, ids)

    losses = []
    for heads in (kept[part].view(-1, 4, 6) for part in ("k_proj", "v_proj")):
        mean = torch.stack([heads[:, groups[0] == group].mean(dim=1) for group in groups[0]], dim=1)
        losses.append(float((heads - mean).square().sum() / heads.square().sum()))

    assert grouping.energy_lost(distance[0], groups[0]) == pytest.approx(np.mean(losses), rel=1e-5)


def test_that_equal_heads_lose_nothing_and_a_zero_projection_is_no_error() -> None:
    assert grouping.energy_lost(grouping.distances(np.ones((4, 4)), np.zeros((4, 4))), grouping.neighbours(4, 1)) == 0.0
