"""What the output depends on: every token and the memory replaced in turn, and gradients into the memory by path.

Outputs are compared exactly, as floats. Each changed sequence is computed alone and at the same length: in a batch,
matrix products may sum the same row in another order, and then a difference would not show the change alone.

Gradients are in float64, by PyTorch's autograd over its own operations. Detaching the memory from V leaves only the
path through K, and vice versa; derivatives along separate paths add up. The whole gradient is also computed in float32,
through the backward pass of the project's kernels and through PyTorch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.topics.decoder.experiment.checks import torch_decoder
from core.topics.decoder.experiment.network import Attend, run_both
from core.topics.decoder.experiment.passes import Flash, Recorded, Scene, run_kernels, torch_attention
from core.topics.decoder.experiment.weights import copied_to
from core.topics.decoder.inputs import perturbed
from core.topics.decoder.result import Influence, MemoryGradient

Tensors = dict[str, torch.Tensor]
PATHS = ("whole", "k", "v", "neither")


@dataclass(frozen=True)
class TokenChanges:
    """`influence` of every token on the output.

    `self_attention` int64 [source tokens]: how many positions of the decoder's masked self-attention each one changed.
    """

    influence: Influence
    self_attention: np.ndarray | None


def changes(before: Recorded, after: Recorded) -> dict[str, np.ndarray]:
    """By node id, the largest absolute change at each position, float32 [length]."""
    return {name: _row_changes(tensor, after.tensors[name]) for name, tensor in before.tensors.items()}


def token_changes(scene: Scene, progress: ProgressCallback) -> TokenChanges:
    """Replace every token of both texts in turn, padding included, with PyTorch's operations."""
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
            progress(done, total, tr("replacing each token in turn"))
            changed = _output(scene, stack, position)
            rows[stack].append(_row_changes(base["output"], changed["output"]))
            if stack == "source" and "decoder.self" in base:
                self_rows.append(int((_row_changes(base["decoder.self"], changed["decoder.self"]) > 0).sum()))
            done += 1
    source, target = (np.stack(rows[stack]) if stack in rows else None for stack in ("source", "target"))
    return TokenChanges(Influence(target, source), np.array(self_rows) if self_rows else None)


def swaps(scene: Scene) -> dict[str, dict[str, float]]:
    """Largest change of the cross-attention's Q, K and V when only the 'memory' or only the 'stream' is replaced.

    The stream is the decoder's embedded input; the replacements are random tensors of the same shape.
    """
    generator = torch.Generator().manual_seed(scene.params.seed)

    def projections(stream: torch.Tensor, memory: torch.Tensor) -> Tensors:
        kept: Tensors = {}
        with torch.no_grad():
            scene.one_pass(torch_attention, kept.__setitem__).decode_embedded(stream, (memory, memory))
        return kept

    def random_like(tensor: torch.Tensor) -> torch.Tensor:
        return torch.randn(tensor.shape, generator=generator).to(tensor)

    with torch.no_grad():
        memory = scene.one_pass(torch_attention).encode(scene.ids("source"))
        stream = scene.network.embed(scene.ids("target"))
    base = projections(stream, memory)
    return {
        swap: {letter: _largest(base, kept, f"decoder.cross.{letter}") for letter in "qkv"}
        for swap, kept in {
            "memory": projections(stream, random_like(memory)),
            "stream": projections(random_like(stream), memory),
        }.items()
    }


@dataclass(frozen=True)
class GradientFlow:
    """`sum_error` is the largest difference between k + v and the whole, relative to the whole's largest element.

    In the same way `torch_error` compares the whole with the gradient through torch.nn.TransformerDecoderLayer, and
    `kernel_error` and `float32_error` with those in float32, by the kernels' backward pass and by PyTorch's.
    """

    gradient: MemoryGradient
    sum_error: float
    torch_error: float
    kernel_error: float
    float32_error: float


