"""lora: low rank, and who gets it?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.lora.claims import CLAIMS
from core.topics.lora.params import LoraParams
from core.topics.lora.plan import check, plan
from core.topics.lora.result import LoraResult


def _backend(params: LoraParams, device: str) -> str:
    if device == "cuda":
        return "CUDA, peft"
    return "torch, peft, TTIR interpreter (CPU)" if params.kernels else "torch, peft"


TOPIC = Topic(
    **vars(HEADINGS["lora"]),
    params=LoraParams,
    plan=plan,
    check=check,
    experiment="core.topics.lora.experiment:run",
    claims=CLAIMS,
    result=LoraResult,
    path_params=("model",),
    backend=_backend,
    packages=("transformers", "tokenizers", "peft"),
    libraries="core.language_model.libraries:import_for_training",
)
