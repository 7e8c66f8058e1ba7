"""Measures a checkpoint from its first tensor to its last, caches each tensor, and resumes where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from core.checkpoint.errors import FormatErrors
from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import Measured, Measurer, Quantization
from core.checkpoint.quantized.reading import weight_slices
from core.checkpoint.resume_cache import ResumeCache
from core.checkpoint.slices import FileChanged
from core.contracts.text import EMPTY, Text, verbatim
from kernels.quantization.formats import FormatId

ProgressCallback = Callable[[float, float, Text], None]


@dataclass
class Survey:
    """The tensors measured so far, in order.

    `resumed` counts the tensors that were cached and not read again. `stopped_by` says why the rest is missing (a file
    was removed or written meanwhile), and is empty if nothing is. `notice` is what else the user should know.
    """

    measured: dict[str, tuple[StoredTensor, Measured]] = field(default_factory=dict)
    resumed: int = 0
    read_bytes: int = 0
    stopped_by: Text = EMPTY
    notice: Text = EMPTY


def survey(
    tensors: Sequence[StoredTensor],
    quantization: Quantization,
    cache: ResumeCache,
    result: Survey,
    progress: ProgressCallback,
) -> Generator[None, None, None]:
    """Measure `tensors` into `result`, yielding after each. `progress(done, total, phase)` counts bytes and is called
    for every slice. It may raise to stop; all tensors measured until then are cached.

    A tensor that an earlier run cached, for the same file and the same quantization, is not read again.
    """
    total = sum(tensor.bytes for tensor in tensors)
    done = 0
    measurer = Measurer()
    cache.prune(tensor.shard for tensor in tensors)
    try:
        for tensor in tensors:
            measured = _from_cache(tensor, quantization, cache)
            missing = (
                tuple(name for name in quantization.formats if name not in measured.errors)
                if measured
                else quantization.formats
            )
            if measured is None or missing:
                tensor_progress = _Progress(progress, done, total, tensor, 2 if quantization.has_nested_scales else 1)
                fresh = _measure(
                    measurer,
                    tensor,
                    Quantization(missing, quantization.block_size, quantization.nested_block),
                    tensor_progress,
                )
                cache.keep(
                    tensor,
                    fresh.weights,
                    {quantization.cache_key(name): errors for name, errors in fresh.errors.items()},
                )
                measured = fresh if measured is None else Measured(fresh.weights, {**measured.errors, **fresh.errors})
                result.read_bytes += tensor.bytes
            else:
                result.resumed += 1
            measured = Measured(measured.weights, {name: measured.errors[name] for name in quantization.formats})
            result.measured[tensor.name] = (tensor, measured)
            done += tensor.bytes
            progress(done, total, verbatim(tensor.name))
            yield
    except FileChanged as error:
        result.stopped_by = error.text
    finally:
        measurer.close()
        result.notice = cache.notice


class _Progress:
    """Turns the elements read of one tensor into bytes of the whole checkpoint."""

    def __init__(self, progress: ProgressCallback, done: int, total: int, tensor: StoredTensor, passes: int) -> None:
        self._report, self._done, self._total, self._tensor = progress, float(done), total, tensor
        self._bytes_per_element = tensor.bytes / tensor.elements / passes

    def on_read(self, elements: int) -> None:
        self._done += elements * self._bytes_per_element
        self._report(self._done, self._total, verbatim(self._tensor.name))


def _measure(
    measurer: Measurer, tensor: StoredTensor, quantization: Quantization, tensor_progress: _Progress
) -> Measured:
    def read() -> Iterator[NDArray[Any]]:
        return weight_slices(tensor)

    return measurer.measure(read, tensor.elements, quantization, tensor_progress.on_read)


def _from_cache(tensor: StoredTensor, quantization: Quantization, cache: ResumeCache) -> Measured | None:
    """The cached numbers of an earlier run; None if not even the weight sums are cached."""
    weights = cache.weights(tensor)
    if weights is None:
        return None
    errors: dict[FormatId, FormatErrors] = {}
    for name in quantization.formats:
        kept = cache.errors(tensor, quantization.cache_key(name))
        if kept is not None:
            errors[name] = kept
    return Measured(weights, errors)
