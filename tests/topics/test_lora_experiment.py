"""The lora experiment on the tiny model: peft decides, and what is shown is what peft did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from core.contracts.claims import Verdict
from core.contracts.errors import InvalidParams
from core.contracts.events import Partial, Progress
from core.contracts.text import verbatim
from core.language_model.adapters import (
    NonFiniteLoss,
    target_modules,
    train_steps,
    trainable,
    trainable_copy,
    with_adapter,
)
from core.language_model.cache import Cache
from core.language_model.data import batch_loss, task_batches
from core.language_model.evaluation import task_loss
from core.language_model.libraries import silent_transformers
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel, small_model
from core.language_model.table_task import TableTask, table_task
from core.language_model.torch_state import torch_threads
from core.topics.lora import TOPIC
from core.topics.lora.experiment import after_training, checks
from core.topics.lora.experiment.allocator import max_relative_difference
from core.topics.lora.experiment.runs import adalora_run, held_out_rows, lora_run, rows_loss
from core.topics.lora.matrices import small_model_matrices
from core.topics.lora.params import LoraParams
from core.topics.lora.result import RUNS, LoraResult
from tests.questions.asked import asked_metrics
from tests.same_result import same
from tests.topics.lora_runs import QUICK, Events, finished, messages


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def trained(data_dir: Path) -> SmallModel:
    return small_model(TINY, cache=Cache(data_dir / "cache" / "language-models"))


@pytest.fixture(scope="module")
def task(trained: SmallModel) -> TableTask:
    assert trained.world is not None
    return table_task(trained.world)


@pytest.fixture(scope="module", autouse=True)
def tiny_instead(data_dir: Path, trained: SmallModel) -> Any:
    patch = pytest.MonkeyPatch()
    patch.setenv("TILESCOPE_DATA_DIR", str(data_dir))
    patch.setattr(import_module("core.topics.lora.experiment.setting"), "STANDARD", TINY)
    patch.setattr(import_module("core.topics.lora.plan"), "STANDARD", TINY)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def run(tiny_instead: None) -> tuple[LoraResult, Events]:
    return finished()


@pytest.fixture(scope="module")
def result(run: tuple[LoraResult, Events]) -> LoraResult:
    return run[0]


def test_that_three_curves_grow_side_by_side(run: tuple[LoraResult, Events]) -> None:
    result, events = run
    assert [result.runs[name].losses.shape for name in RUNS] == [(24,)] * 3
    assert result.held_out_steps.tolist() == [10, 20, 24]
    progress = [event.done for event in events if isinstance(event, Progress)]
    assert progress == sorted(progress)
    partials = [event.result for event in events if isinstance(event, Partial)]
    lengths = [[len(partial.runs[name].losses) for name in RUNS] for partial in partials]
    assert lengths[0] == [1, 1, 1]
    assert result.value("first_curve_s") > 0


def test_that_peft_and_the_formulas_agree_at_every_step(result: LoraResult) -> None:
    rows = [row for row in result.checks if str(row.what).startswith("AdaLoRA")]
    assert len(rows) >= 5
    assert all(row.passed for row in result.checks), result.checks
    differing = next(row for row in rows if "triplets kept" in str(row.what))
    assert "in 5 allocations" in str(differing.what)  # steps 6, 9, 12, 15 and the last, 16


def test_that_ranks_fall_to_the_budget_at_the_allocations_and_nowhere_else(result: LoraResult) -> None:
    history = result.history
    assert history is not None
    ranks, total, budget = history.ranks, history.total_rank, history.budget
    changed = np.flatnonzero((np.diff(ranks.astype(int), axis=0) != 0).any(axis=1)) + 2
    assert set(changed) <= set(np.flatnonzero(history.allocated) + 1) == {6, 9, 12, 15, 16}
    assert (total[:5] == 14 * 6).all()
    at_allocations = history.allocated
    np.testing.assert_array_equal(total[at_allocations], budget[at_allocations])
    assert total[-1] == result.value("budget.final") == result.value("budget.target") == 14 * 3
    assert [row.step for row in history.allocations] == [6, 9, 12, 15, 16]
    for row in history.allocations:
        assert row.before - row.after == sum(change.before - change.after for change in row.changed)


def test_that_frames_show_what_is_kept_and_scores_end_with_the_last_phase(result: LoraResult) -> None:
    assert result.history is not None
    assert result.history.frames is not None
    recorded = result.history.frames
    frames, importance, kept = recorded.steps, recorded.importance, recorded.kept
    assert frames[-1] == 24
    np.testing.assert_array_equal(kept.sum(axis=2), result.history.ranks[frames - 1])
    assert np.isfinite(importance[frames < 16]).all()
    assert np.isnan(importance[frames >= 16]).all()
    values = recorded.singular_value
    assert (values[-1][~kept[-1]] == 0).all()
    assert (values[-1][kept[-1]] != 0).all()


def test_that_the_regulariser_is_what_peft_adds_to_the_loss(trained: SmallModel, task: TableTask) -> None:
    params = LoraParams.parse(QUICK | {"orth_reg_weight": 0.7})
    targets = target_modules(trained.model, "all")
    names = [matrix.name for matrix in small_model_matrices(TINY)]
    run = adalora_run(params, trained, task, targets, names)
    batch = next(task_batches(task.train, trained.tokenizer, params.batch, params.seed))
    with torch.no_grad():
        whole = batch_loss(run.model, batch)
        without = batch_loss(run.model.base_model.model, batch)
    run.advance()
    assert run.recorder is not None
    assert run.recorder.orthogonality[0] == pytest.approx(float(whole - without) / 0.7, rel=1e-5)
    assert run.losses[0] == pytest.approx(float(without), rel=1e-5)


def test_that_watching_the_allocator_changes_nothing(trained: SmallModel, task: TableTask) -> None:
    params = LoraParams.parse(QUICK)
    targets = target_modules(trained.model, "all")
    names = [matrix.name for matrix in small_model_matrices(TINY)]
    watched = adalora_run(params, trained, task, targets, names)
    while not watched.finished:
        watched.advance()

    from peft import AdaLoraConfig

    config = AdaLoraConfig(
        init_r=6, target_r=3, lora_alpha=params.alpha, tinit=4, tfinal=8, deltaT=3, total_step=24,
        beta1=0.85, beta2=0.85, orth_reg_weight=0.5, target_modules=targets, task_type="CAUSAL_LM",
    )  # fmt: skip
    plain = with_adapter(trained.model, config, params.seed)
    optimizer = torch.optim.AdamW(trainable(plain), lr=params.adalora_learning_rate)
    batches = task_batches(task.train, trained.tokenizer, params.batch, params.seed)
    for _ in train_steps(plain, batches, optimizer, 24, after_step=plain.base_model.update_and_allocate):
        pass
    theirs = dict(plain.named_parameters())
    assert all(torch.equal(weight, theirs[name]) for name, weight in watched.model.named_parameters())
    pattern = plain.peft_config["default"].rank_pattern
    assert watched.recorder is not None
    assert watched.recorder.ranks[-1].tolist() == [sum(pattern[f"{name}.lora_E.default"]) for name in names]


def test_that_a_formula_that_is_off_fails_the_check(monkeypatch: pytest.MonkeyPatch, trained: SmallModel) -> None:
    from core.topics.lora.triplets import SmoothedScores

    right = SmoothedScores.updated

    def off(self: SmoothedScores, weights: Any, gradients: Any, beta1: float, beta2: float) -> SmoothedScores:
        return right(self, weights, gradients, 0.9 * beta1, beta2)

    monkeypatch.setattr(SmoothedScores, "updated", off)
    found, _ = finished(compare_full=False)
    failed = [str(row.what) for row in found.checks if not row.passed]
    assert any("sensitivity and uncertainty" in what for what in failed)


def test_that_without_the_call_no_rank_changes_and_no_scores_exist() -> None:
    found, _ = finished(call_update=False, compare_full=False)
    assert found.history is not None
    assert found.history.frames is not None
    assert (found.history.ranks == 6).all()
    assert not found.history.allocated.any()
    assert np.isnan(found.history.frames.importance).all()
    assert found.value("budget.final") == 14 * 6
    assert "rank.correlation" not in found.metrics
    assert "full" not in found.runs


def test_that_with_nothing_to_prune_the_run_goes_through_and_says_what_peft_would_do() -> None:
    found, _ = finished(init_r=3, compare_full=False)
    assert found.history is not None
    assert found.history.frames is not None
    assert (found.history.ranks == 3).all()
    assert any("nothing to prune" in text for text in messages(found))
    assert np.isfinite(found.history.frames.importance[0]).all()


def test_that_a_nan_is_told_with_its_step_before_it_is_learned_from(trained: SmallModel, task: TableTask) -> None:
    model = trainable_copy(trained.model).train()
    optimizer = torch.optim.AdamW(trainable(model), lr=1e-3)
    batches = task_batches(task.train, trained.tokenizer, 4, 0)
    calls: list[int] = []

    def loss_of(model: Any, batch: Any) -> torch.Tensor:
        calls.append(1)
        return batch_loss(model, batch) * (float("nan") if len(calls) == 3 else 1.0)

    taken = []
    with pytest.raises(NonFiniteLoss, match="step 3 is NaN") as stopped:
        taken.extend(step.step for step in train_steps(model, batches, optimizer, 9, loss_of=loss_of))
    assert stopped.value.step == 3
    assert all(torch.isfinite(weight).all() for weight in model.parameters())


@pytest.mark.parametrize("stopping", ["lora", "adalora", "full"])
def test_that_the_others_go_on_when_one_run_stops(stopping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.topics.lora.experiment import runs

    began: Callable[..., Any] = runs._started

    def poisoned(*args: Any, **kwargs: Any) -> Any:
        run = began(*args, **kwargs)
        if run.id == stopping:
            good = run._steps

            def steps() -> Any:
                yield from islice(good, 6)
                trainable(run.model)[0].data.fill_(float("nan"))  # as the step before may have left it
                raise NonFiniteLoss(7, float("inf"))

            run._steps = steps()
        return run

    monkeypatch.setattr(runs, "_started", poisoned)
    found, _ = finished()
    rows = found.runs
    assert {run: row.steps for run, row in rows.items()} == {run: 6 if run == stopping else 24 for run in RUNS}
    assert "step 7 is infinite" in str(rows[stopping].error)
    assert any("step 7" in text for text in messages(found))
    assert len(rows[stopping].losses) == 6
    assert np.isnan(found.spectra[stopping]).any()
    assert all(stopping not in (pair.run, pair.other) for pair in found.held_out_pairs)
    json.dumps([found.as_json()[name] for name in ("runs", "checks", "matrices")], allow_nan=False)
    if stopping == "adalora":
        assert found.history is not None
        assert found.history.frames is not None
        assert found.history.ranks.shape == (6, 14)
        assert found.history.frames.steps[-1] == 6


def test_that_nothing_changes_at_the_start_and_a_change_would_be_seen(trained: SmallModel, task: TableTask) -> None:
    params = LoraParams.parse(QUICK)
    run = lora_run(params, trained, task, target_modules(trained.model, "all"))
    batch = next(task_batches(task.train, trained.tokenizer, 4, 0))
    before = checks.logits_of(trained.model, batch)
    assert checks.largest_start_change(run, before, batch) == 0
    run.advance()
    assert checks.largest_start_change(run, before, batch) > 0
    error, largest = checks.merge_error(run, batch)
    assert error <= 1e-5 * max(1.0, largest)


def test_that_updates_have_the_rank_that_they_were_given(result: LoraResult) -> None:
    lora, full = result.spectra["lora"], result.spectra["full"]
    assert lora.shape == (14, 32)
    assert (lora[:, 2] > 0).all()
    assert (lora[:, 3] < 1e-5 * lora[:, 0]).all()
    assert (full[:, 3] > 1e-3 * full[:, 0]).all()
    energy = [row.energy_in_rank for row in result.matrices]
    np.testing.assert_allclose(energy, (full[:, :3] ** 2).sum(1) / (full**2).sum(1), rtol=1e-4)
    assert result.value("energy_in_rank") == pytest.approx(np.mean(energy))


def test_that_pictures_are_the_trained_factors(result: LoraResult) -> None:
    scaling = result.params.alpha / result.params.target_r
    for index in (0, 6, 13):
        factors = result.factors[index]
        w, a, b, ba, delta = (factors.pictures[part] for part in ("w", "a", "b", "ba", "delta"))
        assert (factors.shape, factors.rank, factors.scaling) == (w.shape, 3, scaling)
        assert w.shape == ba.shape == (b.shape[0], a.shape[1])
        np.testing.assert_allclose(ba, scaling * b @ a, atol=1e-5)
        assert delta.shape == w.shape


def test_that_losses_by_row_are_those_of_the_whole(trained: SmallModel, task: TableTask) -> None:
    rows = held_out_rows(task)
    found = rows_loss(trained.model, trained.tokenizer, rows)
    assert found.loss == pytest.approx(task_loss(trained.model, trained.tokenizer, rows).loss, rel=1e-5)
    assert found.window_sums.shape == (len(rows),)
    assert not {row.row for row in rows} & {row.row for row in task.train}


def test_that_answers_and_kernels_come_with_the_switches() -> None:
    pytest.importorskip("triton")
    found, _ = finished(exact_match=True, kernels=True, target_modules="q_proj, v_proj", steps=14, tfinal=4)
    assert {row.kind for row in found.matrices} == {"q_proj", "v_proj"}
    matches = [row.exact_match for row in found.runs.values()]
    assert all(match is not None and 0 <= match <= 1 for match in matches)
    sample = found.samples[0]
    assert sample.row
    assert sample.expected
    assert set(sample.answers) == {"before", "lora", "adalora", "full"}
    assert found.value("fused.read_bytes") < found.value("unfused.read_bytes")
    assert found.value("fused.written_bytes") < found.value("unfused.written_bytes")
    assert {str(row.what) for row in found.agreement} == {"fused", "fused NF4", "unfused", "importance update"}
    assert all(row.passed for row in found.agreement)
    timed = {row.impl: row for row in found.comparison}
    assert timed["triton"].time_ms is None  # not on a CPU
    assert timed["peft"].passed


def test_that_a_model_folder_is_trained_as_the_small_model_is(trained: SmallModel, tmp_path: Path) -> None:
    assert trained.folder is not None
    folder = shutil.copytree(trained.folder, tmp_path / "mine")
    found, _ = finished(model=str(folder), target_modules="down_proj", compare_full=False)
    assert [row.kind for row in found.matrices] == ["down_proj"] * 2
    assert found.history is not None
    assert found.history.ranks.shape == (24, 2)


def test_that_matrices_kept_the_other_way_round_are_shown_as_all_others(trained: SmallModel, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    with silent_transformers():
        config = GPT2Config(vocab_size=len(trained.tokenizer), n_positions=128, n_embd=32, n_layer=1, n_head=2)
        GPT2LMHeadModel(config).save_pretrained(tmp_path)
        trained.tokenizer.save_pretrained(tmp_path)
    found, _ = finished(model=str(tmp_path))
    assert all(row.passed for row in found.checks)
    assert [(row.kind, row.rows, row.columns) for row in found.matrices] == [
        ("c_attn", 96, 32),
        ("c_proj", 32, 32),
        ("c_fc", 128, 32),
        ("c_proj", 32, 128),
    ]
    for row, factors in zip(found.matrices, found.factors, strict=True):
        w, a, b, ba, delta = (factors.pictures[part] for part in ("w", "a", "b", "ba", "delta"))
        assert w.shape == delta.shape == factors.shape == (row.rows, row.columns)
        np.testing.assert_allclose(ba, 16 / 3 * b @ a, atol=1e-5)


@pytest.mark.parametrize("damage", ["incomplete", "pickled", "unknown"])
def test_that_a_folder_that_cannot_be_used_is_refused(damage: str, trained: SmallModel, tmp_path: Path) -> None:
    assert trained.folder is not None
    folder = Path(shutil.copytree(trained.folder, tmp_path / "mine"))
    config = folder / "config.json"
    if damage == "unknown":
        config.write_text(config.read_text().replace('"llama"', '"camel"'))
    else:
        (folder / "model.safetensors").unlink()
    if damage == "pickled":
        (folder / "pytorch_model.bin").write_bytes(b"not to be opened")
    with pytest.raises(InvalidParams) as refused:
        finished(model=str(folder))
    assert refused.value.field == "model"


def test_that_a_rank_above_the_matrix_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(InvalidParams, match="its rank is at most 32"):
        finished(init_r=33)


def test_that_a_result_can_be_kept_and_read_again(result: LoraResult) -> None:
    assert same(LoraResult.from_bytes(result.to_bytes()), result)


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("out of memory.")


@pytest.mark.parametrize(
    ("module", "name", "message", "kept"),
    [
        (after_training, "measure_updates", "The updates could not be measured: out of memory.", "merge.max_abs_error"),
        (after_training, "exact_match", "Held-out rows could not be answered: out of memory.", "merge.max_abs_error"),
        (checks, "merge_error", "Merged weights could not be compared: out of memory.", "energy_in_rank"),
    ],
    ids=["updates", "answers", "merging"],
)
def test_that_what_breaks_after_the_training_is_reported_and_the_rest_is_kept(
    module: Any, name: str, message: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, broken)
    found, _ = finished(exact_match=name == "exact_match", target_modules="q_proj, v_proj", steps=14, tfinal=4)
    assert message in messages(found)
    assert len(found.runs["lora"].losses) == 14
    assert np.isfinite(found.value(kept))


@pytest.mark.parametrize("run_id", ["lora", "adalora"])
def test_that_a_run_whose_step_breaks_stops_alone(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.topics.lora.experiment import runs

    right = runs.train_steps

    def breaking(model: Any, *args: Any, **kwargs: Any) -> Any:
        is_adalora = kwargs["after_step"] is not None
        for step in right(model, *args, **kwargs):
            if is_adalora == (run_id == "adalora") and step.step == 7:
                raise KeyError("lora_E")
            yield step

    monkeypatch.setattr(runs, "train_steps", breaking)
    found, _ = finished(compare_full=False, kernels=True, target_modules="q_proj")
    rows = found.runs
    assert str(rows[run_id].error) == "Training stopped because step 7 failed: KeyError: 'lora_E'."
    assert {run: row.steps for run, row in rows.items()} == {"lora": 24, "adalora": 24} | {run_id: 6}
    history = found.history
    assert history is not None
    assert history.frames is not None
    assert len(history.ranks) == len(history.orthogonality) == rows["adalora"].steps
    assert history.frames.steps[-1] == rows["adalora"].steps
    assert bool(found.launches) == (run_id != "lora")
    assert any("were not run on its weights" in text for text in messages(found)) == (run_id == "lora")


def test_that_a_run_that_cannot_be_evaluated_stops_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.topics.lora.experiment import runs

    right = runs.rows_loss

    def breaking(model: Any, *args: Any) -> Any:
        return broken() if type(model).__name__.startswith("Peft") else right(model, *args)

    monkeypatch.setattr(runs, "rows_loss", breaking)
    found, _ = finished(target_modules="q_proj")
    errors = {run: str(row.error) for run, row in found.runs.items()}
    assert "the held-out loss after step 10 failed: out of memory." in errors["lora"]
    assert errors["full"] == ""
    assert len(found.runs["full"].held_out_losses) == 3


def test_that_a_last_step_that_leaves_no_numbers_refutes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.topics.lora.experiment import runs

    began: Callable[..., Any] = runs._started

    def poisoned(*args: Any, **kwargs: Any) -> Any:
        run = began(*args, **kwargs)
        good = run._steps

        def steps() -> Any:
            for step in good:
                if step.step == 14:
                    trainable(run.model)[0].data.fill_(float("nan"))
                yield step

        run._steps = steps()
        return run

    monkeypatch.setattr(runs, "_started", poisoned)
    found, _ = finished(steps=14, tfinal=4)
    json.dumps([found.as_json()[name] for name in ("runs", "checks", "matrices")], allow_nan=False)
    assert [str(row.error) for row in found.runs.values()] == ["", "", ""]
    assert sum("so merging was not compared" in text for text in messages(found)) == 2
    verdicts = {claim.id: claim.test(found).verdict for claim in TOPIC.claims}
    untested = ("lora-is-a-low-rank-product", "merging-gives-the-same", "adalora-better-than-lora")
    assert {verdicts[claim] for claim in untested} == {Verdict.NOT_TESTED}


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([np.nan, 2.0], [np.nan, 2.0], 0.0),
        ([np.nan, 2.0], [1.0, 2.0], np.inf),
        ([1.0, 2.0], [1.0, np.nan], np.inf),
        ([np.inf, 2.0], [-np.inf, 2.0], np.inf),
    ],
)
def test_that_no_number_on_one_side_is_a_difference(ours: list[float], theirs: list[float], expected: float) -> None:
    equal = (np.ones(2), np.ones(2))
    pair = (np.array(ours), np.array(theirs))
    alone = max_relative_difference([pair])
    assert alone == expected
    assert (max_relative_difference([equal, pair, equal]) > 0) == (expected > 0)
    assert checks.check(verbatim("importance"), alone, 1e-5).passed == (expected == 0)


@pytest.mark.parametrize(("whole", "field", "copies"), [(True, "compare_full", 3), (False, "model", 2)])
def test_that_copies_that_do_not_fit_are_refused_before_one_is_made(
    whole: bool, field: str, copies: int, trained: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.language_model import memory_check

    needed = copies * 4 * trained.parameters
    if whole:
        needed += 12 * sum(matrix.rows * matrix.columns for matrix in small_model_matrices(TINY))
    monkeypatch.setattr(memory_check, "host_facts", lambda: SimpleNamespace(available_memory_bytes=needed - 1))
    monkeypatch.setattr(import_module("core.topics.lora.experiment"), "lora_run", broken)
    with pytest.raises(InvalidParams, match=f"Training {copies} copies of this model") as refused:
        finished(compare_full=whole)
    assert refused.value.field == field
    monkeypatch.setattr(memory_check, "host_facts", lambda: SimpleNamespace(available_memory_bytes=needed))
    with pytest.raises(RuntimeError):  # of lora_run: the check let it through
        finished(compare_full=whole)


def test_that_a_run_has_the_metrics_that_questions_guess(result: LoraResult) -> None:
    assert asked_metrics("lora") <= result.metrics.keys()
