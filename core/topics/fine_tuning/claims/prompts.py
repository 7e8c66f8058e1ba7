"""Claims on methods that put vectors before the input."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Provenance, Result, Row
from core.contracts.text import Text
from core.topics.fine_tuning.methods import METHODS, MethodId

_PREFIX, _PROMPT, _V2 = MethodId.PREFIX_TUNING.value, MethodId.PROMPT_TUNING.value, MethodId.P_TUNING_V2.value
_SAME_LOSS = 1e-4
_LEAST_SHARE, _MOST_SHARE = 0.001, 0.03


def method_row(result: Result, method: str) -> Row | None:
    """The row of 'methods'; None for a method that the run did not train."""
    return next((row for row in result.tables.get("methods", []) if row["method"] == method), None)


def measured(result: Result) -> str:
    """How the numbers of the run were obtained, in the words of the badge."""
    metric = result.metrics.get("base.parameters")
    return (Provenance.MEASURED_CPU if metric is None else metric.provenance).value


def not_tested(*methods: str) -> Finding:
    names = " and ".join(METHODS[MethodId(method)].label for method in methods)
    return Finding(Verdict.NOT_TESTED, f"This run did not train {names} to the end: name it in the methods.")


def not_judged(result: Result, method: str, numbers: Iterable[float] = ()) -> Finding | None:
    """The finding on a method that stopped, or of which `numbers` are not finite: that refutes nothing. Else None."""
    row = method_row(result, method)
    label = METHODS[MethodId(method)].label
    if row is not None and row["error"]:
        why = row["error"].rstrip(".")
        return Finding(Verdict.NOT_TESTED, f"{label} stopped after {row['steps']} steps: {why}.")
    if not np.isfinite(list(numbers)).all():
        return Finding(Verdict.NOT_TESTED, f"{label} gave numbers that are not finite, so there is nothing to compare.")
    return None


def prefix_tuning_freezes(result: Result) -> Finding:
    row, reached = method_row(result, _PREFIX), result.arrays.get(f"frozen_gradient.{_PREFIX}")
    if row is None or reached is None or row["frozen_unchanged"] is None or not row["steps"]:
        return not_tested(_PREFIX)
    largest = float(np.nanmax(reached)) if np.isfinite(reached).any() else 0.0
    evidence = (
        f"Over {row['steps']} steps the largest gradient that reached one of the {row['frozen_parameters']:,} frozen "
        f"parameters was {largest:g}, and they {'are' if row['frozen_unchanged'] else 'are not'} to the bit what they "
        f"were, while {row['trainable_parameters']:,} others were trained ({measured(result)})."
    )
    held = largest == 0 and row["frozen_unchanged"] and row["frozen_parameters"] > 0
    return Finding(Verdict.HOLDS if held else Verdict.DOES_NOT_HOLD, evidence)


def prefix_tuning_optimizes_the_target(result: Result) -> Finding:
    row = next((row for row in result.tables.get("objective", []) if row["method"] == _PREFIX), None)
    if row is None:
        return not_tested(_PREFIX)
    losses = [row[name] for name in ("loss", "by_hand", "without_prefix", "base_model")]
    if unjudged := not_judged(result, _PREFIX, losses):
        return unjudged
    off = abs(row["loss"] - row["by_hand"])
    untouched = row["without_prefix"] == row["base_model"]
    evidence = (
        f"Of a held-out example the trained loss is {row['loss']:.4f} nats a token; -log p(y | prefix, x) over the "
        f"{row['target_tokens']} tokens of y, after {row['prefix_tokens']} of prefix and {row['input_tokens']} of x, "
        f"which count for nothing, is {row['by_hand']:.4f}; with the prefix taken off it is "
        f"{row['without_prefix']:.4f}, {'exactly as' if untouched else 'other than'} before training "
        f"({row['base_model']:.4f}) ({measured(result)})."
    )
    return Finding(Verdict.HOLDS if off <= _SAME_LOSS and untouched else Verdict.DOES_NOT_HOLD, evidence)


def prefix_stands_first(result: Result) -> Finding:
    mask = result.arrays.get(f"mask.{_PREFIX}")
    labels = [row for row in result.tables.get("mask_labels", []) if row["method"] == _PREFIX]
    if mask is None or not labels:
        return not_tested(_PREFIX)
    if unjudged := not_judged(result, _PREFIX):
        return unjudged
    prefix = [row["position"] for row in labels if row["is_prefix"]]
    first = bool(prefix) and prefix == list(range(len(prefix)))
    seen = mask[:, prefix]
    tokens = mask[:, len(prefix) :]
    queries, keys = tokens.shape
    causal = bool((tokens == np.tri(queries, keys, keys - queries)).all())
    evidence = (
        f"In the model's own mask {len(prefix)} of {mask.shape[1]} columns are prefix, "
        f"{'the first ones' if first else 'and not the first ones'}; {int(seen.all(axis=1).sum())} of {mask.shape[0]} "
        f"queries see all of them, and the tokens are {'causal' if causal else 'not causal'} among themselves "
        f"({measured(result)})."
    )
    return Finding(Verdict.HOLDS if first and causal and seen.all() else Verdict.DOES_NOT_HOLD, evidence)


def prompt_at_the_embedding_v2_at_every_layer(result: Result) -> Finding:
    if _places(result, _PROMPT) is None or _places(result, _V2) is None:
        return not_tested(_PROMPT, _V2)
    if unjudged := not_judged(result, _PROMPT) or not_judged(result, _V2):
        return unjudged
    prompt, v2 = _places(result, _PROMPT) or [], _places(result, _V2) or []
    every = [f"layer.{layer}.prefix" for layer in _layers(result)]
    learns = _learning(result, _PROMPT, prompt) and _learning(result, _V2, v2)
    evidence = (
        f"Prompt tuning trains at {_listed(prompt)}, P-tuning v2 at {_listed(v2)}, of {len(every)} layers; gradients "
        f"{'reach' if learns else 'do not reach'} each of them ({measured(result)})."
    )
    held = prompt == ["prompt"] and v2 == every and learns
    return Finding(Verdict.HOLDS if held else Verdict.DOES_NOT_HOLD, evidence)


def one_method_with_two_names(result: Result) -> Finding:
    prompt, v2 = _places(result, _PROMPT), _places(result, _V2)
    first, second = method_row(result, _PROMPT), method_row(result, _V2)
    if prompt is None or v2 is None or first is None or second is None:
        return not_tested(_PROMPT, _V2)
    evidence = (
        f"With the same virtual tokens prompt tuning trains {first['trainable_parameters']:,} parameters at "
        f"{_listed(prompt)}, P-tuning v2 {second['trainable_parameters']:,} at {_listed(v2)} ({measured(result)})."
    )
    return Finding(Verdict.HOLDS if prompt == v2 else Verdict.DOES_NOT_HOLD, evidence)


def v2_trains_a_tenth_to_three_percent(result: Result) -> Finding:
    """Holds with a limit at best: the share follows from the length, so some length always leaves the range. It is
    of the model alone; the table's is of the model and what the method adds."""
    row = method_row(result, _V2)
    base = result.value("base.parameters")
    if row is None or not base > 0:
        return not_tested(_V2)
    length, own = int(result.params["virtual_tokens"]), row["trainable_parameters"]
    each, share = own / length, own / base
    least, most = int(np.ceil(_LEAST_SHARE * base / each)), int(_MOST_SHARE * base / each)
    evidence = (
        f"{length} virtual tokens are {own:,} parameters, {100 * share:.2f}% of this model's own {base:,.0f} "
        f"({100 * own / (base + own):.2f}% of the {base + own:,.0f} with the prefix's, as in the table) "
        f"({measured(result)}); {f'{least} to {most}' if least <= most else 'no number of'} tokens would be within 0.1 "
        "to 3% of the model's own."
    )
    inside = _LEAST_SHARE <= share <= _MOST_SHARE
    return Finding(Verdict.HOLDS_WITH_LIMIT if inside else Verdict.DOES_NOT_HOLD, evidence)


