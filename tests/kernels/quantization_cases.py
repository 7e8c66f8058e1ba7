"""Weights that quantization is tried on, and what has to be the same bits."""

from collections.abc import Iterator

import torch

from kernels.quantization.api import Quantized
from kernels.quantization.formats import FormatId
from kernels.quantization.tables import tables

KINDS = ("normal", "heavy-tailed", "constant", "zero", "denormal", "huge", "boundaries")


def weights(kind: str, count: int, format_id: FormatId = FormatId.NF4, seed: int = 0) -> torch.Tensor:
    """float32 [count], finite."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, generator=generator)
    match kind:
        case "normal":
            return normal
        case "heavy-tailed":
            return normal / torch.rand(count, generator=generator).clamp(min=1e-4)
        case "constant":
            return torch.full((count,), -0.37)
        case "zero":
            return torch.zeros(count)
        case "denormal":
            return normal * 1e-39
        case "huge":
            return normal * 1e37
        case "boundaries":
            return beside_boundaries(count, format_id, generator)
    raise ValueError(kind)


def beside_boundaries(count: int, format_id: FormatId, generator: torch.Generator) -> torch.Tensor:
    """Every boundary and level times an absmax, and the five values to either side of them; the absmax itself in each
    16, so that it is the absmax of each block."""
    code_tables, scales = tables(format_id), torch.tensor([1.0, 3.0, 0.37, 7e-3])[:, None]
    steps = torch.cat([torch.from_numpy(code_tables.boundaries), torch.from_numpy(code_tables.levels)])
    exact = steps[steps.isfinite()] * scales
    near = [exact]
    for end in torch.tensor([-9.0, 9.0]):
        moved = exact
        for _ in range(5):
            moved = torch.nextafter(moved, end)
            near.append(moved)
    near = torch.cat(near, 1).clamp(-scales, scales)
    chosen = near[:, torch.randint(near.shape[1], (-(-count // 4),), generator=generator)]
    chosen[:, ::16] = scales
    return chosen.reshape(-1)[:count]


def held(quantized: Quantized) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of it, by name."""
    named = {"codes": quantized.codes, "absmax": quantized.absmax}
    for name, scales in (("nested", quantized.nested), ("affine", quantized.affine)):
        if scales is not None:
            named |= {f"{name}.{field}": tensor for field, tensor in vars(scales).items()}
    yield from ((name, tensor) for name, tensor in named.items() if tensor is not None)


def assert_same_bits(ours: Quantized, theirs: Quantized) -> None:
    one, other = dict(held(ours)), dict(held(theirs))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), f"{name}: {int((tensor != other[name]).sum())} differ"
    assert (ours.format, ours.shape, ours.block_size, ours.nested_block) == (
        theirs.format, theirs.shape, theirs.block_size, theirs.nested_block,
    )  # fmt: skip
