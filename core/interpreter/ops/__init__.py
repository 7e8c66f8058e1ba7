"""What each TTIR operation does. One module per dialect; each registers its operations in `registry` when imported."""

from core.interpreter.ops import (  # noqa: F401  (imported for what they register)
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
