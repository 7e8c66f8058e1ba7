"""A pass on the flash kernel with every tensor kept, and what its launches moved."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from core.contracts.result import Row
from core.engine.steps import ProgressCallback
from core.interpreter import intercept
from core.topics.decoder.experiment.attentions import Call, Flash
from core.topics.decoder.experiment.network import Attend, Network, Pass, Record, ignore, run_both
from core.topics.decoder.model.inputs import Inputs
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.payload import MAX_COLUMNS
from core.trace.kernel_traffic import kernel_tables
from core.trace.record import Launch

TENSORS = {"q_ptr": "Q", "k_ptr": "K", "v_ptr": "V", "o_ptr": "O", "lse_ptr": "LSE"}


@dataclass(frozen=True)
class Scene:
    """What every part of the experiment works on: the weights on their device, and the texts."""

    params: DecoderParams
    network: Network
    inputs: Inputs
    device: str

    def one_pass(self, attend: Attend, record: Record = ignore, network: Network | None = None) -> Pass:
        return Pass(network or self.network, attend, self.params.causal, self.inputs.source_visible, record)

    def ids(self, stack: str, inputs: Inputs | None = None) -> torch.Tensor:
        """The token ids of 'source' or 'target', on the device."""
        text = getattr(inputs or self.inputs, stack)
        return torch.from_numpy(text.ids).to(self.device)


@dataclass(frozen=True)
class Recorded:
    """Every tensor of one pass by node id, the attentions in order, and the traced launches of their kernels."""

    stages: dict[str, torch.Tensor]
    calls: tuple[Call, ...]
    launches: tuple[Launch, ...]


def flash_pass(scene: Scene, inputs: Inputs, progress: ProgressCallback) -> Recorded:
    """One pass on the flash kernel: executed by the TTIR interpreter on a CPU; run, and traced besides, on a GPU."""
    if torch.device(scene.device).type != "cuda":
        return _traced_pass(scene, inputs, progress)
    run = _keep_all(scene, inputs)
    return Recorded(run.stages, run.calls, _traced_pass(scene, inputs, progress).launches)


def picture(tensor: torch.Tensor) -> np.ndarray:
    """float32 [length, columns] for drawing: at most MAX_COLUMNS, each then the mean of neighbouring elements."""
    values = tensor.detach().float()
    width = values.shape[1]
    if width > MAX_COLUMNS:
        edges = np.linspace(0, width, MAX_COLUMNS + 1).astype(int)
        values = torch.stack([values[:, a:b].mean(1) for a, b in pairwise(edges)], dim=1)
    # A copy: the tensor may be one that a later pass writes to.
    return np.array(values.cpu().numpy(), dtype=np.float32)


def short_name(attention: str) -> str:
    """'decoder.cross' to 'cross', 'encoder.0.self' to 'encoder.0'."""
    stack, *rest = attention.split(".")
    return rest[-1] if stack == "decoder" else f"encoder.{rest[0]}"


def traced_tables(recorded: Recorded) -> dict[str, list[Row]]:
    """The tables 'traffic', 'lines' and 'sources': the rows of each attention, and each distinct source once."""
    tables: dict[str, list[Row]] = {"traffic": [], "lines": [], "sources": []}
    for call, launch in zip(recorded.calls, recorded.launches, strict=True):
        found = kernel_tables("flash", [launch], TENSORS)
        for name in ("traffic", "lines"):
            tables[name] += [{"attention": short_name(call.name), **row} for row in found[name]]
        tables["sources"] += [row for row in found["sources"] if row not in tables["sources"]]
    return tables


def _traced_pass(scene: Scene, inputs: Inputs, progress: ProgressCallback) -> Recorded:
    with intercept(progress=progress) as tracer:
        kept = _keep_all(scene, inputs)
    return Recorded(kept.stages, kept.calls, tuple(tracer.launches))


def _keep_all(scene: Scene, inputs: Inputs) -> Recorded:
    stages: dict[str, torch.Tensor] = {}
    flash = Flash()
    with torch.no_grad():
        run_both(scene.one_pass(flash, stages.__setitem__), inputs, scene.device)
    return Recorded(stages, tuple(flash.calls), ())
