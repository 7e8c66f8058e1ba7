from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from core.contracts.errors import InvalidParams, RunFailed
from core.language_model.model import build_model, linear_names, parameter_count
from core.language_model.model_config import STANDARD, TINY, content_hash
from core.language_model.pretrain import batches, pretrain, rate_factor
from core.language_model.small_model import SmallModel
from core.language_model.text import documents

BRIEF = replace(TINY, steps=4)


class Cancelled(Exception):
    pass


def test_that_the_loss_falls_from_that_of_a_guess(trained: SmallModel) -> None:
    assert len(trained.losses) == TINY.steps
    assert trained.losses[0] == pytest.approx(math.log(TINY.vocabulary), rel=0.05)
    assert trained.losses[-1] < 0.9 * trained.losses[0]


def test_that_the_same_config_gives_the_same_weights_and_another_seed_others() -> None:
    first, second, other = (pretrain(config).model.state_dict() for config in (BRIEF, BRIEF, replace(BRIEF, seed=1)))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["model.norm.weight"], other["model.norm.weight"])


def test_that_training_leaves_torch_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    torch.set_num_threads(1)
    try:
        pretrain(BRIEF)
        assert torch.get_num_threads() == 1
        assert torch.equal(torch.random.get_rng_state(), state)
    finally:
        torch.set_num_threads(threads)


def test_that_a_tick_at_every_step_can_stop_the_training() -> None:
    seen: list[float] = []

    def progress(done: float, total: float, phase: str) -> None:
        seen.append(done)
        assert total == BRIEF.steps
        if done == 2:
            raise Cancelled

    threads = torch.get_num_threads()
    with pytest.raises(Cancelled):
        pretrain(BRIEF, progress)
    assert seen == [0, 1, 2]
    assert torch.get_num_threads() == threads


def test_that_a_loss_that_is_no_number_stops_the_training_and_says_at_which_step() -> None:
    with pytest.raises(RunFailed, match=r"stopped at step [23] of 4: the loss became (nan|inf)"):
        pretrain(replace(BRIEF, learning_rate=1e30))


def test_that_training_reads_the_documents_end_to_end(trained: SmallModel) -> None:
    assert trained.world is not None
    tokens = torch.cat([batch.flatten() for batch in islice(batches(TINY, trained.world, trained.tokenizer), 5)])
    texts = trained.tokenizer.decode(tokens).split("<eos><bos>")

    assert texts[0].startswith("<bos>")
    expected = list(islice(documents(trained.world, 0), len(texts)))
    assert texts[1:-1] == expected[1:-1]
    assert expected[-1].startswith(texts[-1].removesuffix("\ufffd"))


def test_that_the_learning_rate_rises_and_falls_within_its_peak() -> None:
    rates = np.array([rate_factor(step, 100) for step in range(100)])
    assert rates.max() == 1
    assert np.all(np.diff(rates[:10]) > 0)
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[-1] < 0.05


def test_that_the_standard_model_has_about_a_million_parameters_in_layers_that_adapters_know() -> None:
    model = build_model(STANDARD)
    block = STANDARD.hidden * (4 * STANDARD.hidden + 3 * STANDARD.intermediate + 2)
    counted = STANDARD.vocabulary * STANDARD.hidden + STANDARD.layers * block + STANDARD.hidden
    assert parameter_count(model) == counted
    assert 0.9e6 < counted < 1.1e6
    names = linear_names(model)
    assert len(names) == 7 * STANDARD.layers
    assert names[0] == "model.layers.0.self_attn.q_proj"


def test_that_everything_in_a_config_and_the_versions_change_its_hash() -> None:
    versions = {"torch": "2.13.0"}
    hashes = {content_hash(config, versions) for config in (TINY, replace(TINY, steps=21), replace(TINY, seed=1))}
    hashes.add(content_hash(TINY, {"torch": "2.14.0"}))
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": -1}, "negative"),
        ({"heads": 5}, "heads cannot share"),
        ({"steps": 0}, "at least one layer"),
        ({"length": 1}, "do not fit"),
        ({"length": 1000}, "do not fit"),
    ],
)
def test_that_a_config_for_no_model_is_refused(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(InvalidParams, match=sentence):
        replace(STANDARD, **change)
