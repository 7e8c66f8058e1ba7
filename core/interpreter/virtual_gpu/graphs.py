"""CUDA graphs of the virtual GPU: what a file does while it captures is kept, and done again at each replay.

As on a GPU, nothing is done at the capture itself: its results have shapes, and no meaning before the first replay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from core.interpreter.virtual_gpu.refusals import refused


class CUDAGraph:
    """In place of `torch.cuda.CUDAGraph`."""

    def __init__(self, keep_graph: bool = False) -> None:
        self._steps: list[Callable[[], None]] = []

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "global", **options: Any) -> None:
        _capture.graph, self._steps = self, []

    def capture_end(self) -> None:
        _capture.graph = None

    def instantiate(self) -> None:
        """It is ready as it is."""

    def replay(self) -> None:
        """Do everything again, on the same tensors."""
        with torch.no_grad():
            for step in self._steps:
                step()

    def reset(self) -> None:
        self._steps = []

    def pool(self) -> tuple[int, int]:
        return (0, 0)

    def add(self, step: Callable[[], None]) -> None:
        self._steps.append(step)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise refused(f"torch.cuda.CUDAGraph.{name}")


class _Capture:
    """The graph that is being captured; PyTorch allows one at a time."""

    graph: CUDAGraph | None = None


_capture = _Capture()


def is_capturing() -> bool:
    return _capture.graph is not None


def capture(step: Callable[[], None]) -> None:
    """Add a step to the graph that is being captured, such as a launch."""
    assert _capture.graph is not None
    _capture.graph.add(step)


def abandon() -> None:
    """End a capture that the file left open."""
    _capture.graph = None


def captured(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The results of an operation that is captured: tensors of the right shape. What it writes to, it leaves alone."""
    written = _written(func, args, kwargs)
    if not written:
        results = func(*args, **kwargs)
    else:  # on copies, for the shapes of what it returns
        leaves, form = tree_flatten((args, kwargs))
        copies = [torch.clone(leaf) if any(leaf is each for each in written) else leaf for leaf in leaves]
        back = {id(copy): leaf for copy, leaf in zip(copies, leaves, strict=True)}
        copied_args, copied_kwargs = tree_unflatten(copies, form)
        outputs, shape = tree_flatten(func(*copied_args, **copied_kwargs))
        results = tree_unflatten([back.get(id(output), output) for output in outputs], shape)
    kept = tree_flatten(results)[0]

    def again() -> None:
        for old, new in zip(kept, tree_flatten(func(*args, **kwargs))[0], strict=True):
            if isinstance(old, torch.Tensor) and not _is_same_memory(old, new):
                old.copy_(new)

    capture(again)
    return results


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that an operation writes to."""
    schema = getattr(func, "_schema", None)
    if schema is None or not schema.is_mutable:
        return []
    values = [
        args[place] if place < len(args) else kwargs.get(argument.name)
        for place, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    return [leaf for leaf in tree_flatten(values)[0] if isinstance(leaf, torch.Tensor)]


def _is_same_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(one.untyped_storage()._cdata == other.untyped_storage()._cdata)
