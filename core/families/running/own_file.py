"""The user's own file on a device: its inputs, its reference, and its implementations. See `core.families.own_file`."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from core.contracts.errors import InvalidParams, RunFailed
from core.contracts.text import Text, listed, tr
from core.families.axes import Case
from core.families.family import Contender, Cost
from core.families.own_file import INPUTS, REFERENCE
from core.families.running.problem import DTYPES, Outputs, Problem
from core.user_code.loading import blamed, loaded
from core.user_code.paths import shown
from core.user_code.source import Source

_ALLOWED, _FLOPS = "ALLOWED_RMS_ERROR", "flops"
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@contextmanager
def opened(source: Source, contenders: Sequence[Contender], seed: int, device: torch.device) -> Iterator[OwnFile]:
    """The file, imported until the block ends. Raises InvalidParams if it does not import."""
    with loaded(source) as module:
        yield OwnFile(source, module, tuple(contenders), seed, device)


@dataclass(frozen=True)
class OwnFile:
    """An imported file whose functions are compared."""

    source: Source
    module: types.ModuleType
    contenders: tuple[Contender, ...]
    seed: int
    device: torch.device

    @property
    def has_reference(self) -> bool:
        return callable(getattr(self.module, REFERENCE, None))

    @property
    def has_inputs(self) -> bool:
        return callable(getattr(self.module, INPUTS, None))

    def problem(self, case: Case) -> Problem:
        """Raises RunFailed for what `inputs` or `reference` raises, with its line, and for what they return if that is
        no tensors."""
        given = self._inputs(case) if self.has_inputs else None
        tensors = () if given is None else given.tensors
        plain = self._call(REFERENCE, given, case) if self.has_reference else ()
        allowed = getattr(self.module, _ALLOWED, None)
        return Problem(
            runs={each.id: partial(self._call, each.id, given, case) for each in self.contenders},
            exact=partial(self._exact, given, case) if self.has_reference else None,
            plain=lambda: plain,
            allowed_rms_error=float(allowed) if isinstance(allowed, int | float) else None,
            inputs=tensors,
            cost=self._cost(case, (*tensors, *plain)),
        )

    def _inputs(self, case: Case) -> Arguments:
        torch.manual_seed(self.seed)
        values = {**case, "seed": self.seed, "device": str(self.device)}
        made = self._called(INPUTS, (), values)
        if isinstance(made, Mapping):
            return Arguments((), dict(made))
        if isinstance(made, tuple | list):
            return Arguments(tuple(made), {})
        return Arguments((made,), {})

    def _call(self, name: str, given: Arguments | None, case: Case) -> Outputs:
        """One function on the inputs; on the parameters alone, from the same seed, where the file has no `inputs`."""
        if given is None:
            torch.manual_seed(self.seed)
            return self._tensors(name, self._called(name, (), dict(case)))
        return self._tensors(name, self._called(name, given.positional, given.named))

    def _exact(self, given: Arguments | None, case: Case) -> Outputs:
        """The reference on the inputs in float64; without `inputs`, what it makes, as exact as it is."""
        outputs = self._call(REFERENCE, None if given is None else given.in_float64(), case)
        return tuple(tensor.detach().double() for tensor in outputs)

    def _called(self, name: str, positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
        function = getattr(self.module, name, None)
        if not callable(function):
            raise RunFailed(
                tr("{file} defines {name}, but not as a function.", file=shown(self.source.path), name=name)
            )
        if not positional:
            named = _accepted(self.source, function, name, named)
        with blamed(self.source, name):
            return function(*positional, **named)

    def _tensors(self, name: str, returned: Any) -> Outputs:
        outputs = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
        if not outputs or not all(isinstance(output, torch.Tensor) for output in outputs):
            raise RunFailed(
                tr(
                    "{name} in {file} returns {what}: return a tensor, or a tuple of them.",
                    name=name,
                    file=shown(self.source.path),
                    what=type(returned).__name__,
                )
            )
        return outputs

    def _cost(self, case: Case, tensors: Outputs) -> Cost:
        """FLOPs where the file has a function `flops`; bytes of the inputs and outputs, once each."""
        flops = 0.0
        if callable(getattr(self.module, _FLOPS, None)):
            counted = self._called(_FLOPS, (), dict(case))
            flops = float(counted) if isinstance(counted, int | float) else 0.0
        floating = [tensor for tensor in tensors if tensor.is_floating_point()]
        dtype = _NAMES.get(floating[0].dtype, "fp32") if floating else "fp32"
        return Cost(flops, float(sum(tensor.numel() * tensor.element_size() for tensor in tensors)), dtype)


@dataclass(frozen=True)
class Arguments:
    """What the functions of the file are called with."""

    positional: tuple[Any, ...]
    named: Mapping[str, Any]

    @property
    def tensors(self) -> Outputs:
        return tuple(value for value in (*self.positional, *self.named.values()) if isinstance(value, torch.Tensor))

    def in_float64(self) -> Arguments:
        """The same with floating-point tensors in float64."""
        return Arguments(
            tuple(map(_float64, self.positional)), {name: _float64(value) for name, value in self.named.items()}
        )


def notices(source: Source) -> tuple[Text, ...]:
    """What a reader of the numbers should know of the file."""
    names = {function.name for function in source.functions}
    found = []
    if REFERENCE not in names:
        found.append(
            tr(
                "{file} has no function reference, so nothing was checked, and what was not checked gets no time.",
                file=source.path.name,
            )
        )
    if INPUTS not in names:
        found.append(
            tr(
                "{file} has no function inputs, so every function made its own tensors: times include that, and the "
                "reference is only as exact as the file makes it.",
                file=source.path.name,
            )
        )
    return tuple(found)


def _accepted(source: Source, function: Callable[..., Any], name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a function takes. Raises InvalidParams for an argument that nothing gives a value to."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return dict(values)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(values)
    missing = [
        each.name
        for each in parameters.values()
        if each.default is each.empty and each.name not in values and each.kind is not each.VAR_POSITIONAL
    ]
    if missing:
        raise InvalidParams(
            tr(
                "{name} in {file} needs {arguments}, which neither SWEEP nor a default gives a value to.",
                name=name,
                file=shown(source.path),
                arguments=listed(missing),
            ),
            "file",
        )
    return {name: value for name, value in values.items() if name in parameters}


def _float64(value: Any) -> Any:
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
