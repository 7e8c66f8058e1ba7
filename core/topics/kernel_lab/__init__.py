"""kernel-lab: what does my kernel touch?"""

from core.contracts.text import Text
from core.contracts.topic import Topic
from core.topics.kernel_lab.claims import CLAIMS
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import check, plan
from core.topics.kernel_lab.result import KernelLabResult


def backend(params: KernelLabParams, device: str) -> str:
    """Kernels are executed from their TTIR on either device: only so are they traced."""
    return "TTIR interpreter (CUDA)" if device == "cuda" else "TTIR interpreter (CPU)"


TOPIC = Topic(
    id="kernel-lab",
    title=Text("Kernel lab", "Kernel 实验室"),
    question=Text("What does my kernel touch?", "我的 kernel 访问了哪些内存？"),
    params=KernelLabParams,
    plan=plan,
    check=check,
    experiment="core.topics.kernel_lab.experiment:run",
    claims=CLAIMS,
    result=KernelLabResult,
    backend=backend,
)
