"""compare: which implementation is faster, and is that more than noise?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.compare.claims import CLAIMS
from core.topics.compare.params import CompareParams
from core.topics.compare.plan import check, plan
from core.topics.compare.result import CompareResult

TOPIC = Topic(
    **vars(HEADINGS["compare"]),
    params=CompareParams,
    plan=plan,
    check=check,
    experiment="core.topics.compare.experiment:run",
    libraries="core.topics.compare.experiment.rehearsal:rehearse",
    claims=CLAIMS,
    result=CompareResult,
    path_params=("file", "recordings"),
    packages=("bitsandbytes", "peft"),
    runs_user_code=True,
)
