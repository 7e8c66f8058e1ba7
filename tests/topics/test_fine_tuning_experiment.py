"""Seven methods on a tiny model: what moves, what stays, and what is kept when one breaks."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.contracts.errors import InvalidParams
from core.contracts.events import Partial
from core.contracts.result import Provenance
from core.language_model.cache import Cache
from core.language_model.data import Batch, batch_loss, prompt_ids, task_batches
from core.language_model.model import build_model, linear_names, parameter_count
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel, small_model
from core.language_model.table_task import TableTask, table_task
from core.language_model.torch_state import evaluating, torch_threads
from core.topics.fine_tuning.experiment import opening, training
from core.topics.fine_tuning.experiment.building import build
from core.topics.fine_tuning.experiment.four_bits import (
    Nf4Linear,
    four_bit_layers,
    gradient_evidence,
    restored_weight,
)
from core.topics.fine_tuning.experiment.inspect_example import answers
from core.topics.fine_tuning.experiment.training import MethodRun, recorded_steps
from core.topics.fine_tuning.methods import METHODS, PROMPTS, MethodId
from core.topics.fine_tuning.result import FineTuningResult, MethodSummary
from tests.questions.asked import asked_metrics
from tests.same_result import same
from tests.topics.fine_tuning_runs import Events, as_stored_before, finished, messages, quick, with_rendered_texts

TARGETS = ("q_proj", "v_proj")
NOTHING = FineTuningResult(params=quick())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def trained(data: Path) -> SmallModel:
    return small_model(TINY, cache=Cache(data / "cache" / "language-models"))


@pytest.fixture(scope="module")
def task(trained: SmallModel) -> TableTask:
    assert trained.world is not None
    return table_task(trained.world)


@pytest.fixture(scope="module", autouse=True)
def tiny_instead(data: Path, trained: SmallModel) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TILESCOPE_DATA_DIR", str(data))
        patch.setattr(opening, "STANDARD", TINY)
        patch.setattr(opening, "HELD_OUT_ROWS", 4)
        with torch_threads(1):
            yield


@pytest.fixture(scope="module")
def whole(tiny_instead: None) -> tuple[FineTuningResult, Events]:
    return finished(quick())


def summaries(result: FineTuningResult) -> dict[str, MethodSummary]:
    return {name: method.summary for name, method in result.methods.items() if method.summary is not None}


def test_that_every_method_learns_on_its_own_parameters_alone(whole: tuple[FineTuningResult, Events]) -> None:
    result, _ = whole
    assert list(summaries(result)) == list(METHODS)
    assert not messages(result)
    for method, summary in summaries(result).items():
        run = result.method(method)
        assert not summary.error
        assert summary.steps == 3
        assert np.isfinite(run.losses).all()
        frozen = run.frozen_gradients
        assert np.nanmax(frozen) == 0 if method != "full" else np.isnan(frozen).all()
        assert summary.frozen_unchanged is (None if method == "full" else True)
        assert run.trained_at is not None
        assert summary.trainable_parameters == sum(run.trained_at.values())
        assert set(run.trained_at) <= {place.id for place in result.places}
        counted = summary.total_parameters - summary.extra_parameters - result.value("base.parameters")
        assert counted == (7 * TINY.layers if method == "adalora" else 0)  # AdaLoRA's ranks


def test_that_gradients_lie_where_parameters_are_trained_and_nowhere_else(
    whole: tuple[FineTuningResult, Events],
) -> None:
    result, _ = whole
    for method in METHODS:
        run = result.method(method)
        assert run.gradient_norms is not None
        assert run.trained_at is not None
        trained = np.array([run.trained_at.get(place.id, 0) > 0 for place in result.places])
        assert run.gradient_norms.shape == (3, len(trained))
        assert np.isfinite(run.gradient_norms[:, trained]).all()
        assert np.isnan(run.gradient_norms[:, ~trained]).all()
        assert (run.gradient_norms[-1, trained] > 0).all()
    low, high = result.gradient_range
    assert 0 < low < high == max(float(np.nanmax(run.gradient_norms)) for run in result.methods.values())


def test_that_all_methods_start_from_the_same_batches(whole: tuple[FineTuningResult, Events]) -> None:
    result, _ = whole
    full = result.method("full").losses[0]
    # B = 0, and Λ = 0: the model is as it was.
    for method in ("lora", "adalora"):
        assert result.method(method).losses[0] == pytest.approx(full, abs=1e-5)
    assert result.held_out_steps.tolist() == [0, 2, 3]
    assert result.method("lora").held_out_losses[0] == pytest.approx(result.value("base.held_out"), abs=1e-5)


def test_that_prefix_columns_stand_first_in_the_models_own_mask(whole: tuple[FineTuningResult, Events]) -> None:
    result, _ = whole
    for method in METHODS:
        run = result.method(method)
        mask, columns = run.mask, run.mask_columns
        prefix = 4 if method in PROMPTS else 0
        assert [column.is_prefix for column in columns] == [True] * prefix + [False] * (len(columns) - prefix)
        assert mask.shape[1] == len(columns)
        np.testing.assert_array_equal(mask, np.tri(*mask.shape, mask.shape[1] - mask.shape[0], dtype=np.uint8))
        if prefix:
            attention = run.attention_to_prefix
            assert attention.shape == (TINY.layers, TINY.heads, mask.shape[0])
            assert (attention > 0).all()
            assert (attention < 1 + 1e-5).all()
        else:
            assert run.attention_to_prefix is None


def test_that_partials_carry_curves_of_methods_side_by_side(whole: tuple[FineTuningResult, Events]) -> None:
    _, events = whole
    first = next(event for event in events if isinstance(event, Partial))
    assert len(first.result.method("full").losses) >= 1
    shares = [event.done for event in events if not isinstance(event, Partial)]
    assert shares == sorted(shares)


def test_that_samples_have_the_answers_before_and_after(whole: tuple[FineTuningResult, Events]) -> None:
    result, _ = whole
    assert len(result.samples) == 4
    assert {sample.split for sample in result.samples} == {"unseen person", "untold fact"}
    for sample in result.samples:
        assert sample.row
        assert sample.expected
        assert sample.before is not None
        assert set(sample.answers) == set(METHODS)


def test_that_vectors_of_prompt_methods_differ_exactly_in_their_places(whole: tuple[FineTuningResult, Events]) -> None:
    result, _ = whole
    assert {method for method in METHODS if result.method(method).vectors} == set(PROMPTS)
    (prompt,) = result.method(MethodId.PROMPT_TUNING).vectors
    assert (prompt.place, prompt.shape) == ("prompt", (4, TINY.hidden))
    vectors = result.method(MethodId.P_TUNING_V2).vectors
    assert [vector.place for vector in vectors] == [f"layer.{i}.prefix" for i in range(TINY.layers)]
    for vector in vectors:
        assert vector.shape == (2, 4, TINY.heads, TINY.hidden // TINY.heads)
        assert vector.count == math.prod(vector.shape)


def test_that_results_survive_the_wire_and_the_history(whole: tuple[FineTuningResult, Events]) -> None:
    result, events = whole
    for sent in (result, *(event.result for event in events if isinstance(event, Partial))):
        assert same(FineTuningResult.from_bytes(sent.to_bytes(compress=False)), sent)


def test_that_histories_of_before_typed_results_still_open(whole: tuple[FineTuningResult, Events]) -> None:
    result, _ = whole
    opened = FineTuningResult.from_bytes(as_stored_before(result))
    expected = with_rendered_texts(result)
    assert opened.params == result.params
    assert opened.environment.backend == "Lanes (TTIR on CPU)"
    assert opened.measured is Provenance.MEASURED_CPU
    for name in ("methods", "places", "held_out_steps", "gradient_steps", "gradient_range", "samples"):
        assert same(
            replace(NOTHING, **{name: getattr(opened, name)}), replace(NOTHING, **{name: getattr(expected, name)})
        )
    assert messages(opened) == ["The small model will be trained anew."]


def test_that_a_loss_that_is_no_number_stops_that_method_and_keeps_its_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = MethodRun._loss_of

    def broken(self: MethodRun, model: Any, batch: Batch) -> torch.Tensor:
        loss = kept(self, model, batch)
        return loss * float("nan") if self.method is MethodId.LORA and self.done == 1 else loss

    monkeypatch.setattr(MethodRun, "_loss_of", broken)
    result, _ = finished(quick(methods="lora, p-tuning-v2"))
    of_method = summaries(result)
    assert "step 2 is NaN" in str(of_method["lora"].error)
    assert len(result.method("lora").losses) == 1
    assert result.method("lora").held_out_losses.shape == (1,)  # before training, which says nothing of the method
    assert of_method["lora"].held_out_loss is None
    assert math.isnan(result.value("lora.held_out"))
    assert of_method["p-tuning-v2"].steps == 3
    assert any("LoRA" in text and "step 2" in text for text in messages(result))


@pytest.mark.parametrize("step", [0, 2])
def test_that_an_evaluation_that_breaks_stops_that_method_alone(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = MethodRun._evaluate

    def broken(self: MethodRun, evaluated: int) -> None:
        if self.method is MethodId.LORA and evaluated == step:
            raise IndexError
        kept(self, evaluated)

    monkeypatch.setattr(MethodRun, "_evaluate", broken)
    result, _ = finished(quick(methods="lora, p-tuning-v2"))
    of_method = summaries(result)
    assert str(of_method["lora"].error) == "IndexError."
    assert (of_method["lora"].steps, len(result.method("lora").losses)) == (step, step)
    assert of_method["lora"].held_out_loss is None
    assert of_method["p-tuning-v2"].steps == 3
    assert of_method["p-tuning-v2"].held_out_loss == result.method("p-tuning-v2").held_out_losses[-1]
    assert "LoRA: IndexError." in messages(result)


def test_that_what_cannot_be_evaluated_before_training_loses_no_method(monkeypatch: pytest.MonkeyPatch) -> None:
    models: list[object] = []

    def broken(model: object, *_: object) -> None:
        models.append(model)
        raise AttributeError("no such cache")

    monkeypatch.setattr("core.topics.fine_tuning.experiment.task_loss", broken)
    result, _ = finished(quick(methods="full, lora"))
    assert [summary.steps for summary in summaries(result).values()] == [3, 3]
    assert messages(result) == ["The model before training could not be evaluated: no such cache."]
    assert len(models) == 1
    assert result.samples
    assert all("lora" in sample.answers for sample in result.samples)


def test_that_a_method_that_the_libraries_refuse_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise ValueError("no such attention\nsecond line")

    monkeypatch.setattr("core.topics.fine_tuning.experiment.build", lambda method, *rest: (
        refuses() if method is MethodId.PREFIX_TUNING else build(method, *rest)
    ))  # fmt: skip
    result, _ = finished(quick(methods="full, prefix-tuning"))
    assert list(result.methods) == ["full"]
    (text,) = messages(result)
    assert text == "Prefix-tuning is left out, because it cannot be built on this model: no such attention."


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"target_modules": "layers.9.self_attn.q_proj"}, "target_modules", "q_proj, k_proj"),
        ({"virtual_tokens": 120}, "virtual_tokens", "context of 128: use at most"),
        ({"rank": 40}, "rank", "above the 32"),
    ],
)
def test_that_what_the_model_has_no_room_for_is_one_sentence(
    changes: dict[str, object], field: str, words: str
) -> None:
    with pytest.raises(InvalidParams, match=words) as raised:
        finished(quick(**changes))
    assert raised.value.field == field


@pytest.mark.parametrize("harm", ["incomplete", "pickled", "unknown"])
def test_that_a_folder_that_is_not_whole_is_one_sentence(harm: str, trained: SmallModel, tmp_path: Path) -> None:
    assert trained.folder is not None
    folder = Path(shutil.copytree(trained.folder, tmp_path / "mine"))
    if harm == "unknown":
        config = (folder / "config.json").read_text().replace('"llama"', '"magic"')
        (folder / "config.json").write_text(config)
    else:
        (folder / "model.safetensors").unlink()
    if harm == "pickled":
        (folder / "pytorch_model.bin").write_bytes(b"\x80")
    words = {"incomplete": "no weights", "pickled": "pickled weights", "unknown": "'magic'"}[harm]
    with pytest.raises(InvalidParams, match=words):
        finished(quick(model=str(folder)))


def test_that_the_users_folder_is_trained_as_the_small_model_is(trained: SmallModel, tmp_path: Path) -> None:
    assert trained.folder is not None
    folder = shutil.copytree(trained.folder, tmp_path / "mine")
    result, _ = finished(quick(model=str(folder), methods="prompt-tuning", steps=2))
    assert summaries(result)["prompt-tuning"].steps == 2
    assert result.value("base.parameters") == trained.parameters


@pytest.mark.parametrize("method", METHODS)
def test_that_generated_answers_are_those_of_the_trained_forward_pass(
    method: MethodId, trained: SmallModel, task: TableTask
) -> None:
    model = build(method, trained.model, trained.tokenizer, task.train, TARGETS, quick()).model
    rows = task.unseen_people[:2]
    answered = answers(model, trained.tokenizer, rows, lambda *_: None, by_length=method in PROMPTS)
    for example, text in zip(rows, answered.texts, strict=True):
        ids = prompt_ids(trained.tokenizer, example.row)
        assert text == _continued_by_hand(model, trained, ids)


@pytest.fixture
def wide(trained: SmallModel) -> Any:
    """Untrained, with rows of whole blocks of 64: what bitsandbytes restores rightly on a CPU."""
    return build_model(replace(TINY, hidden=64, intermediate=128), len(trained.tokenizer))


@pytest.fixture
def without_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        patch.setattr("core.topics.fine_tuning.experiment.four_bits.available", lambda *_: "not installed")
        yield patch


@pytest.mark.parametrize("this_project", [False, True])
def test_that_gradients_reach_adapters_through_4_bits_after_an_evaluation_too(
    this_project: bool, wide: Any, trained: SmallModel, task: TableTask, request: pytest.FixtureRequest
) -> None:
    if this_project:
        request.getfixturevalue("without_bitsandbytes")
    built = build(MethodId.QLORA, wide, trained.tokenizer, task.train, TARGETS, quick())
    assert ("Tilescope" if this_project else "bitsandbytes") in str(built.runs_on)
    batch = next(task_batches(task.train, trained.tokenizer, 2, 0))
    with evaluating(built.model):
        before = float(batch_loss(built.model, batch))
    assert before == pytest.approx(float(batch_loss(wide, batch).detach()), rel=0.1)
    for name, weight in built.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    adapters, first, weights, through = gradient_evidence(built.model, batch)
    assert adapters.with_gradient == adapters.tensors == 2 * 2 * TINY.layers
    assert first.norm > 0
    assert (weights.tensors, weights.with_gradient) == (7 * TINY.layers, 0)
    assert through.max_abs_difference is not None
    assert through.max_abs_difference <= 1e-4 * through.norm


def test_that_both_ways_to_4_bits_give_the_same_weights(
    wide: Any, trained: SmallModel, task: TableTask, request: pytest.FixtureRequest
) -> None:
    theirs = build(MethodId.QLORA, wide, trained.tokenizer, task.train, TARGETS, quick()).model
    trainable, total = theirs.get_nb_trainable_parameters()
    assert total == trainable + parameter_count(wide)
    request.getfixturevalue("without_bitsandbytes")
    ours = build(MethodId.QLORA, wide, trained.tokenizer, task.train, TARGETS, quick()).model
    for their_layer, our_layer in zip(four_bit_layers(theirs), four_bit_layers(ours), strict=True):
        assert not isinstance(their_layer, Nf4Linear)
        assert isinstance(our_layer, Nf4Linear)
        torch.testing.assert_close(restored_weight(their_layer), restored_weight(our_layer), rtol=1e-5, atol=1e-6)


def test_that_rows_that_bitsandbytes_restores_wrongly_are_not_given_to_it(trained: SmallModel, task: TableTask) -> None:
    built = build(MethodId.QLORA, trained.model, trained.tokenizer, task.train, TARGETS, quick())
    assert "Tilescope" in str(built.runs_on)
    layer = four_bit_layers(built.model)[0]
    original = trained.model.get_submodule(linear_names(trained.model)[0]).weight
    error = (restored_weight(layer) - original).abs().max()
    assert error < 0.16 * original.abs().max()  # half the widest gap between NF4's levels, over absmax


def test_that_frames_hold_both_ends_and_are_bounded() -> None:
    assert recorded_steps(2).tolist() == [1, 2]
    frames = recorded_steps(2000)
    assert len(frames) == training.MAX_FRAMES
    assert (frames[0], frames[-1]) == (1, 2000)


def test_that_measuring_memory_trains_nothing(trained: SmallModel, task: TableTask) -> None:
    built = build(MethodId.FULL, trained.model, trained.tokenizer, task.train, TARGETS, quick())
    places = opening.places_of_model(trained.model)
    run = MethodRun(MethodId.FULL, built, places, task.train, task.unseen_people[:2], trained.tokenizer, quick())
    for mine, original in zip(run.model.parameters(), trained.model.parameters(), strict=True):
        assert torch.equal(mine, original)
    assert run.memory.optimizer_bytes > 2 * run.memory.gradients_bytes > 0


def _continued_by_hand(model: Any, trained: SmallModel, ids: list[int]) -> str:
    """The likeliest next token of a forward pass over everything so far, without cache or padding."""
    begun = len(ids)
    with evaluating(model):
        for _ in islice(range(24), min(24, TINY.context - begun)):
            tokens = torch.tensor([ids])
            logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False).logits
            ids = [*ids, int(logits[0, -1].argmax())]
            if ids[-1] == trained.tokenizer.eos_token_id:
                break
    return str(trained.tokenizer.decode(ids[begun:], skip_special_tokens=True)).strip()


def test_that_a_run_has_the_metrics_that_questions_guess(whole: tuple[FineTuningResult, Events]) -> None:
    assert asked_metrics("fine-tuning") <= whole[0].metrics.keys()
