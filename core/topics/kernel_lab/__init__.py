"""kernel-lab: what does my kernel touch?"""

from core.contracts.headings import HEADINGS
from core.contracts.topic import Topic
from core.topics.kernel_lab.claims import CLAIMS
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import check, plan
from core.topics.kernel_lab.result import KernelLabResult


def backend(params: KernelLabParams, device: str) -> str:
    """On either device, kernels are executed from their TTIR, because only the interpreter can trace them."""
    return "TTIR interpreter (CUDA)" if device == "cuda" else "TTIR interpreter (CPU)"


TOPIC = Topic(
    **vars(HEADINGS["kernel-lab"]),
    params=KernelLabParams,
    plan=plan,
    check=check,
    experiment="core.topics.kernel_lab.experiment:run",
    libraries="core.topics.kernel_lab.experiment.rehearsal:rehearse",
    claims=CLAIMS,
    result=KernelLabResult,
    path_params=("file",),
    backend=backend,
    runs_user_code=True,
)
