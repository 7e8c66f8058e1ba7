"""Public models and the user's own, as facts: layers, parameters, KV cache, and what fits on a GPU. Pure Python without
torch; the window may import it. After a configuration is parsed, everything here takes well below a millisecond.

By module:
- `facts`      `ModelFacts`, `LayerFacts`, `AttentionFacts` (heads, kv_heads, head_dim, window, chunk, latent),
               `LatentFacts`, `StateFacts`, `MlpFacts`. `ModelFacts.groups`: equal layers with their count; `.kinds`:
               the number of layers per kind; `.attention`: the most common attention; `.assumed`: sentences
- `parsing`    `parse_config(config, name="", source="", field=None) -> ModelFacts`
- `reading`    `read_model(path, field=None) -> ModelFacts`: a config.json, or the folder that holds it
- `presets`    `preset_ids() -> tuple[str, ...]`, `preset(id) -> ModelFacts`
- `parameters` `parameters(facts) -> Parameters`: embeddings, query, key, value, output, latent, mlp, active_mlp, state,
               norms, head; `.attention`, `.total`, `.active`
- `cache`      `CacheSetting(context, batch=1, dtype="bf16", group=64, tensor_parallel=1, page_size=16,
               keep_sliding_whole=False)`; `needed_bytes`, `allocated_bytes`, `allocated_bytes_per_gpu` of
               `(facts, setting)`; `bytes_per_token`, `growth_per_token` of `(facts, dtype="bf16", group=64)`;
               `state_bytes(facts)` per sequence; `tensor_parallel_problem(facts, gpus) -> Text | None`
- `memory`     `Deployment(gpu, cache, weights="bf16", reserve=0.1, step_tokens=8192)`;
               `memory_use(facts, deployment) -> MemoryUse` (capacity, weights, cache, activations, reserve, free, fits,
               weights_fit); `longest_context`, `largest_batch`, `fitting_curve(facts, deployment, batches)`

Errors are InvalidParams with one sentence. All byte counts are modelled.
"""

from core.model_configs.cache import (
    CACHE_DTYPES,
    CacheDtype,
    CacheSetting,
    allocated_bytes,
    allocated_bytes_per_gpu,
    bytes_per_token,
    growth_per_token,
    needed_bytes,
    state_bytes,
    tensor_parallel_problem,
)
from core.model_configs.facts import (
    AttentionFacts,
    LatentFacts,
    LayerFacts,
    LayerKind,
    MlpFacts,
    ModelFacts,
    StateFacts,
)
from core.model_configs.memory import (
    WEIGHT_DTYPES,
    Deployment,
    MemoryUse,
    WeightDtype,
    fitting_curve,
    largest_batch,
    longest_context,
    memory_use,
)
from core.model_configs.parameters import Parameters, parameters
from core.model_configs.parsing import parse_config
from core.model_configs.presets import preset, preset_ids
from core.model_configs.reading import read_model

__all__ = [
    "CACHE_DTYPES",
    "WEIGHT_DTYPES",
    "AttentionFacts",
    "CacheDtype",
    "CacheSetting",
    "Deployment",
    "LatentFacts",
    "LayerFacts",
    "LayerKind",
    "MemoryUse",
    "MlpFacts",
    "ModelFacts",
    "Parameters",
    "StateFacts",
    "WeightDtype",
    "allocated_bytes",
    "allocated_bytes_per_gpu",
    "bytes_per_token",
    "fitting_curve",
    "growth_per_token",
    "largest_batch",
    "longest_context",
    "memory_use",
    "needed_bytes",
    "parameters",
    "parse_config",
    "preset",
    "preset_ids",
    "read_model",
    "state_bytes",
    "tensor_parallel_problem",
]
