"""A checkpoint from its first tensor to its last: measured, kept as it goes, continued where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from core.checkpoint.errors import FormatErrors
from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import Measured, Measurer, Quantization
from core.checkpoint.resume_cache import ResumeCache
from core.checkpoint.slices import FileChanged, slices
from kernels.quantization.formats import FormatId

ProgressCallback = Callable[[float, float, str], None]


@dataclass
class Survey:
    """What has been measured so far, in the order of the tensors.

    `resumed` counts tensors of which nothing had to be read again. `stopped_by` is '' or the sentence for which the
    rest is missing: a file that went away or was written meanwhile. `notice` says what else the user should know.
    """

    measured: dict[str, tuple[StoredTensor, Measured]] = field(default_factory=dict)
    resumed: int = 0
    read_bytes: int = 0
    stopped_by: str = ""
    notice: str = ""


def survey(
    tensors: Sequence[StoredTensor], how: Quantization, cache: ResumeCache, result: Survey, progress: ProgressCallback
) -> Generator[None, None, None]:
    """Measure `tensors` into `result`, yielding after each. `progress(done, total, phase)` counts bytes, at every
    slice; it may raise to stop, and then all tensors that were measured are kept.

    A tensor kept by an earlier run, for the same file and the same way of quantizing, is not read again.
    """
    total = sum(tensor.bytes for tensor in tensors)
    done = 0
    measurer = Measurer()
    cache.prune(tensor.shard for tensor in tensors)
    try:
        for tensor in tensors:
            known = _known(tensor, how, cache)
            missing = tuple(name for name in how.formats if name not in known.errors) if known else how.formats
            if known is None or missing:
                tensor_progress = _Progress(progress, done, total, tensor, 2 if how.nests else 1)
                fresh = _measured(
                    measurer, tensor, Quantization(missing, how.block_size, how.nested_block), tensor_progress
                )
                cache.keep(tensor, fresh.weights, {how.way(name): errors for name, errors in fresh.errors.items()})
                known = fresh if known is None else Measured(fresh.weights, {**known.errors, **fresh.errors})
                result.read_bytes += tensor.bytes
            else:
                result.resumed += 1
            known = Measured(known.weights, {name: known.errors[name] for name in how.formats})
            result.measured[tensor.name] = (tensor, known)
            done += tensor.bytes
            progress(done, total, tensor.name)
            yield
    except FileChanged as error:
        result.stopped_by = error.sentence
    finally:
        measurer.close()
        result.notice = cache.notice


class _Progress:
    """Elements read of one tensor, as bytes of the whole."""

    def __init__(self, progress: ProgressCallback, done: int, total: int, tensor: StoredTensor, readings: int) -> None:
        self._tick, self._done, self._total, self._tensor = progress, float(done), total, tensor
        self._bytes_an_element = tensor.bytes / tensor.elements / readings

    def seen(self, elements: int) -> None:
        self._done += elements * self._bytes_an_element
        self._tick(self._done, self._total, self._tensor.name)


def _measured(measurer: Measurer, tensor: StoredTensor, how: Quantization, tensor_progress: _Progress) -> Measured:
    def read() -> Iterator[NDArray[Any]]:
        return slices(tensor)

    return measurer.measure(read, tensor.elements, how, tensor_progress.seen)


def _known(tensor: StoredTensor, how: Quantization, cache: ResumeCache) -> Measured | None:
    """What an earlier run kept; None without even the weights' own numbers."""
    weights = cache.weights(tensor)
    if weights is None:
        return None
    errors: dict[FormatId, FormatErrors] = {}
    for name in how.formats:
        kept = cache.errors(tensor, how.way(name))
        if kept is not None:
            errors[name] = kept
    return Measured(weights, errors)
