"""`torch.cuda` and `torch.accelerator` of the virtual GPU."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from core.hardware.gpus import Gpu
from core.interpreter.virtual_gpu import graphs, streams
from core.interpreter.virtual_gpu.generators import DefaultGenerator
from core.interpreter.virtual_gpu.properties import capability, is_amd, properties
from core.interpreter.virtual_gpu.refusals import refusing
from core.interpreter.virtual_gpu.residency import as_device, mark, memory, on_gpu, require_index

Asked = Callable[[], None]
"""Told that a file has asked which GPU it is."""


def cuda_functions(gpu: Gpu, asked: Asked) -> dict[str, Any]:
    """In place of what `torch.cuda` has. What is not listed and would ask the driver is refused in a sentence."""
    refusals = {
        name: refusing(f"torch.cuda.{name}", getattr(torch.cuda, name))
        for name in torch.cuda.__all__
        if callable(getattr(torch.cuda, name, None)) and not _is_plain_class(getattr(torch.cuda, name))
    }
    return {**refusals, **_queries(gpu, asked), **_streams(), **_memory(gpu), **_random(), **_tensor_types()}


def accelerator_functions(gpu: Gpu) -> dict[str, Any]:
    """In place of what `torch.accelerator` has."""
    ours = {**_memory(gpu), **_streams()}
    same = [name for name in ours if hasattr(torch.accelerator, name)]
    return {
        **{name: ours[name] for name in same},
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_accelerator": lambda check_available=False: torch.device("cuda"),
        "current_device_index": lambda: 0,
        "current_device_idx": lambda: 0,
        "set_device_index": _set_device,
        "set_device_idx": _set_device,
        "device_index": OneDevice,
        "get_memory_info": ours["mem_get_info"],
    }


def _is_plain_class(value: Any) -> bool:
    """Exceptions and the types of tensors and storages, which need no GPU by themselves."""
    return inspect.isclass(value) and (issubclass(value, BaseException) or value.__name__.endswith("Storage"))


class OneDevice:
    """`torch.cuda.device` and `device_of`: there is one device, so entering changes nothing."""

    def __init__(self, device: Any = None) -> None:
        self.idx = self.prev_idx = 0
        if not isinstance(device, torch.Tensor):
            _set_device(device)

    def __enter__(self) -> OneDevice:
        return self

    def __exit__(self, *error: object) -> None:
        """There is nothing to go back to."""


def _set_device(device: Any) -> None:
    """Raises MissingRequirement for another GPU than the first. A device of the CPU changes nothing."""
    if isinstance(device, int):
        require_index(device)
    elif device is not None:
        as_device(device)


def _queries(gpu: Gpu, asked: Asked) -> dict[str, Any]:
    known = properties(gpu)

    def answering(value: Any) -> Callable[..., Any]:
        def answer(device: Any = None, *args: Any, **kwargs: Any) -> Any:
            _set_device(device)
            asked()
            return value

        return answer

    return {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "init": lambda: None,
        "_lazy_init": lambda: None,
        "_lazy_call": lambda function, **options: function(),
        "_is_in_bad_fork": lambda: False,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": _set_device,
        "device": OneDevice,
        "device_of": OneDevice,
        "_DeviceGuard": OneDevice,
        "_exchange_device": lambda device: 0,
        "_maybe_exchange_device": lambda device: 0,
        "get_device_name": answering(gpu.name),
        "get_device_capability": answering(capability(gpu)),
        "get_device_properties": answering(known),
        "get_arch_list": lambda: [gpu.target],
        "get_gencode_flags": lambda: "",
        "is_bf16_supported": lambda including_emulation=True: True,
        "is_tf32_supported": lambda: not is_amd(gpu),
        "can_device_access_peer": lambda device, peer: False,
        "get_sync_debug_mode": lambda: 0,
        "set_sync_debug_mode": lambda mode: None,
        "has_half": True,
        "has_magma": False,
    }


def _streams() -> dict[str, Any]:
    return {
        "Stream": streams.Stream,
        "ExternalStream": streams.ExternalStream,
        "get_stream_from_external": lambda stream_ptr, device=None: streams.ExternalStream(stream_ptr, device),
        "Event": streams.Event,
        "StreamContext": streams.StreamContext,
        "stream": lambda stream: streams.StreamContext(stream),
        "set_stream": streams.set_stream,
        "current_stream": lambda device=None: streams.current.stream,
        "default_stream": lambda device=None: streams.current.default,
        "synchronize": _set_device_or_none,
        "is_current_stream_capturing": graphs.is_capturing,
        "CUDAGraph": graphs.CUDAGraph,
        "graph": torch.cuda.graphs.graph,
        "graph_pool_handle": lambda: (0, 0),
        "make_graphed_callables": torch.cuda.graphs.make_graphed_callables,
    }


def _set_device_or_none(device: Any = None) -> None:
    _set_device(device)


def _memory(gpu: Gpu) -> dict[str, Any]:
    """All memory that is reserved is allocated: there is no cache."""

    def allocated(device: Any = None) -> int:
        return memory.allocated

    def peak(device: Any = None) -> int:
        return memory.peak

    def reset_peak(device: Any = None) -> None:
        memory.peak = memory.allocated

    def statistics(device: Any = None) -> OrderedDict[str, Any]:
        return OrderedDict(
            (f"{kind}_bytes.all.{when}", value)
            for kind in ("allocated", "reserved", "active")
            for when, value in (("current", memory.allocated), ("peak", memory.peak))
        )

    def summary(device: Any = None, abbreviated: bool = False) -> str:
        return "\n".join(f"{name}: {value}" for name, value in statistics().items())

    def nothing(*args: Any, **kwargs: Any) -> None:
        """There is no cache of memory to empty, and no limit to set."""

    total = int(gpu.memory_bytes)
    return {
        **dict.fromkeys(("memory_allocated", "memory_reserved", "memory_cached", "device_memory_used"), allocated),
        **dict.fromkeys(("max_memory_allocated", "max_memory_reserved", "max_memory_cached"), peak),
        **dict.fromkeys(
            ("reset_peak_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached"), reset_peak
        ),
        **dict.fromkeys(
            ("empty_cache", "ipc_collect", "reset_accumulated_memory_stats", "set_per_process_memory_fraction"), nothing
        ),
        "get_per_process_memory_fraction": lambda device=None: 1.0,
        "mem_get_info": lambda device=None: (max(0, total - memory.allocated), total),
        "memory_stats": statistics,
        "memory_summary": summary,
        "get_allocator_backend": lambda: "native",
    }


def _random() -> dict[str, Any]:
    """The virtual GPU draws from the host's generator."""
    return {
        "manual_seed": lambda seed: _discard(torch.default_generator.manual_seed(seed)),
        "manual_seed_all": lambda seed: _discard(torch.default_generator.manual_seed(seed)),
        "seed": lambda: _discard(torch.default_generator.seed()),
        "seed_all": lambda: _discard(torch.default_generator.seed()),
        "initial_seed": lambda: torch.default_generator.initial_seed(),
        "get_rng_state": lambda device=None: torch.default_generator.get_state(),
        "get_rng_state_all": lambda: [torch.default_generator.get_state()],
        "set_rng_state": lambda state, device=None: torch.default_generator.set_state(state),
        "set_rng_state_all": lambda states: torch.default_generator.set_state(states[0]),
        "default_generators": (DefaultGenerator(),),
    }


def _discard(value: Any) -> None:
    """torch's functions of these names return nothing."""


class _TensorType(type):
    """`isinstance(x, torch.cuda.FloatTensor)` asks for the dtype and the device."""

    host: Any

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, torch.Tensor) and on_gpu(value) and value.dtype == cls.host.dtype

    def __call__(cls, *args: Any, **kwargs: Any) -> torch.Tensor:
        return mark(cls.host(*args, **kwargs).clone())


def _tensor_types() -> dict[str, Any]:
    names = [name for name in torch.cuda.__all__ if name.endswith("Tensor") and hasattr(torch, name)]
    return {name: _TensorType(name, (), {"host": getattr(torch, name)}) for name in names}


def nvtx_functions() -> dict[str, Any]:
    """In place of what `torch.cuda.nvtx` has: marks for a profiler, which is not there."""

    @contextmanager
    def named_range(message: str, *args: Any, **kwargs: Any) -> Iterator[None]:
        with nullcontext():
            yield

    return {
        "range": named_range,
        "range_push": lambda message: 0,
        "range_pop": lambda: 0,
        "range_start": lambda message: 0,
        "range_end": lambda range_id: None,
        "mark": lambda message: None,
    }
