"""A run that ends at any moment goes on from its last checkpoint, with exactly the same result."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from itertools import count, islice
from pathlib import Path

import pytest
import torch

from core.contracts.errors import InvalidParams, RunFailed
from core.language_model.adapters import NonFiniteLoss
from core.topics.training.stages.checkpoints import CHECKPOINT, LOG, SAMPLES
from core.topics.training.stages.records import Record, parse_record, parse_sample
from tests.topics.training_runs import STAGES, STEPS, finished, same_weights, sft

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", STAGES)
def test_that_a_run_interrupted_after_any_step_ends_with_the_same_weights_and_curves(name: str, tmp_path: Path) -> None:
    stage = STAGES[name]
    records, whole = finished(stage(tmp_path / "whole"))
    assert [record.step for record in records] == list(range(1, STEPS + 1))
    for steps in range(STEPS + 1):
        folder = tmp_path / str(steps)
        interrupted = stage(folder)
        assert list(islice(interrupted, steps)) == records[:steps]
        interrupted.close()

        again, resumed = finished(stage(folder))
        assert again == records
        assert [record.sample for record in again] == [record.sample for record in records]
        assert same_weights(resumed, whole)
        for file in (LOG, CHECKPOINT):
            assert (folder / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.parametrize("name", STAGES)
def test_that_the_files_change_no_result_and_the_log_has_all_of_it(name: str, tmp_path: Path) -> None:
    records, without = finished(STAGES[name]())
    with_files, kept = finished(STAGES[name](tmp_path))
    assert with_files == records
    assert same_weights(without, kept)
    lines = (tmp_path / LOG).read_text().splitlines()
    assert [parse_record(line) for line in lines] == records
    samples = dict(parse_sample(line) for line in (tmp_path / SAMPLES).read_text().splitlines())
    assert samples == {record.step: record.sample for record in records if record.sample is not None}
    assert bool(samples) is (name in ("ppo", "grpo"))


def test_that_training_leaves_the_model_that_it_started_from_as_it_was_and_torchs_random_numbers_too() -> None:
    from tests.topics.training_runs import tiny

    before = {name: weight.clone() for name, weight in tiny().model.state_dict().items()}
    state = torch.random.get_rng_state()
    for stage in STAGES.values():
        finished(stage())
    assert all(torch.equal(before[name], weight) for name, weight in tiny().model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_that_a_line_which_a_kill_cut_off_is_written_anew(tmp_path: Path) -> None:
    records, _ = finished(sft(tmp_path / "whole"))
    interrupted = sft(tmp_path / "cut")
    list(islice(interrupted, 3))
    interrupted.close()
    with (tmp_path / "cut" / LOG).open("ab") as log:
        log.write(b'{"step": 4, "lo')
    assert finished(sft(tmp_path / "cut"))[0] == records


CHILD = """
import os, resource, signal, sys
from itertools import islice
from pathlib import Path
from core.contracts.errors import TilescopeError
from core.topics.training.stages.checkpoints import CHECKPOINT
from tests.topics.training_runs import sft
mode, folder = sys.argv[1], Path(sys.argv[2])
run = sft(folder)
list(islice(run, 3))
if mode == "kill":
    replace = os.replace
    def killed(source, target):
        if Path(target).name == CHECKPOINT:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = killed
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    list(run)
except TilescopeError as error:
    print(error.sentence)
"""


def child(mode: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.run(
        [sys.executable, "-c", CHILD, mode, str(folder)], env=environment, capture_output=True, text=True, timeout=100
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_that_a_run_killed_while_it_saves_goes_on_with_the_same_result(tmp_path: Path) -> None:
    records, whole = finished(sft(tmp_path / "whole"))
    assert child("kill", tmp_path / "killed").returncode == -signal.SIGKILL
    again, resumed = finished(sft(tmp_path / "killed"))
    assert again == records
    assert same_weights(resumed, whole)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_that_the_old_checkpoint_survives_a_full_disk(tmp_path: Path) -> None:
    interrupted = sft(tmp_path / "early")
    list(islice(interrupted, 3))
    interrupted.close()
    ended = child("full", tmp_path / "full")
    assert ended.stdout.startswith("Step 4 could not be saved in ")
    assert "the checkpoint before it is unchanged" in ended.stdout
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "full" / CHECKPOINT).read_bytes() == (tmp_path / "early" / CHECKPOINT).read_bytes()
    records, _ = finished(sft(tmp_path / "whole"))
    assert finished(sft(tmp_path / "full"))[0] == records


def test_that_a_checkpoint_of_another_configuration_is_refused_in_one_sentence(tmp_path: Path) -> None:
    finished(sft(tmp_path))
    with pytest.raises(InvalidParams, match=r"learning_rate is 0\.001 there and 0\.002 here"):
        next(sft(tmp_path, learning_rate=0.002))
    with pytest.raises(InvalidParams, match="stage is sft there and reward here"):
        next(STAGES["reward"](tmp_path))
    assert finished(sft(tmp_path, save_every=1))[0]


def test_that_a_damaged_checkpoint_is_refused_in_one_sentence(tmp_path: Path) -> None:
    finished(sft(tmp_path))
    (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:500])
    with pytest.raises(InvalidParams, match="is not a checkpoint of this stage, or it is damaged"):
        next(sft(tmp_path))


@pytest.mark.parametrize("name", STAGES)
def test_that_a_loss_that_is_no_number_stops_a_stage_and_keeps_its_curves(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = count(1)
    step = torch.optim.AdamW.step

    def diverging(optimizer: torch.optim.AdamW) -> None:
        step(optimizer)
        if next(updates) == 3:
            for weight in optimizer.param_groups[0]["params"]:
                weight.data.fill_(math.nan)

    monkeypatch.setattr(torch.optim.AdamW, "step", diverging)
    run = STAGES[name](tmp_path)
    seen: list[Record] = []
    with pytest.raises(NonFiniteLoss, match=r"The loss of step \d is") as caught:
        seen.extend(run)
    assert caught.value.step == len(seen) + 1
    assert [json.loads(line)["step"] for line in (tmp_path / LOG).read_text().splitlines()] == [r.step for r in seen]
    assert all(math.isfinite(value) for record in seen for value in record.metrics.values())


def test_that_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFailed, match="could not be saved in"):
        next(sft(tmp_path / "file"))
