"""The files of a stage: its log and its checkpoint. A run that is killed at any moment goes on from the last one.

The folder holds `log.jsonl` (a line of JSON per step, metrics by TRL's names), `samples.jsonl` (an answer per step) and
`checkpoint.safetensors` (weights, optimizer state, state of the random numbers; the step in the metadata). A checkpoint
is written whole or not at all. Lines of steps that come after it are dropped when the run goes on, and written anew.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.contracts.errors import InvalidParams, RunFailed
from core.contracts.text import tr
from core.files import open_regular, reason_of, write_whole
from core.topics.training.stages.configs import PairsConfig, StageConfig
from core.topics.training.stages.records import Record, TokenView, parse_record, parse_sample

LOG, SAMPLES, CHECKPOINT = "log.jsonl", "samples.jsonl", "checkpoint.safetensors"
_RANDOM, _FACTS = "random_state", "tilescope"
_NOT_IDENTITY = ("save_every",)


@dataclass
class TrainingState:
    """All that a step changes: the weights of the trained models by name, the optimizer, the random numbers, and the
    number of steps and generated tokens so far."""

    models: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0
    num_tokens: int = 0

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything but the counters. Tied weights appear once."""
        found = {f"{role}.{name}": weight.detach() for role, name, weight in self._weights()}
        for index, weight in enumerate(self._optimized()):
            for name, value in self.optimizer.state.get(weight, {}).items():
                found[f"optimizer.{index}.{name}"] = value
        found[_RANDOM] = self.generator.get_state()
        return found

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Raises KeyError or RuntimeError if the tensors belong to other models."""
        with torch.no_grad():
            for role, name, weight in self._weights():
                weight.copy_(tensors[f"{role}.{name}"])
        weights = self._optimized()
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                self.optimizer.state[weights[int(index)]][name] = value.clone()
        self.generator.set_state(tensors[_RANDOM])

    def _weights(self) -> Iterator[tuple[str, str, nn.Parameter]]:
        for role, model in self.models.items():
            for name, weight in model.named_parameters():
                yield role, name, weight

    def _optimized(self) -> list[nn.Parameter]:
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]


@dataclass
class StageFiles:
    """The files of one stage. Without a `folder` nothing is written. `identity` is what must be the same for a run to
    go on; `identity_of` makes it."""

    folder: Path | None
    identity: Mapping[str, str]
    save_every: int
    last_step: int

    def resume(self, state: TrainingState) -> Iterator[Record]:
        """Bring the state to that of the checkpoint, if there is one, and yield the records of the steps before it.

        Raises InvalidParams if the checkpoint belongs to another configuration or cannot be read.
        """
        if self.folder is None:
            return
        saved = self.folder / CHECKPOINT
        if saved.exists():
            self._load(saved, state)
        samples = dict(_parsed(self.folder / SAMPLES, parse_sample))
        records = [record for record in _parsed(self.folder / LOG, parse_record) if record.step <= state.step]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            records = [Record(record.step, record.metrics, samples.get(record.step)) for record in records]
            write_whole(self.folder / LOG, _lines(record.line() for record in records))
            write_whole(self.folder / SAMPLES, _lines(filter(None, (record.sample_line() for record in records))))
        except OSError as error:
            raise self._not_saved(state.step, error) from error
        yield from records

    def keep(
        self, state: TrainingState, step: int, metrics: Mapping[str, float], sample: TokenView | None = None
    ) -> Record:
        """Write down a step that is done; every `save_every` steps and after the last one, with a checkpoint.

        Raises RunFailed if the disk refuses; the checkpoint before is unchanged then. Raises FloatingPointError and
        writes nothing if a metric is NaN or infinite.
        """
        if not all(math.isfinite(value) for value in metrics.values()):
            raise FloatingPointError("a metric is NaN or infinite")
        state.step = step
        record = Record(step, metrics, sample)
        if self.folder is not None:
            try:
                _append(self.folder / LOG, record.line())
                if sample is not None:
                    _append(self.folder / SAMPLES, record.sample_line())
                if step % self.save_every == 0 or step == self.last_step:
                    self._save(self.folder, state)
            except OSError as error:
                raise self._not_saved(step, error) from error
        return record

    def _save(self, folder: Path, state: TrainingState) -> None:
        from safetensors.torch import save

        facts = {"step": state.step, "num_tokens": state.num_tokens, "identity": dict(self.identity)}
        tensors = {name: value.contiguous() for name, value in state.tensors().items()}
        # One entry, because safetensors writes several in any order, and equal states should be equal files.
        write_whole(folder / CHECKPOINT, save(tensors, {_FACTS: json.dumps(facts)}))

    def _load(self, path: Path, state: TrainingState) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                facts: dict[str, Any] = json.loads((file.metadata() or {})[_FACTS])
                self._check(facts["identity"])
                state.restore({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            state.step, state.num_tokens = int(facts["step"]), int(facts["num_tokens"])
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise InvalidParams(
                tr(
                    "{path} is not a checkpoint of this stage, or it is damaged: delete it or choose another folder.",
                    path=str(path),
                )
            ) from error

    def _check(self, saved: Mapping[str, str]) -> None:
        for name in ("stage", *sorted({*saved, *self.identity})):
            if saved.get(name) != self.identity.get(name):
                raise InvalidParams(
                    tr(
                        "The checkpoint in {folder} belongs to another configuration ({name} is {saved} there and "
                        "{asked} here): choose another folder or delete it.",
                        folder=str(self.folder),
                        name=name,
                        saved=saved.get(name, "–"),
                        asked=self.identity.get(name, "–"),
                    )
                )

    def _not_saved(self, step: int, error: OSError) -> RunFailed:
        return RunFailed(
            tr(
                "Step {step} could not be saved in {folder} ({reason}): free some space or choose another folder; the "
                "checkpoint before it is unchanged.",
                step=step,
                folder=str(self.folder),
                reason=reason_of(error),
            )
        )


def identity_of(
    stage: str, config: StageConfig | PairsConfig, start: nn.Module, data: Iterable[object]
) -> dict[str, str]:
    """What determines a stage's result, by name: every setting, and digests of the weights it starts from and of its
    data."""
    settings = {name: str(value) for name, value in asdict(config).items() if name not in _NOT_IDENTITY}
    texts = hashlib.sha256(repr(tuple(data)).encode()).hexdigest()[:16]
    return {"stage": stage, **settings, "start": weights_digest(start), "data": texts}


def weights_digest(model: nn.Module) -> str:
    """16 hexadecimal digits that tell models with other weights apart."""
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        digest.update(name.encode())
        digest.update(weight.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def delete_files(folder: Path) -> None:
    """Delete what a stage has kept, and nothing else that lies in its folder."""
    with suppress(OSError):
        for name in (LOG, SAMPLES, CHECKPOINT):
            (folder / name).unlink(missing_ok=True)


def _parsed(path: Path, parse: Any) -> list[Any]:
    """The lines of a file that are whole. A line that a killed run left unfinished ends the list."""
    found: list[Any] = []
    if not path.exists():
        return found
    with open_regular(path) as file:
        for line in file:
            try:
                found.append(parse(line.decode()))
            except (ValueError, KeyError, TypeError, AttributeError):
                break
    return found


def _append(path: Path, line: str) -> None:
    with path.open("ab") as file:
        file.write(line.encode() + b"\n")


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
