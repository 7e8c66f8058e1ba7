"""The study of all conversions of a model: tuning, progress, results, and the text that it reads."""

from __future__ import annotations

import dataclasses
import itertools
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

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
    possible_kv_heads,
)
from core.topics.attention_heads.experiment.conversion import texts
from core.topics.attention_heads.experiment.conversion.layers import attention_layers
from core.topics.attention_heads.experiment.conversion.pooling import pooled_copy
from core.topics.attention_heads.experiment.conversion.study import study
from core.topics.attention_heads.experiment.conversion.texts import Source, folder_source, shuffled_batches
from core.topics.attention_heads.experiment.conversion.tuning import Tuning, tune
from tests.topics.conversion_cases import groups_of, no_progress

QUICK = Tuning(steps=3)


@pytest.fixture(scope="module")
def source() -> Source:
    """A tiny untrained model with random text: what is tested is the work, not what a model knows."""
    config = dataclasses.replace(TINY, heads=4)
    model = build_model(config)
    generator = torch.Generator().manual_seed(1)
    windows = tuple(torch.randint(20, (13,), generator=generator) for _ in range(24))
    small = SmallModel("tiny", model, None, None, np.zeros(0), False, 0.0, "", 0, None)  # type: ignore[arg-type]
    return Source(small, windows[:8], windows[8:], 4)


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

    assert len(source.training) == 2 * TINY.batch
    held_out = {tuple(window.tolist()) for window in source.held_out}
    assert held_out
    assert not held_out & {tuple(window.tolist()) for window in source.training}


def test_that_a_folder_without_a_text_reads_the_small_world(folder: Path) -> None:
    source = folder_source(str(folder), max_tokens=1000)

    assert len(source.held_out) == 6
    assert len(source.training) == 1000 // 31 - 6
    held_out = {tuple(window.tolist()) for window in source.held_out}
    assert not held_out & {tuple(window.tolist()) for window in source.training}


def test_that_a_copy_that_does_not_fit_into_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 16 * folder_source(str(folder), max_tokens=1000).model.parameters
    for free, tuned, fits in ((needed - 1, True, False), (needed, True, True), (needed - 1, False, True)):
        monkeypatch.setattr(texts, "host_facts", lambda free=free: SimpleNamespace(available_memory_bytes=free))
        with nullcontext() if fits else pytest.raises(InvalidParams, match="use a smaller model"):
            folder_source(str(folder), max_tokens=1000, tuned=tuned)


@pytest.mark.parametrize("kv_heads", [0, 3, 8])
def test_that_groups_of_different_sizes_are_refused(source: Source, kv_heads: int) -> None:
    with pytest.raises(InvalidParams, match=f"cannot be pooled into {kv_heads} groups of the same size"):
        finished(source, settings=[ConversionSetting(kv_heads, Grouping.SIMILAR)], field="kv_heads")
