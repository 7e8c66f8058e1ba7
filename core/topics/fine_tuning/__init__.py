"""fine-tuning: which parameters move?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.fine_tuning.claims import CLAIMS
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import check, plan
from core.topics.fine_tuning.result import FineTuningResult


def libraries(params: FineTuningParams, device: str) -> str:
    """The libraries that do the work. None of this project's kernels run here."""
    return "torch, transformers, peft"


TOPIC = Topic(
    **vars(HEADINGS["fine-tuning"]),
    params=FineTuningParams,
    plan=plan,
    check=check,
    experiment="core.topics.fine_tuning.experiment:run",
    claims=CLAIMS,
    result=FineTuningResult,
    path_params=("model",),
    backend=libraries,
    packages=("transformers", "peft", "bitsandbytes"),
    libraries="core.language_model.libraries:import_for_training",
)
