"""dialogue: what do a template, a tokenizer and a loss mask make of a conversation, and what is learned from it?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.dialogue.claims import CLAIMS
from core.topics.dialogue.doctor_report import doctor_json
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.plan import check, plan
from core.topics.dialogue.result import DialogueResult


def libraries(params: DialogueParams, device: str) -> str:
    """The libraries that do the work. None of this project's kernels run here."""
    return "torch, transformers"


def on_the_cpu(params: DialogueParams, device: str) -> str:
    """A model this small trains faster on a CPU."""
    return "cpu"


def exit_status(result: DialogueResult) -> int:
    """1 if the doctor found anything ill, so that a data pipeline stops."""
    return int(result.examined is not None and result.examined.is_ill)


TOPIC = Topic(
    **vars(HEADINGS["dialogue"]),
    params=DialogueParams,
    plan=plan,
    check=check,
    experiment="core.topics.dialogue.experiment:run",
    claims=CLAIMS,
    result=DialogueResult,
    path_params=("tokenizer", "data"),
    runs_on=on_the_cpu,
    backend=libraries,
    packages=("transformers", "tokenizers", "jinja2"),
    libraries="core.language_model.libraries:import_transformers",
    exit_status=exit_status,
    json_details=doctor_json,
)
