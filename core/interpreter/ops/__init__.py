"""The TTIR operations. One module per dialect; each registers its operations in `registry` when imported."""

from core.interpreter.ops import (  # noqa: F401  (imported to register their operations)
    address_only,
    atomics,
    branches,
    constants,
    contractions,
    control,
    diagnostics,
    floats,
    integers,
    library,
    memory,
    precision,
    predicates,
    scaled,
    shapes,
)
