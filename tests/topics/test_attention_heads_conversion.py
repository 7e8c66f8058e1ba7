"""The conversion of a model to fewer KV heads: groupings, the pooled model, its errors and its tuning."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts import archive
from core.contracts.errors import InvalidParams
from core.contracts.events import Progress
from core.language_model.evaluation import windows_loss
from core.language_model.libraries import silent_transformers
from core.language_model.model import build_model
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel
from core.language_model.tokenizer import train_tokenizer
from core.topics.attention_heads.conversion_result import (
    ConversionSetting,
    ConversionStudy,
    Grouping,
    all_settings,
    largest_error,
    possible_kv_heads,
)
from core.topics.attention_heads.experiment.conversion import grouping, texts
from core.topics.attention_heads.experiment.conversion.layers import AttentionLayers, attention_layers
from core.topics.attention_heads.experiment.conversion.measuring import gram_matrices, head_errors
from core.topics.attention_heads.experiment.conversion.pooling import pooled_copy, query_head_order, reordered_copy
from core.topics.attention_heads.experiment.conversion.study import study
from core.topics.attention_heads.experiment.conversion.texts import Source, folder_source, shuffled_batches
from core.topics.attention_heads.experiment.conversion.tuning import Tuning, tune

SMALL = {
    "vocab_size": 60,
    "hidden_size": 24,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
}
QUICK = Tuning(steps=3)


def no_progress(done: float, total: float, phase: object) -> None:
    """For work whose progress a test does not look at."""


@cache
def _built(kind: str, heads: int, kv_heads: int, changes: tuple[tuple[str, object], ...]) -> Any:
    with silent_transformers():
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.for_model(
            kind, **{**SMALL, **dict(changes)}, num_attention_heads=heads, num_key_value_heads=kv_heads
        )
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:  # norms and biases start as ones and zeros, which would hide mistakes
                weight.normal_(1.0 if "norm" in name else 0.0, 0.3)
            elif "proj" in name:
                weight.normal_(0.0, weight.shape[1] ** -0.5)
    return model


def built(kind: str = "llama", heads: int = 4, kv_heads: int = 4, **changes: object) -> Any:
    """A tiny random model that a test may change."""
    return copy.deepcopy(_built(kind, heads, kv_heads, tuple(sorted(changes.items()))))


def tokens(batch: int = 2, length: int = 11) -> torch.Tensor:
    return torch.randint(60, (batch, length), generator=torch.Generator().manual_seed(5))


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = model.eval()(input_ids=ids, use_cache=False).logits
    return result


def groups_of(*layers: Sequence[int]) -> np.ndarray:
    return np.array(layers, dtype=np.int32)


# Groupings.


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


# The converted model.


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "mistral"])
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_that_reordering_the_heads_leaves_the_logits(kind: str, kv_heads: int) -> None:
    model, ids = built(kind, 4, kv_heads), tokens()
    groups = groups_of([0, 1, 1, 0], [0, 1, 0, 1]) if kv_heads == 4 else groups_of([1, 0], [0, 1])

    reordered = reordered_copy(model, attention_layers(model), groups)

    assert not torch.equal(
        reordered.model.layers[0].self_attn.q_proj.weight, model.model.layers[0].self_attn.q_proj.weight
    )
    torch.testing.assert_close(logits(reordered, ids), logits(model, ids), rtol=1e-4, atol=1e-5)


def with_shared_heads(model: Any, groups: np.ndarray) -> Any:
    """MHA in which every head has the mean K and V of its group: what the converted model must compute."""
    model = copy.deepcopy(model)
    for block, layer_groups in zip(model.model.layers, groups, strict=True):
        for projection in (block.self_attn.k_proj, block.self_attn.v_proj):
            for weight in projection.parameters():
                heads = weight.data.view(len(layer_groups), -1, *weight.shape[1:])
                means = [heads[layer_groups == group].mean(dim=0) for group in layer_groups]
                weight.data.copy_(torch.cat(means))
    return model


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("groups", [groups_of([0, 1, 1, 0], [0, 1, 0, 1]), groups_of([0] * 4, [0] * 4)])
def test_that_the_pooled_model_equals_mha_with_shared_means(kind: str, groups: np.ndarray) -> None:
    model, ids = built(kind), tokens()
    pooled = pooled_copy(model, attention_layers(model), groups)

    torch.testing.assert_close(logits(pooled, ids), logits(with_shared_heads(model, groups), ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kv_heads", "count"), [(4, 2), (4, 1), (2, 1)])
def test_that_the_pooled_model_is_what_transformers_builds_from_its_config(
    kv_heads: int, count: int, tmp_path: Path
) -> None:
    model, ids = built("llama", 4, kv_heads), tokens()
    pooled = pooled_copy(
        model, attention_layers(model), np.zeros((2, kv_heads), np.int32) + np.arange(kv_heads) % count
    )

    assert pooled.config.num_key_value_heads == count
    assert model.config.num_key_value_heads == kv_heads
    rebuilt = type(model)(copy.deepcopy(pooled.config))
    rebuilt.load_state_dict(pooled.state_dict())
    assert torch.equal(logits(rebuilt, ids), logits(pooled, ids))
    with torch.no_grad():
        past = pooled(input_ids=ids, use_cache=True).past_key_values
    assert past.layers[0].keys.shape == (2, count, 11, 6)
    with silent_transformers():
        pooled.save_pretrained(tmp_path)
        reopened = type(model).from_pretrained(tmp_path)
    assert torch.equal(logits(reopened, ids), logits(pooled, ids))


def test_that_converting_leaves_the_model_as_it_was() -> None:
    model = built()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    pooled_copy(model, attention_layers(model), groups_of([0] * 4, [0] * 4))

    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


# What cannot be converted.


def gpt2() -> Any:
    with silent_transformers():
        from transformers import GPT2Config, GPT2LMHeadModel

        return GPT2LMHeadModel(GPT2Config(vocab_size=60, n_embd=24, n_head=4, n_layer=2, n_positions=32))


def opt() -> Any:
    with silent_transformers():
        from transformers import OPTConfig, OPTForCausalLM

        return OPTForCausalLM(
            OPTConfig(vocab_size=60, hidden_size=24, num_attention_heads=4, num_hidden_layers=2, ffn_dim=8)
        )


def of_different_layers() -> Any:
    model = built()
    attention = model.model.layers[1].self_attn
    attention.num_key_value_groups, rows = 2, 12
    attention.k_proj, attention.v_proj = (torch.nn.Linear(24, rows, bias=False) for _ in range(2))
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (gpt2, "gpt2 model has separate linear layers q_proj, k_proj, v_proj and o_proj in 0 of its 2 layers"),
        (opt, "in 0 of its 2 layers"),
        (lambda: built("phi3", pad_token_id=0), "use a model with them in every layer, such as a Llama"),
        (lambda: built("llama", 4, 1), r"already has one KV head \(MQA\)"),
        (lambda: built("olmo2"), "has the weight q_norm.weight, which may belong to single heads"),
        (of_different_layers, "differ in their number of heads"),
    ],
)
def test_that_a_model_that_cannot_be_converted_is_refused_in_one_sentence(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(InvalidParams, match=message) as error:
        attention_layers(make(), "model")

    assert error.value.field == "model"


# Errors of heads.


def test_that_reordered_heads_have_no_error() -> None:
    model, layers = built(), attention_layers(built())
    groups = groups_of([0, 1, 1, 0], [0, 1, 0, 1])

    errors = head_errors(model, reordered_copy(model, layers, groups), layers, groups, [tokens()], no_progress)

    assert errors.together.shape == errors.alone.shape == (2, 4)
    assert float(errors.together.max()) < 1e-5
    assert float(errors.alone.max()) < 1e-5


def heads_outputs(model: Any, ids: torch.Tensor, layer: int) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    projection = model.model.layers[layer].self_attn.o_proj
    hook = projection.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0].view(-1, 4, 6)))
    logits(model, ids)
    hook.remove()
    return kept[0].double()


def test_that_the_errors_are_those_of_mha_with_shared_means() -> None:
    model, ids = built(), tokens(3)
    layers, groups = attention_layers(model), groups_of([0, 1, 1, 0], [0, 1, 0, 1])
    both, second = with_shared_heads(model, groups), with_shared_heads(model, groups)
    second.model.layers[0] = model.model.layers[0]  # only the second layer is converted

    errors = head_errors(model, pooled_copy(model, layers, groups), layers, groups, [ids[:2], ids[2:]], no_progress)

    before = heads_outputs(model, ids, 1)
    for expected, changed in ((errors.together[1], both), (errors.alone[1], second)):
        moved = heads_outputs(changed, ids, 1) - before
        by_head = (moved.square().sum((0, 2)) / before.square().sum((0, 2))).sqrt()
        np.testing.assert_allclose(expected, by_head.numpy(), rtol=1e-4)
    np.testing.assert_allclose(errors.together[0], errors.alone[0], rtol=1e-5)


def test_that_measuring_leaves_no_hooks_behind() -> None:
    model, layers = built(), attention_layers(built())
    pooled = pooled_copy(model, layers, groups_of([0] * 4, [0] * 4))

    def stop(done: float, total: float, phase: object) -> None:
        if done == 1:
            raise KeyboardInterrupt

    for work in (
        lambda: head_errors(model, pooled, layers, groups_of([0] * 4, [0] * 4), [tokens()] * 2, stop),
        lambda: gram_matrices(model, layers, [tokens()] * 2, stop),
    ):
        with pytest.raises(KeyboardInterrupt):
            work()
    for module in (*model.modules(), *pooled.modules()):
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


# Tuning and the whole study.


@pytest.fixture(scope="module")
def source() -> Source:
    """A tiny untrained model with random text: what is tested is the work, not what a model knows."""
    config = dataclasses.replace(TINY, heads=4)
    model = build_model(config)
    generator = torch.Generator().manual_seed(1)
    windows = tuple(torch.randint(20, (13,), generator=generator) for _ in range(24))
    small = SmallModel("tiny", model, None, None, np.zeros(0), False, 0.0, "", 0, None)  # type: ignore[arg-type]
    return Source(small, windows[:8], windows[8:], 4, None)


def finished(source: Source, **options: Any) -> tuple[ConversionStudy, list[Progress | ConversionStudy]]:
    steps, events = study(source, **options), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return end.value, events


@pytest.fixture(scope="module")
def outcome(source: Source) -> tuple[ConversionStudy, list[Progress | ConversionStudy]]:
    return finished(source, tuning=QUICK)


def test_that_a_study_covers_every_divisor_and_grouping(
    outcome: tuple[ConversionStudy, list[Progress | ConversionStudy]], source: Source
) -> None:
    result, events = outcome
    settings_run = [(row.kv_heads, row.grouping) for row in result.results]

    assert settings_run == [
        (4, Grouping.UNCHANGED),
        (2, Grouping.NEIGHBOURS),
        (2, Grouping.SIMILAR),
        (2, Grouping.RANDOM),
        (1, Grouping.NEIGHBOURS),
    ]
    assert [len(event.results) for event in events if isinstance(event, ConversionStudy)] == [0, 1, 2, 3, 4, 5]
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert 0 <= done[0] <= done[-1] <= 1
    assert result.result(2, Grouping.RANDOM) is result.results[3]
    assert result.result(3, Grouping.RANDOM) is None
    assert result.loss_before == windows_loss(source.model.model, source.held_out).loss
    assert [row.kv_parameters for row in result.results] == [4096, 2048, 2048, 2048, 1024]


def test_that_a_result_has_the_documented_shapes(
    outcome: tuple[ConversionStudy, list[Progress | ConversionStudy]],
) -> None:
    study_result, _ = outcome
    for row in study_result.results:
        assert row.group_of_head.shape == row.head_error.shape == row.head_error_alone.shape == (2, 4)
        assert row.head_error.dtype == row.energy_lost.dtype == row.curve.dtype == np.float32
        assert row.curve.shape == (QUICK.steps,)
        assert np.isfinite(row.curve).all()
        assert row.loss_tuned is not None
        assert ((row.energy_lost >= 0) & (row.energy_lost <= 1)).all()
    control, *_, mqa = study_result.results
    assert control.loss_after == study_result.loss_before
    assert float(control.head_error.max()) == 0.0
    assert not mqa.group_of_head.any()
    assert mqa.head_error[largest_error(mqa)] == mqa.head_error.max()


def test_that_the_seed_determines_a_study(
    outcome: tuple[ConversionStudy, list[Progress | ConversionStudy]], source: Source
) -> None:
    setting = ConversionSetting(2, Grouping.RANDOM)
    again, other = (finished(source, settings=[setting], tuning=QUICK, seed=seed)[0].results[0] for seed in (0, 1))
    first = outcome[0].result(2, Grouping.RANDOM)

    assert first is not None
    assert archive.plain(again).keys() == archive.plain(first).keys()
    for name, value in archive.plain(again).items():
        np.testing.assert_array_equal(value, archive.plain(first)[name])
    assert not np.array_equal(other.curve, again.curve)


def test_that_a_study_can_be_stored_and_read_again(
    outcome: tuple[ConversionStudy, list[Progress | ConversionStudy]],
) -> None:
    tree = {"format": 1, "study": archive.plain(outcome[0])}
    read = archive.typed(ConversionStudy, archive.unpack(archive.pack(tree, compress=False))["study"])

    assert read.results[1].grouping is Grouping.NEIGHBOURS
    np.testing.assert_array_equal(read.results[2].curve, outcome[0].results[2].curve)
    assert dataclasses.replace(read, results=()) == dataclasses.replace(outcome[0], results=())


def test_that_tuning_lowers_the_loss_of_the_text_that_it_reads(source: Source) -> None:
    pooled = pooled_copy(source.model.model, attention_layers(source.model.model), groups_of([0] * 4, [0] * 4))
    before = windows_loss(pooled, source.training).loss

    curve = tune(pooled, shuffled_batches(source.training, 4, 0), Tuning(30, 1e-2), no_progress)

    assert curve.shape == (30,)
    assert windows_loss(pooled, source.training).loss < before - 0.5


def test_that_no_step_begins_after_the_time_limit(source: Source) -> None:
    model = copy.deepcopy(source.model.model)

    curve = tune(model, shuffled_batches(source.training, 4, 0), Tuning(30, max_seconds=0.0), no_progress)

    assert curve.shape == (1,)


def test_that_a_study_without_tuning_has_no_tuned_loss(source: Source) -> None:
    result, _ = finished(source, settings=[ConversionSetting(1, Grouping.NEIGHBOURS)], tuning=Tuning(steps=0))

    assert result.results[0].loss_tuned is None
    assert result.results[0].curve.shape == (0,)


def test_that_a_study_stops_between_two_steps_of_tuning(source: Source) -> None:
    running = study(source, tuning=Tuning(steps=10_000))
    for event in running:
        if isinstance(event, Progress) and "tuning" in str(event.phase):
            break
    running.close()

    assert next(running, None) is None
    assert not source.model.model.training


def test_that_shuffled_batches_read_every_window_once_per_epoch() -> None:
    windows = [torch.full((3,), number) for number in range(6)]
    read = list(itertools.islice(shuffled_batches(windows, 4, 0), 3))

    assert [tuple(batch.shape) for batch in read] == [(4, 3)] * 3
    assert sorted(torch.cat(read)[:6, 0].tolist()) == list(range(6))
    assert sorted(torch.cat(read)[6:, 0].tolist()) == list(range(6))


@pytest.mark.parametrize(("kv_heads", "possible"), [(1, ()), (2, (1,)), (7, (1,)), (12, (6, 4, 3, 2, 1))])
def test_that_a_model_converts_to_the_divisors_of_its_kv_heads(kv_heads: int, possible: tuple[int, ...]) -> None:
    assert possible_kv_heads(kv_heads) == possible
    assert {setting.kv_heads for setting in all_settings(kv_heads)} == {kv_heads, *possible}


# The user's own folder.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "mine"
    with silent_transformers():
        tokenizer = train_tokenizer(["the heads of a model share their keys"], 300)
        model = build_model(dataclasses.replace(TINY, heads=4, length=16, context=32), len(tokenizer))
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
    return path


def test_that_a_folder_is_tuned_and_measured_on_different_text(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the heads of a model share their keys and values. " * 60)
    source = folder_source(str(folder), str(text))

    assert len(source.held_out) == (len(source.held_out) + len(source.training)) // 5
    assert {len(window) for window in (*source.held_out, *source.training)} == {32}
    joined = torch.cat([window[:-1] for window in (*source.training, *source.held_out)])
    assert source.model.tokenizer.decode(joined, skip_special_tokens=True).startswith("the heads of a model share")
    result, _ = finished(source, settings=[ConversionSetting(2, Grouping.SIMILAR)], tuning=Tuning(steps=1))
    assert result.model == "mine"
    assert result.steps_before is None
    assert result.results[0].loss_tuned is not None


def test_that_a_text_that_is_too_short_is_refused(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the heads of a model")

    with pytest.raises(InvalidParams, match="too little text to tune and to measure the model") as error:
        folder_source(str(folder), str(text))

    assert error.value.field == "text_file"


def test_that_the_small_model_is_measured_on_text_that_does_not_tune_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(texts, "_TRAINING_BATCHES", 2)
    source = texts.small_model_source(config=TINY)

    assert source.steps_before == TINY.steps
    assert len(source.training) == 2 * TINY.batch
    held_out = {tuple(window.tolist()) for window in source.held_out}
    assert held_out
    assert not held_out & {tuple(window.tolist()) for window in source.training}


def test_that_query_heads_move_with_their_kv_head() -> None:
    layers = AttentionLayers(("a",), heads=6, kv_heads=3, head_dim=2)

    assert query_head_order(layers, np.array([0, 1, 0], dtype=np.int32)).tolist() == [0, 1, 4, 5, 2, 3]
