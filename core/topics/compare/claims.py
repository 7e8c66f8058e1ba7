"""Statements about measuring and comparing kernels, each tested on the run."""

from __future__ import annotations

from collections.abc import Iterator

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, listed, tr, tr_plural, verbatim
from core.families import FAMILIES
from core.families.axes import case_text
from core.hardware import noise
from core.recordings.run import FamilyRun, Outcome, Point
from core.topics.compare.result import CompareResult

_NO_RUN = tr("Nothing was compared yet: run the page to the end.")
_NO_TIMES = tr("No two implementations were timed in this run.")
_STEADY = 1.01
_NEAR = 1.02
_SAME_ORDER = 2.0


def all_agree(result: CompareResult) -> Finding:
    """Holds when every output that exists is within the allowed error of float64."""
    run = result.run
    checked = [] if run is None else [(p, o) for p in run.points for o in p.outcomes if o.passed is not None]
    if not checked:
        return Finding(Verdict.NOT_TESTED, _NO_RUN)
    wrong = [(point, outcome) for point, outcome in checked if not outcome.passed]
    if wrong:
        point, outcome = wrong[0]
        return Finding(
            Verdict.DOES_NOT_HOLD,
            tr_plural(
                "{count} of {total} outputs is wrong, the first that of {label} at {case}.",
                "{count} of {total} outputs are wrong, the first that of {label} at {case}.",
                count=len(wrong),
                total=len(checked),
                label=outcome.label,
                case=case_text(point.case),
            ),
        )
    nearest = max(
        (outcome for _, outcome in checked if outcome.allowed_rms_error), key=_share_of_allowed, default=checked[0][1]
    )
    return Finding(
        Verdict.HOLDS,
        tr(
            "{total} outputs, each within what is allowed, usually three times the error of plain PyTorch in this "
            "precision; nearest to that limit is {label} with {share:.0%} of it.",
            total=len(checked),
            label=nearest.label,
            share=_share_of_allowed(nearest),
        ),
    )


def _share_of_allowed(outcome: Outcome) -> float:
    if not outcome.allowed_rms_error or outcome.rms_error is None:
        return 0.0
    return outcome.rms_error / outcome.allowed_rms_error


def one_number(result: CompareResult) -> Finding:
    """Does not hold when the slowest sample of an implementation takes over 1% more than its fastest."""
    timed = [] if result.run is None else _timed(result.run)
    if not timed:
        return Finding(Verdict.NOT_TESTED, _NO_TIMES)
    point, outcome = max(timed, key=lambda each: _range_of(each[1]))
    samples = outcome.time_ms_samples
    evidence = tr(
        "{label} at {case} took {fastest:.3g} to {slowest:.3g} ms over {samples} samples: {ratio:.2f} times as long "
        "({provenance}).",
        label=outcome.label,
        case=case_text(point.case),
        fastest=min(samples),
        slowest=max(samples),
        samples=len(samples),
        ratio=_range_of(outcome),
        provenance=outcome.measured.label,
    )
    return Finding(Verdict.HOLDS if _range_of(outcome) <= _STEADY else Verdict.DOES_NOT_HOLD, evidence)


def _range_of(outcome: Outcome) -> float:
    return max(outcome.time_ms_samples) / min(outcome.time_ms_samples)


def one_sample_tells(result: CompareResult) -> Finding:
    """Holds with a limit when some rounds order two implementations the other way round than their medians do."""
    pairs = [] if result.run is None else _pairs(result.run)
    if not pairs:
        return Finding(Verdict.NOT_TESTED, _NO_TIMES)
    wrong = total = 0
    for a, b in pairs:
        is_slower = b.time_ms > a.time_ms  # type: ignore[operator]
        rounds = list(zip(a.time_ms_samples, b.time_ms_samples, strict=False))
        wrong += sum((second > first) != is_slower for first, second in rounds)
        total += len(rounds)
    evidence = tr(
        "{wrong:,} of {total:,} rounds order two implementations the other way round than their medians do, over "
        "{pairs} pairs.",
        wrong=wrong,
        total=total,
        pairs=len(pairs),
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if wrong else Verdict.HOLDS, evidence)


def formula_counts_the_work(result: CompareResult) -> Finding:
    """Traced FLOPs of matrix products over those of the formula, for kernels that compute each product once."""
    traced = [
        (point, outcome)
        for point in (() if result.run is None else result.run.points)
        for outcome in point.outcomes
        if point.flops and outcome.traced is not None and outcome.traced.product_flops
    ]
    if not traced:
        return Finding(Verdict.NOT_TESTED, tr("No Triton kernel with matrix products was traced in this run."))
    ratios = [(outcome.traced.product_flops or 0) / point.flops for point, outcome in traced if outcome.traced]
    most = max(range(len(ratios)), key=lambda index: abs(ratios[index] - 1))
    point, outcome = traced[most]
    verdict = Verdict.HOLDS if abs(ratios[most] - 1) < _NEAR - 1 else Verdict.HOLDS_WITH_LIMIT
    if ratios[most] > _SAME_ORDER:
        verdict = Verdict.DOES_NOT_HOLD
    return Finding(
        verdict,
        tr(
            "{label} computes {ratio:.2f} times the FLOPs of the formula at {case} (traced): whole tiles, masked parts "
            "and what it computes again included. Rates in FLOP/s count those of the formula.",
            label=outcome.label,
            ratio=ratios[most],
            case=case_text(point.case),
        ),
    )


