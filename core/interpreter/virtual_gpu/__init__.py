"""A GPU that is not there: while a file runs, it finds a CUDA device of a chosen kind, in host memory.

Tensors are the CPU's and so are all operations; only what the file sees of them says "cuda". Launches are executed by
the interpreter as ever. See `residency` for which tensors count as on the GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from core.contracts.text import Text
from core.hardware.gpus import Gpu
from core.interpreter.virtual_gpu import cuda, graphs, saving, streams, tensors
from core.interpreter.virtual_gpu.amp import autocast_methods
from core.interpreter.virtual_gpu.blas import blas_classes
from core.interpreter.virtual_gpu.compiling import eager
from core.interpreter.virtual_gpu.custom_operators import launches_direct
from core.interpreter.virtual_gpu.dispatching import OnTheHost
from core.interpreter.virtual_gpu.generators import Generator
from core.interpreter.virtual_gpu.graphs import capture, is_capturing
from core.interpreter.virtual_gpu.naming import numbered_devices
from core.interpreter.virtual_gpu.patching import replaced
from core.interpreter.virtual_gpu.properties import is_amd, stands_in
from core.interpreter.virtual_gpu.residency import as_device, mark, memory, require_index, truth
from core.interpreter.virtual_gpu.same_device import require_reachable

__all__ = ["capture", "has_gpu", "in_a_thread", "is_capturing", "require_reachable", "truth", "virtual_gpu"]

_VERSIONS = {"cuda": "13.0", "hip": "7.0"}
"""What `torch.version` says: that of the CUDA or ROCm build of the PyTorch that is pinned."""


def has_gpu() -> bool:
    """Whether there is a real one, which is better."""
    return torch.cuda.is_available()


@contextmanager
def virtual_gpu(
    gpu: Gpu,
    notify: Callable[[Text], None] = lambda text: None,
    on_operation: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Inside the block, `torch.cuda` is a GPU of that kind. Everything is put back afterwards.

    `notify` is told that the GPU is virtual if the file asks what it is, and of what measured nothing; more than once.
    `on_operation` is called before each operation, and may raise.
    """

    def asked() -> None:
        notify(stands_in(gpu))

    with ExitStack() as stack:
        stack.enter_context(_default_device_kept())
        for owner, values in _replacements(gpu, asked, notify):
            stack.enter_context(replaced(owner, values))
        stack.enter_context(replaced(streams.Event, {"notify": staticmethod(notify)}))
        stack.enter_context(_lifted())
        stack.enter_context(launches_direct())
        stack.enter_context(numbered_devices())
        stack.callback(graphs.abandon)
        stack.enter_context(OnTheHost(on_operation))
        memory.peak = memory.allocated
        yield


def in_a_thread(on_operation: Callable[[], None]) -> OnTheHost:
    """What a thread has to enter that is started inside the block, to see the GPU."""
    return OnTheHost(on_operation)


def _replacements(
    gpu: Gpu, asked: Callable[[], None], notify: Callable[[Text], None]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    functions = cuda.cuda_functions(gpu, asked)
    yield torch.cuda, functions
    for module in (torch.cuda.memory, torch.cuda.random, torch.cuda.streams, torch.cuda.graphs):
        yield module, {name: value for name, value in functions.items() if hasattr(module, name)}
    yield torch.cuda.nvtx, cuda.nvtx_functions()
    yield torch.accelerator, cuda.accelerator_functions(gpu)
    yield (
        torch._C,
        {
            "_get_accelerator": lambda *args: torch.device("cuda"),
            "_cuda_getCurrentRawStream": lambda device: streams.current.stream.cuda_stream,
            "_cuda_getDevice": lambda: 0,
            "_cuda_setDevice": require_index,
            "_host_emptyCache": lambda: None,
            "_scatter": lambda tensor, *where: (tensor.to("cuda"),),
        },
    )
    yield torch._C._dynamo.guards, {"_empty_strided_cuda": _empty_strided}
    yield torch._C._nn, {"_parse_to": tensors.parsing_numbers(torch._C._nn._parse_to)}
    yield torch.serialization, saving.registry()
    yield torch.version, {name: _VERSIONS[name] if (name == "hip") == is_amd(gpu) else None for name in _VERSIONS}
    yield (
        torch,
        {
            **tensors.module_functions(),
            "compile": eager(notify),
            "Generator": Generator,
            "Stream": streams.Stream,
            "Event": streams.Event,
        },
    )
    yield torch.Tensor, tensors.tensor_attributes()
    yield torch.UntypedStorage, tensors.storage_attributes()
    yield torch.autocast, autocast_methods()
    yield from blas_classes()


def _empty_strided(size: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """What code of torch.compile makes its buffers with."""
    return mark(torch.empty_strided(size, stride, dtype=dtype))


@contextmanager
def _default_device_kept() -> Iterator[None]:
    """Put the default device back that a file sets, and let one without an index be the first GPU."""
    from torch.utils._device import DeviceContext, _device_constructors

    _device_constructors()  # it remembers the functions of `torch` that it finds when it is first asked
    initialize = DeviceContext.__init__

    def with_index(context: Any, device: Any) -> None:
        initialize(context, as_device(device))

    before = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    with replaced(DeviceContext, {"__init__": with_index}):
        try:
            yield
        finally:
            if getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None) is not before:
                torch.set_default_device(None if before is None else before.device)


@contextmanager
def _lifted() -> Iterator[None]:
    """`torch.tensor(..., device="cuda")` makes the tensor on the CPU, and then moves it where a mode sees that."""
    kept = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        yield
    finally:
        torch._C._set_only_lift_cpu_tensors(kept)
