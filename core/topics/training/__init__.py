"""training: what does each stage add, and what does it cost?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.training.claims import CLAIMS
from core.topics.training.params import TrainingParams
from core.topics.training.plan import check, plan
from core.topics.training.result import TrainingResult


def libraries(params: TrainingParams, device: str) -> str:
    """The libraries that do the work. None of this project's kernels run here."""
    return "torch, transformers"


def on_the_cpu(params: TrainingParams, device: str) -> str:
    """A model this small trains faster on a CPU."""
    return "cpu"


TOPIC = Topic(
    **vars(HEADINGS["training"]),
    params=TrainingParams,
    plan=plan,
    check=check,
    experiment="core.topics.training.experiment:run",
    claims=CLAIMS,
    result=TrainingResult,
    path_params=("folder", "log"),
    written_params=("folder",),
    runs_on=on_the_cpu,
    backend=libraries,
    packages=("transformers", "tokenizers"),
    libraries="core.language_model.libraries:import_transformers",
)
