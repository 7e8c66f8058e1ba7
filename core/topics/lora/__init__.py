"""lora: low rank, and who gets it?"""

from core.contracts.text import Text
from core.contracts.topic import Topic
from core.topics.lora.claims import CLAIMS
from core.topics.lora.model.plan import check, plan
from core.topics.lora.params import LoraParams

TOPIC = Topic(
    id="lora",
    title=Text("LoRA, AdaLoRA", "LoRA、AdaLoRA"),
    question=Text("Who gets the rank?", "秩分给谁？"),
    params=LoraParams,
    plan=plan,
    check=check,
    experiment="core.topics.lora.experiment:run",
    claims=CLAIMS,
    libraries="core.language_model.libraries:import_for_training",
)
