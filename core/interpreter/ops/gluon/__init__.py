"""The operations of Gluon kernels. One module per mechanism of the hardware; each registers its operations."""

from core.interpreter.ops.gluon import (  # noqa: F401  (imported to register their operations)
    barriers,
    copies,
    layouts,
    partitions,
    shared,
    tensor_memory,
    tma,
    views,
    wgmma,
)
