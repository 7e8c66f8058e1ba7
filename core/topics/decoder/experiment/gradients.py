"""How the output depends on the memory, path by path: through K, through V, and with both cut off.

In float64, by PyTorch's autograd over its own operations: the project's kernel has no backward pass. Detaching the
memory from V leaves the path through K alone, and the other way round; derivatives along paths that share nothing add.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.engine.steps import ProgressCallback
from core.topics.decoder.experiment.attentions import by_operations
from core.topics.decoder.experiment.checks import torch_decoder
from core.topics.decoder.experiment.passes import Scene
from core.topics.decoder.experiment.weights import placed

PATHS = ("whole", "k", "v", "neither")


@dataclass(frozen=True)
class GradientFlow:
    """`maps` float32 [target_len, source_len] for 'whole', 'k' and 'v': norms of d(g_i . output_i) / d(memory_j).

    `norms` by path, of d(g . output) / d(memory) with all positions at once; `sum_error` is the largest difference of
    k + v from the whole, over the whole's largest element; `torch_error` that of the whole from the gradient through
    torch.nn.TransformerDecoderLayer.
    """

    maps: dict[str, np.ndarray]
    norms: dict[str, float]
    sum_error: float
    torch_error: float


def gradient_flow(scene: Scene, progress: ProgressCallback) -> GradientFlow:
    """Needs an encoder and a decoder."""
    exact = placed(scene.network, scene.device, torch.float64)
    one_pass = scene.one_pass(by_operations, network=exact)
    target = scene.ids("target")
    with torch.no_grad():
        value = one_pass.encode(scene.ids("source"))
    memory = value.clone().requires_grad_()
    cut = memory.detach()
    keys_and_values = {"whole": (memory, memory), "k": (memory, cut), "v": (cut, memory), "neither": (cut, cut)}
    outputs = {path: one_pass.decode(target, kv) for path, kv in keys_and_values.items()}
    directions = _directions(outputs["whole"], scene.params.seed)

    gradients = {path: _gradient(outputs[path], directions, memory) for path in PATHS}
    theirs = _gradient(torch_decoder(scene, exact, target, memory), directions, memory)
    largest = float(gradients["whole"].abs().max())
    maps = _maps({path: outputs[path] for path in ("whole", "k", "v")}, directions, memory, progress)
    return GradientFlow(
        maps,
        {path: float(gradient.norm()) for path, gradient in gradients.items()}
        | {"k + v": float((gradients["k"] + gradients["v"]).norm())},
        float((gradients["k"] + gradients["v"] - gradients["whole"]).abs().max()) / largest,
        float((theirs - gradients["whole"]).abs().max()) / largest,
    )


def _directions(output: torch.Tensor, seed: int) -> torch.Tensor:
    """A fixed random direction of length 1 for each position."""
    drawn = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed)).to(output)
    lengths: torch.Tensor = torch.linalg.vector_norm(drawn, dim=1, keepdim=True)
    return drawn / lengths


def _gradient(output: torch.Tensor, directions: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """d(sum of directions . output) / d(memory); zeros where autograd finds no path at all."""
    if not output.requires_grad:
        return torch.zeros_like(memory)
    found = torch.autograd.grad(output, memory, directions, retain_graph=True, allow_unused=True)[0]
    gradient: torch.Tensor = torch.zeros_like(memory) if found is None else found
    return gradient


def _maps(
    outputs: dict[str, torch.Tensor], directions: torch.Tensor, memory: torch.Tensor, progress: ProgressCallback
) -> dict[str, np.ndarray]:
    length, done = len(directions), 0
    maps = {}
    for path, output in outputs.items():
        rows = []
        for position in range(length):
            progress(done, 3 * length, "gradients into the memory")
            only = torch.zeros_like(directions)
            only[position] = directions[position]
            rows.append(_gradient(output, only, memory).norm(dim=1))
            done += 1
        maps[path] = np.array(torch.stack(rows).cpu().numpy(), dtype=np.float32)
    return maps