def fused_moves_fewer_bytes(result: CompareResult) -> Finding:
    """Distinct bytes of the kernels for single steps over those of each fused implementation, at every point."""
    run = result.run
    unfused = "" if run is None or run.family not in FAMILIES else FAMILIES[run.family].unfused
    ratios = [] if run is None else list(_byte_ratios(run, unfused))
    if not ratios:
        return Finding(
            Verdict.NOT_TESTED,
            tr("No fused kernel was traced in this run beside one kernel per step of the same work."),
        )
    least, most = (edge(ratios, key=lambda each: each[0]) for edge in (min, max))
    verdict = Verdict.HOLDS if least[0] > 1 else Verdict.HOLDS_WITH_LIMIT
    return Finding(
        Verdict.DOES_NOT_HOLD if most[0] <= 1 else verdict,
        tr(
            "One kernel per step moves {most:.2f} times as many distinct bytes as {label} at {case} (traced). Of "
            "{count} such ratios this is the largest, and {least:.2f} the smallest.",
            most=most[0],
            label=most[2].label,
            case=case_text(most[1].case),
            count=len(ratios),
            least=least[0],
        ),
    )


def _byte_ratios(run: FamilyRun, unfused: str) -> Iterator[tuple[float, Point, Outcome]]:
    for point in run.points:
        steps = point.outcome(unfused)
        if steps is None or steps.traced is None:
            continue
        for outcome in point.outcomes:
            # What PyTorch does beside Triton kernels is in no trace, and such a contender has no modelled time.
            if outcome.impl != unfused and outcome.traced is not None and outcome.modelled is not None:
                yield steps.traced.unique_bytes / max(1, outcome.traced.unique_bytes), point, outcome


def fewer_bytes_less_time(result: CompareResult) -> Finding:
    """On a GPU: the traced kernel with fewer distinct bytes takes less time."""
    run = result.run
    if run is None or run.device.kind != "cuda":
        return Finding(Verdict.NOT_TESTED, tr("Times of Triton kernels need a GPU, and this run had none."))
    found: list[tuple[Text, bool]] = []
    for point in run.points:
        timed = [each for each in point.outcomes if each.traced is not None and each.time_ms_samples]
        for a in timed:
            for b in timed:
                if a.traced is None or b.traced is None or a.traced.unique_bytes >= b.traced.unique_bytes:
                    continue
                compared = point.difference(a.impl, b.impl)
                if compared is not None and compared.verdict in (noise.Verdict.SLOWER, noise.Verdict.FASTER):
                    found.append((verbatim(case_text(point.case)), compared.verdict is noise.Verdict.SLOWER))
    if not found:
        return Finding(Verdict.NOT_TESTED, _NO_TIMES)
    against = [case for case, agrees in found if not agrees]
    evidence = tr(
        "In {agreeing} of {total} pairs that can be told apart, the kernel with fewer distinct bytes takes less time. "
        "{exceptions}",
        agreeing=len(found) - len(against),
        total=len(found),
        exceptions=tr("Not so at {cases}.", cases=listed(against)) if against else "",
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if against else Verdict.HOLDS, evidence)


def _timed(run: FamilyRun) -> list[tuple[Point, Outcome]]:
    return [(p, o) for p in run.points for o in p.outcomes if len(o.time_ms_samples) > 1]


def _pairs(run: FamilyRun) -> list[tuple[Outcome, Outcome]]:
    """Each two implementations that were timed at the same point."""
    return [
        (a, b)
        for point in run.points
        for index, a in enumerate(point.outcomes)
        for b in point.outcomes[index + 1 :]
        if a.time_ms_samples and b.time_ms_samples
    ]


CLAIMS = (
    Claim(
        "implementations-agree",
        tr("All implementations of an operation compute the same, up to rounding."),
        tr("Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 1 to 3"),
        all_agree,
    ),
    Claim(
        "a-time-is-one-number",
        tr("An implementation takes the same time at every run, so one number describes it."),
        tr("Hoefler and Belli 2015, Scientific Benchmarking of Parallel Computing Systems, rules 5 to 8"),
        one_number,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        "one-run-tells-which-is-faster",
        tr("Running each implementation once tells which of them is faster."),
        tr("Georges, Buytaert and Eeckhout 2007, Statistically Rigorous Java Performance Evaluation, section 3"),
        one_sample_tells,
    ),
    Claim(
        "formula-counts-the-work",
        tr("The FLOPs of the formula are the FLOPs that the kernel computes."),
        tr("Dao 2023, FlashAttention-2 (arXiv 2307.08691), section 4.1: how FLOPs are counted under a causal mask"),
        formula_counts_the_work,
    ),
    Claim(
        "fused-moves-fewer-bytes",
        tr("A fused kernel moves fewer distinct bytes than one kernel per step."),
        tr("Dao et al. 2022, FlashAttention (arXiv 2205.14135), theorem 2"),
        fused_moves_fewer_bytes,
    ),
    Claim(
        "fewer-bytes-less-time",
        tr("Of two kernels for the same operation, the one that touches fewer bytes is faster."),
        tr("Dao et al. 2022, FlashAttention (arXiv 2205.14135), section 3.2"),
        fewer_bytes_less_time,
    ),
)