def gradient_flow(scene: Scene, progress: ProgressCallback) -> GradientFlow:
    """Gradients into the memory, by path. Needs an encoder and a decoder."""
    float64_network = copied_to(scene.network, scene.device, torch.float64)
    one_pass = scene.one_pass(torch_attention, network=float64_network)
    target = scene.ids("target")
    with torch.no_grad():
        value = one_pass.encode(scene.ids("source"))
    memory = value.clone().requires_grad_()
    cut = memory.detach()
    keys_and_values = {"whole": (memory, memory), "k": (memory, cut), "v": (cut, memory), "neither": (cut, cut)}
    outputs = {path: one_pass.decode(target, kv) for path, kv in keys_and_values.items()}
    directions = _directions(outputs["whole"], scene.params.seed)

    gradients = {path: _gradient(outputs[path], directions, memory) for path in PATHS}
    theirs = _gradient(torch_decoder(scene, float64_network, target, memory), directions, memory)
    with run_kernels(scene):
        by_kernels = _float32_gradient(scene, Flash(), value, directions)
    in_float32 = _float32_gradient(scene, torch_attention, value, directions)
    norms = {path: float(gradient.norm()) for path, gradient in gradients.items()}
    norms["k + v"] = float((gradients["k"] + gradients["v"]).norm())
    maps = _maps({path: outputs[path] for path in ("whole", "k", "v")}, directions, memory, progress)
    largest = gradients["whole"].abs().max()

    def error(gradient: torch.Tensor) -> float:
        return float((gradient - gradients["whole"]).abs().max() / largest)

    return GradientFlow(
        MemoryGradient(**maps, norms=norms),
        sum_error=error(gradients["k"] + gradients["v"]),
        torch_error=error(theirs),
        kernel_error=error(by_kernels),
        float32_error=error(in_float32),
    )


def _float32_gradient(scene: Scene, attend: Attend, value: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """The whole gradient into the memory `value`, with the weights as they are."""
    memory = value.float().requires_grad_()
    output = scene.one_pass(attend).decode(scene.ids("target"), (memory, memory))
    return _gradient(output, directions.float(), memory)


def _output(scene: Scene, stack: str = "", position: int = 0) -> Tensors:
    """The output, and that of the decoder's first sublayer, with one token replaced if `stack` names a text."""
    kept: Tensors = {}
    inputs = perturbed(scene.inputs, stack, position) if stack else scene.inputs
    with torch.no_grad():
        output = run_both(scene.one_pass(torch_attention, kept.__setitem__), inputs, scene.device)
    last = {"output": output}
    if "decoder.self.out" in kept:
        last["decoder.self"] = kept["decoder.self.out"]
    return last


def _row_changes(before: torch.Tensor, after: torch.Tensor) -> np.ndarray:
    """Largest absolute change per row, float32 [length]. NaN counts as a change."""
    largest: np.ndarray = (after - before).abs().amax(dim=1).float().cpu().numpy()
    return largest


def _largest(before: Tensors, after: Tensors, name: str) -> float:
    return float(_row_changes(before[name], after[name]).max())


def _directions(output: torch.Tensor, seed: int) -> torch.Tensor:
    """A fixed random direction of length 1 for each position."""
    drawn = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed)).to(output)
    lengths: torch.Tensor = torch.linalg.vector_norm(drawn, dim=1, keepdim=True)
    return drawn / lengths


def _gradient(output: torch.Tensor, directions: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """d(sum of directions . output) / d(memory); zeros if autograd finds no path."""
    if not output.requires_grad:
        return torch.zeros_like(memory)
    gradient: torch.Tensor | None
    (gradient,) = torch.autograd.grad(output, memory, directions, retain_graph=True, allow_unused=True)
    return torch.zeros_like(memory) if gradient is None else gradient


def _maps(
    outputs: dict[str, torch.Tensor], directions: torch.Tensor, memory: torch.Tensor, progress: ProgressCallback
) -> dict[str, np.ndarray]:
    length, done = len(directions), 0
    maps = {}
    for path, output in outputs.items():
        rows = []
        for position in range(length):
            progress(done, 3 * length, tr("gradients into the memory"))
            only = torch.zeros_like(directions)
            only[position] = directions[position]
            rows.append(_gradient(output, only, memory).norm(dim=1))
            done += 1
        maps[path] = np.array(torch.stack(rows).cpu().numpy(), dtype=np.float32)
    return maps