def _places(result: Result, method: str) -> list[str] | None:
    """Ids of the places where the method trains; None where it was not trained."""
    row = method_row(result, method)
    if row is None or not row["steps"]:
        return None
    return [place["place"] for place in result.tables.get("places", []) if place.get(method)]


def _layers(result: Result) -> list[int]:
    return sorted({place["layer"] for place in result.tables.get("places", []) if place["layer"] >= 0})


def _learning(result: Result, method: str, places: list[str]) -> bool:
    """Whether each of the places had a gradient at some step."""
    gradient = result.arrays.get(f"gradient.{method}")
    indices = [row["index"] for row in result.tables["places"] if row["place"] in places]
    return gradient is not None and bool(indices) and bool((np.nan_to_num(gradient)[:, indices] > 0).any(0).all())


def _listed(places: list[str]) -> str:
    return ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "") or "no place"


LI_LIANG, LIU_V2 = "Li and Liang 2021 (arXiv 2101.00190)", "Liu et al. 2022 (arXiv 2110.07602)"

PROMPT_CLAIMS = (
    Claim(
        id="prefix-tuning-freezes",
        statement=Text(
            "Prefix-tuning freezes the language model: no gradient reaches its parameters, only the prefix is trained.",
            "Prefix-tuning 冻结语言模型：没有梯度到达其参数，只训练前缀。",
        ),
        source=f"Interview notes; {LI_LIANG}",
        test=prefix_tuning_freezes,
    ),
    Claim(
        id="prefix-tuning-objective",
        statement=Text(
            "Prefix-tuning optimizes p(y | prefix, x), the probability of the target after prefix and input.",
            "Prefix-tuning 优化 p(y | prefix, x)：给定前缀和输入时目标文本的概率。",
        ),
        source=f"Interview notes; {LI_LIANG}",
        test=prefix_tuning_optimizes_the_target,
    ),
    Claim(
        id="prefix-first",
        statement=Text(
            "The prefix stands before everything else, and every token may look at all of it.",
            "前缀位于所有内容之前，每个 token 都能看到整个前缀。",
        ),
        source=f"Interview notes; {LI_LIANG}",
        test=prefix_stands_first,
    ),
    Claim(
        id="embedding-or-every-layer",
        statement=Text(
            "Prompt tuning adds vectors at the embedding only, P-tuning v2 at every layer.",
            "Prompt tuning 只在嵌入层加入向量，P-tuning v2 在每一层都加入。",
        ),
        source=f"{LIU_V2}; Lester et al. 2021 (arXiv 2104.08691)",
        test=prompt_at_the_embedding_v2_at_every_layer,
    ),
    Claim(
        id="two-names-one-method",
        statement=Text(
            "Prompt tuning and P-tuning v2 are two names of one method.",
            "Prompt tuning 与 P-tuning v2 是同一种方法的两个名字。",
        ),
        source="Interview notes",
        test=one_method_with_two_names,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="p-tuning-v2-share",
        statement=Text(
            "P-tuning v2 trains only 0.1% to 3% of the model's parameters.",
            "P-tuning v2 只需训练模型 0.1% 到 3% 的参数。",
        ),
        source=f"Interview notes; {LIU_V2}",
        test=v2_trains_a_tenth_to_three_percent,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
)
