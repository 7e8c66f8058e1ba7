"""Runs the cases in Triton's interpreter and writes every address: python -m tests.interpreter.interpreter_run OUT.npz

A process of its own, because TRITON_INTERPRET is read when Triton is imported.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np
import torch
from triton.runtime.interpreter import InterpreterBuilder

from tests.interpreter.traced_cases import CASES

_METHODS = {"create_masked_load": 0, "create_masked_store": 1, "create_atomic_rmw": 2, "create_atomic_cas": 2}
Log = list[tuple[int, int, np.ndarray]]


def _spy(log: Log, kind: int, method: Any) -> Any:
    names = list(inspect.signature(method).parameters)

    def run(self: InterpreterBuilder, *args: Any, **kwargs: Any) -> Any:
        arguments = {**dict(zip(names[1:], args, strict=False)), **kwargs}
        pointers = arguments["ptrs"] if "ptrs" in arguments else arguments["ptr"]
        mask = np.broadcast_to(arguments["mask"].data if "mask" in arguments else True, pointers.data.shape)
        x, y, z = self.grid_idx
        program = x + self.grid_dim[0] * (y + self.grid_dim[1] * z)
        log.append((kind, program, pointers.data[mask].reshape(-1).astype(np.uint64)))
        return method(self, *args, **kwargs)

    return run


def main(path: str) -> None:
    """Outputs as 'CASE/out/NAME'; accesses as 'CASE/accesses', rows (program, sequence, kind, tensor, byte)."""
    torch.set_num_threads(1)
    log: Log = []
    for name, kind in _METHODS.items():
        setattr(InterpreterBuilder, name, _spy(log, kind, getattr(InterpreterBuilder, name)))
    arrays: dict[str, np.ndarray] = {}
    for case, launch in CASES.items():
        log.clear()
        tensors = launch()
        arrays |= {f"{case}/out/{name}": tensor.numpy() for name, tensor in tensors.items()}
        arrays[f"{case}/accesses"] = _rows(log, list(tensors.values()))
    np.savez(path, **arrays)


def _rows(log: Log, tensors: list[torch.Tensor]) -> np.ndarray:
    """Addresses as byte offsets into the tensors of the case; accesses to others (workspaces) are left out."""
    rows = [np.empty((0, 5), dtype=np.int64)]
    sequence: dict[int, int] = {}
    for kind, program, addresses in log:
        for index, tensor in enumerate(tensors):
            offsets = addresses.astype(np.int64) - tensor.data_ptr()
            inside = offsets[(offsets >= 0) & (offsets < tensor.untyped_storage().nbytes())]
            if len(inside):
                position = sequence.get(program, 0)
                sequence[program] = position + 1
                rows.append(np.stack(np.broadcast_arrays(program, position, kind, index, np.sort(inside)), axis=1))
    return np.concatenate(rows)


if __name__ == "__main__":
    main(sys.argv[1])
