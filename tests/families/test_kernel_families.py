"""Every family keeps its promises: a small case of each runs on a CPU, and its contenders agree with float64."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from core.contracts.errors import InvalidParams, UnknownName
from core.families import FAMILIES, family
from core.families.axes import Case
from core.families.family import Family
from core.families.running import attention as attention_inputs
from core.families.running import loss
from core.families.running.problem import Assessor, Problem, build
from core.hardware.gpus import gpu
from core.interpreter import intercept
from core.recordings.run import Outcome
from core.sanitizer import findings
from kernels.errors import KernelError
from kernels.launching import choosing_for
from tests.families.small_cases import small

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Outputs:
    problem: Problem
    outcomes: dict[str, Outcome]
    reasons: dict[str, str]
    faults: list[str]


@pytest.fixture(scope="module", params=FAMILIES)
def assessed(request: pytest.FixtureRequest) -> tuple[Family, Outputs]:
    """Every contender of a family on its small case."""
    known = FAMILIES[request.param]
    return known, outputs_of(known, small(known))


def outputs_of(known: Family, case: Case) -> Outputs:
    """Every contender, on the CPU or emulated."""
    with choosing_for(gpu("h200").target):
        problem = build(known, case, 3, CPU)
    assess, outcomes, reasons, faults = Assessor(problem), {}, {}, []
    for contender in known.contenders:
        run = problem.runs.get(contender.id)
        if run is None:
            reasons[contender.id] = "no such implementation"
            continue
        try:
            prepare = problem.prepare.get(contender.id, lambda: None)
            if contender.kind == "triton":
                with choosing_for(gpu("h200").target), intercept(faults="record") as tracer:
                    prepare()
                    outputs = run()
                found = (fault for launch in tracer.launches for fault in findings(launch))
                faults += [str(fault.sentence) for fault in found if fault.severity == "fault"]
            else:
                prepare()
                outputs = run()
        except KernelError as error:
            reasons[contender.id] = str(error)
            continue
        outcomes[contender.id] = assess(Outcome(contender.id, contender.label), outputs)
    return Outputs(problem, outcomes, reasons, faults)


def test_that_contenders_agree_with_float64_or_say_why_they_cannot_run(assessed: tuple[Family, Outputs]) -> None:
    known, outputs = assessed

    wrong = {
        name: (outcome.rms_error, outcome.allowed_rms_error)
        for name, outcome in outputs.outcomes.items()
        if not outcome.passed
    }
    assert wrong == {}
    assert {*outputs.outcomes, *outputs.reasons} == {contender.id for contender in known.contenders}
    assert {contender.id for contender in known.contenders if contender.kind == "triton"} <= set(outputs.outcomes)


def test_that_the_sanitizer_finds_no_fault_in_a_shipped_kernel(assessed: tuple[Family, Outputs]) -> None:
    _, outputs = assessed
    assert outputs.faults == []


@pytest.mark.parametrize(
    ("family_id", "values", "refused"),
    [
        ("attention", {"mask": "none", "kv_heads": 1}, {"sdpa-efficient", "sdpa-cudnn"}),
        ("attention-training", {"mask": "none", "kv_heads": 1}, {"sdpa-efficient", "sdpa-cudnn", "flex"}),
        ("attention-training", {"passes": "backward"}, {"sdpa-efficient", "sdpa-cudnn", "flex"}),
        ("decode", {"keys": 256, "page_size": 32}, {"sdpa-gqa", "flex"}),
        ("block-sparse", {"mask": "window", "window": 40}, set()),
        ("block-sparse", {"mask": "causal", "kv_heads": 1}, set()),
        ("quantize", {"format": "int8", "dtype": "fp16"}, {"bitsandbytes"}),
        ("dequantize", {"format": "nf4", "nested_block": 256, "dtype": "fp32"}, set()),
        ("matmul-4bit", {"x_rows": 3, "nested_block": 256, "format": "fp4-e2m1"}, {"triton-gemv"}),
        ("lora", {"weight": "nf4", "width": 128, "dtype": "bf16"}, {"triton-unfused"}),
        ("cross-entropy", {"tokens": 1, "ignored": 99, "dtype": "fp32"}, set()),
        ("cross-entropy", {"tokens": 17, "vocabulary": 4099, "dtype": "fp16"}, set()),
        ("linear-cross-entropy", {"tokens": 20, "width": 272, "ignored": 0}, {"triton-on-chip"}),
        ("linear-cross-entropy", {"tokens": 20, "dtype": "fp32"}, set()),
    ],
)
def test_that_other_values_agree_with_float64_too(
    family_id: str, values: dict[str, int | str], refused: set[str]
) -> None:
    known = FAMILIES[family_id]
    case = known.resolve({**small(known), **values})
    known.check(case)

    outputs = outputs_of(known, case)

    assert all(outcome.passed for outcome in outputs.outcomes.values())
    assert set(outputs.reasons) - {"torch-compile"} == refused


def test_that_a_wrong_output_does_not_pass(assessed: tuple[Family, Outputs]) -> None:
    known, outputs = assessed
    plain = outputs.problem.plain
    assert plain is not None
    right = plain()
    assess = Assessor(Problem({}, outputs.problem.exact, lambda: right))

    assert assess(Outcome("right", known.label), right).passed
    for position in range(len(right)):
        for factor in (1.5, torch.nan):
            spoilt = [part.detach().to(torch.float32) for part in right]
            spoilt[position] = spoilt[position] * factor
            assert assess(Outcome("wrong", known.label), tuple(spoilt)).passed is False


@pytest.mark.parametrize("family_id", FAMILIES)
def test_that_a_family_is_declared_completely(family_id: str) -> None:
    known = FAMILIES[family_id]

    assert known.id == family_id
    assert known.summary
    assert len({contender.id for contender in known.contenders}) == len(known.contenders)
    assert known.contender(known.baseline).label
    assert not known.unfused or known.contender(known.unfused).kind == "triton"
    for preset in (known.quick, known.full):
        assert set(preset.case) <= set(known.defaults)
        assert preset.sweep is not None
        name, values = preset.sweep
        axis = next(axis for axis in known.axes if axis.name == name)
        for value in values:
            assert axis.value(str(value), "sweep") == value
            case = known.resolve({**known.defaults, **preset.case, name: value})
            known.check(case)
            cost = known.cost(case)
            assert cost.least_bytes > 0
            assert cost.held_bytes >= cost.least_bytes
    for axis in known.axes:
        assert axis.help
        assert axis.value(str(axis.default), "case") == axis.default


def test_that_an_unknown_family_lists_those_that_exist() -> None:
    with pytest.raises(UnknownName, match="There is no family 'atention': did you mean attention"):
        family("atention")


def test_that_attention_counts_the_cells_that_the_mask_shows() -> None:
    known = family("attention")
    case = known.resolve({**known.defaults, "seq_len": 10, "heads": 2, "batch": 3, "head_dim": 32, "dtype": "bf16"})

    assert known.cost(case).flops == 4 * 3 * 2 * 55 * 32
    assert known.cost({**case, "mask": "none"}).flops == 4 * 3 * 2 * 100 * 32
    assert known.cost(case).least_bytes == 4 * 3 * 2 * 10 * 32 * 2


def test_that_zero_keeps_tokens_and_width_as_in_the_papers() -> None:
    known = family("attention")
    case = known.resolve({**known.defaults, "seq_len": 4096, "heads": 0, "batch": 0, "head_dim": 128})

    assert (case["batch"], case["heads"], case["kv_heads"]) == (4, 16, 16)


@pytest.mark.parametrize(("passes", "products"), [("both", 7), ("backward", 5)])
def test_that_attention_s_training_counts_two_products_forward_and_five_backward(passes: str, products: int) -> None:
    known = family("attention-training")
    values = {"seq_len": 10, "heads": 4, "kv_heads": 2, "batch": 3, "head_dim": 32, "dtype": "bf16", "passes": passes}
    case = known.resolve({**known.defaults, **values})

    assert known.cost(case).flops == products * 2 * 3 * 4 * 55 * 32
    # Q, O, dO and dQ of four heads, K, V, dK and dV of two.
    assert known.cost(case).least_bytes == 2 * 3 * 10 * 32 * (4 * 4 + 4 * 2)


def test_that_backward_alone_leaves_the_forward_pass_out_and_can_be_repeated() -> None:
    known = family("attention-training")
    both, alone = ({**small(known), "passes": passes} for passes in ("both", "backward"))
    out, *gradients = build(known, both, 3, CPU).runs["sdpa-flash"]()
    problem = build(known, alone, 3, CPU)
    problem.prepare["sdpa-flash"]()

    for _ in range(2):
        for once_more, gradient in zip(problem.runs["sdpa-flash"](), gradients, strict=True):
            torch.testing.assert_close(once_more, gradient)
    assert out.shape == gradients[0].shape
    assert not build(known, both, 3, CPU).prepare


def test_that_only_heads_that_share_their_kv_head_are_checked_where_there_are_many_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attention_inputs, "MOST_CHECKED_CELLS", 1)
    known = family("attention-training")
    problem = build(known, known.resolve({**small(known), "batch": 2, "heads": 4, "kv_heads": 2}), 3, CPU)
    assert problem.exact is not None
    outputs = problem.runs["torch-naive"]()

    shapes = [list(part.shape[:2]) for part in problem.exact()]
    assert shapes == [[1, 2], [1, 2], [1, 1], [1, 1]]
    assert Assessor(problem)(Outcome("a", known.label), outputs).passed
    for wrong in range(4):
        spoilt = [output.clone() for output in outputs]
        spoilt[wrong][0, 0] *= 1.1
        assert Assessor(problem)(Outcome("a", known.label), tuple(spoilt)).passed is False


def test_that_a_loss_counts_its_logits_twice_and_a_linear_one_not_at_all() -> None:
    sizes = {"tokens": 10, "vocabulary": 100, "dtype": "bf16"}
    logits, hidden = family("cross-entropy"), family("linear-cross-entropy")

    assert logits.cost({**logits.defaults, **sizes}).least_bytes == 2 * 2 * 10 * 100 + 8 * 10
    linear = hidden.cost({**hidden.defaults, **sizes, "width": 16})
    assert (linear.flops, linear.least_bytes) == (6 * 10 * 100 * 16, 2 * 2 * (10 + 100) * 16 + 8 * 10)


def test_that_of_a_long_batch_the_loss_is_checked_whole_and_gradients_by_their_first_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = family("linear-cross-entropy")
    whole = build(known, small(known), 3, CPU)
    monkeypatch.setattr(loss, "CHECKED_ROWS", 64)
    in_parts = build(known, small(known), 3, CPU)
    assert whole.exact is not None
    assert in_parts.exact is not None
    right, parts = whole.exact(), in_parts.exact()

    assert [len(part) for part in parts[1:]] == [64, 64]
    for part, all_rows in zip(parts, right, strict=True):
        torch.testing.assert_close(part, all_rows[:64] if part.dim() else all_rows)


def test_that_no_target_is_drawn_for_the_share_of_tokens_that_has_none() -> None:
    known = family("cross-entropy")
    for ignored, count in ((0, 0), (30, 90), (99, 297)):
        labels = loss._labels({**small(known), "ignored": ignored}, torch.Generator().manual_seed(0))
        assert int((labels == -100).sum()) == count


def test_that_kv_heads_must_divide_the_heads() -> None:
    known = family("attention")

    with pytest.raises(InvalidParams, match="heads = 4 cannot be divided among kv_heads = 3"):
        known.check({**known.defaults, "kv_heads": 3})
