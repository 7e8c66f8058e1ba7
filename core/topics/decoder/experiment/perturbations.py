"""What moves when one thing is changed: a token, the memory, the stream. Everything is compared as floats, exactly.

Each changed sequence is computed alone and at the same lengths, so that nothing but the change can make a difference:
in a batch, matrix products may sum the same row in another order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.engine.steps import ProgressCallback
from core.topics.decoder.experiment.attentions import by_operations
from core.topics.decoder.experiment.network import run_both
from core.topics.decoder.experiment.passes import Recorded, Scene
from core.topics.decoder.model.inputs import perturbed

Stages = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Influence:
    """Rows: the token replaced. Columns: positions of the output (of the memory in an encoder alone).

    `self_attention` [source tokens] counts positions of the decoder's masked self-attention that a source token moved.
    """

    source: np.ndarray | None
    target: np.ndarray | None
    self_attention: np.ndarray | None


def changes(before: Recorded, after: Recorded) -> dict[str, np.ndarray]:
    """'change.{node}': the largest absolute change at each position, float32 [length]."""
    return {f"change.{name}": _moved(tensor, after.stages[name]) for name, tensor in before.stages.items()}


def influence(scene: Scene, progress: ProgressCallback) -> Influence:
    """Every token of both texts replaced in turn, pads included, by PyTorch's operations."""
    lengths = {
        stack: len(text)
        for stack, text in (("source", scene.inputs.source), ("target", scene.inputs.target))
        if text is not None
    }
    total = sum(lengths.values()) + 1
    base = _output(scene)
    done, rows, self_rows = 1, {stack: [] for stack in lengths}, []  # type: ignore[var-annotated]
    for stack, length in lengths.items():
        for position in range(length):
            progress(done, total, "changing each token in turn")
            changed = _output(scene, stack, position)
            rows[stack].append(_moved(base["output"], changed["output"]))
            if stack == "source" and "decoder.self" in base:
                self_rows.append(int((_moved(base["decoder.self"], changed["decoder.self"]) > 0).sum()))
            done += 1
    source, target = (np.stack(rows[stack]) if stack in rows else None for stack in ("source", "target"))
    return Influence(source, target, np.array(self_rows) if self_rows else None)


def swaps(scene: Scene) -> dict[str, dict[str, float]]:
    """Largest change of the cross-attention's Q, K and V, when the 'memory' alone, or the 'stream' alone, is replaced.

    The stream is all that the decoder reads, embedded; the replacements are random, of the same shape.
    """
    generator = torch.Generator().manual_seed(scene.params.seed)

    def projections(stream: torch.Tensor, memory: torch.Tensor) -> Stages:
        kept: Stages = {}
        with torch.no_grad():
            scene.one_pass(by_operations, kept.__setitem__).decode_embedded(stream, (memory, memory))
        return kept

    def another(tensor: torch.Tensor) -> torch.Tensor:
        return torch.randn(tensor.shape, generator=generator).to(tensor)

    with torch.no_grad():
        memory = scene.one_pass(by_operations).encode(scene.ids("source"))
        stream = scene.network.embed(scene.ids("target"))
    base = projections(stream, memory)
    return {
        swap: {letter: _largest(base, kept, f"decoder.cross.{letter}") for letter in "qkv"}
        for swap, kept in {
            "memory": projections(stream, another(memory)),
            "stream": projections(another(stream), memory),
        }.items()
    }


def _output(scene: Scene, stack: str = "", position: int = 0) -> Stages:
    """The output, and what the decoder's first sublayer gives, with one token replaced if `stack` names a text."""
    kept: Stages = {}
    inputs = perturbed(scene.inputs, stack, position) if stack else scene.inputs
    with torch.no_grad():
        output = run_both(scene.one_pass(by_operations, kept.__setitem__), inputs, scene.device)
    last = {"output": output}
    if "decoder.self.out" in kept:
        last["decoder.self"] = kept["decoder.self.out"]
    return last


def _moved(before: torch.Tensor, after: torch.Tensor) -> np.ndarray:
    """Largest absolute change of each row, float32 [length]. NaN, where there is one, counts as a change."""
    moved: np.ndarray = (after - before).abs().amax(dim=1).float().cpu().numpy()
    return moved


def _largest(before: Stages, after: Stages, name: str) -> float:
    return float(_moved(before[name], after[name]).max())
