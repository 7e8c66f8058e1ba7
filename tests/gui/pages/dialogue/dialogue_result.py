"""Results of the dialogue topic for tests of the page: made by hand, so they look like runs but are none."""

from __future__ import annotations

import json

import numpy as np

from core.chat.doctor import FAILURES, BrokenLine, Evidence, Finding, IllConversation, Severity
from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import EMPTY, tr, verbatim
from core.topics.dialogue.choices import ONE_PASS, SABOTAGES, TRAINING_WAYS
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.plan import plan
from core.topics.dialogue.result import (
    Behaviour,
    Curve,
    DialogueResult,
    Equality,
    Examination,
    Generation,
    HistoryNeed,
    LeakedAnswer,
    LeakedDocument,
    PositionScheme,
    SabotageRun,
    ShownLoss,
    WayRun,
)

TALK = [
    {"role": "system", "content": "用一句话回答。"},
    {"role": "user", "content": "她叫莫蕾，住在兰斯顿，爱下棋。莫蕾喜欢什么？"},
    {"role": "assistant", "content": "卡片上说她爱下棋。"},
    {"role": "user", "content": "她住在哪里？"},
    {"role": "assistant", "content": "她住在兰斯顿。"},
]
NO_TARGET, END = "no-target", "end-of-turn-not-learned"
STEPS = 40


def dialogue_params(**changes: object) -> DialogueParams:
    """With a short conversation in Chinese, as the names in it are then the same in every language."""
    return DialogueParams().changed(conversation=json.dumps({"messages": TALK}, ensure_ascii=False), **changes)


def dialogue_result(
    params: DialogueParams | None = None, *, data: str = "", share: float = 1.0, trains: bool = True
) -> DialogueResult:
    """A run of `params`. With `data`, the name of a file, the doctor has examined a `share` of it."""
    params = params or dialogue_params()
    planned = plan(params)
    assert planned.rows is not None
    assert planned.rendered is not None
    count = len(planned.rows)
    before = np.linspace(5, 1, count).astype(np.float32)
    after = before / 2
    before[0] = after[0] = np.nan
    done = DialogueResult(
        params=params,
        environment=Environment("cpu", "torch, transformers", {"torch": "2.13.0"}),
        metrics={"doctor.seconds": Metric(1.5, "s", Provenance.MEASURED_CPU, EMPTY)},
        shown=ShownLoss(planned.rendered.text, before, after, 256),
        examined=examination(data, share),
    )
    return _trained(done, planned.ways) if trains else done


def examination(data: str, share: float = 1.0) -> Examination:
    """Of 1,000 conversations of a file; of the page's own without one."""
    if not data:
        return Examination(findings=findings(0), conversations=1, seconds=0.05, share=1.0, finished=True)
    lengths = np.random.default_rng(3).integers(40, 700, 1000).astype(np.int32)
    said = FAILURES[NO_TARGET].explanation
    ill = tuple(
        IllConversation(line, (END, NO_TARGET)[line % 2 :], (said, said)[line % 2 :], 10 * line, line % 5)
        for line in range(3, round(60 * share))
    )  # fmt: skip
    broken = (BrokenLine(2, tr("Message {number} has no role: give it one of {roles}.", number=1, roles="user")),)
    return Examination(
        data=data, findings=findings(len(ill)) if share == 1 else (), ill_rows=ill, broken_lines=broken,
        conversations=round(1000 * share), broken=1, ill=len(ill), lengths=lengths, targets=lengths // 4, share=share,
        seconds=2.5, finished=share == 1,
    )  # fmt: skip


def findings(ill: int) -> tuple[Finding, ...]:
    """A verdict per failure: two are ill, in that many conversations, unless it is none."""
    evidence = Evidence(FAILURES[END].label, "莫蕾<end>", 3, 6, ("莫", "蕾", "<end>"), (True, True, False), 7)
    found = []
    for failure in FAILURES.values():
        if failure.id in (NO_TARGET, END) and ill:
            shown = (evidence,) if failure.id == END else ()
            found.append(Finding(failure.id, Severity.ILL, failure.explanation, shown, failure.repair, ill))
        else:
            found.append(Finding(failure.id, Severity.OK, failure.healthy))
    return tuple(found)


def _trained(result: DialogueResult, costs: tuple[object, ...]) -> DialogueResult:
    """With all experiments."""
    from dataclasses import replace

    names = tuple(f"h.{layer}.{part}" for layer in range(4) for part in ("attn.weight", "mlp.weight", "ln.weight"))
    spread = np.random.default_rng(0).uniform(0.3, 3, len(names))
    return replace(
        result,
        template="tilescope",
        ways=tuple(
            WayRun(way, 0, STEPS, cost, curve(0.2 + 0.3 * place), True)  # type: ignore[arg-type]
            for place, (way, cost) in enumerate(zip(TRAINING_WAYS, costs, strict=True))
        ),
        equality=Equality(names, 3e-7 * spread, 4e-16 * spread, 0.3 * spread, 5e-15 * spread, 32, 96, 900, 2500, 5800),
        history=HistoryNeed(np.array([0.9, 0.8, 0.7]), np.array([0.9, 0.1, 0.05]), 64),
        behaviour=behaviour(1.0, 0.0),
        leaks=tuple(
            LeakedDocument(0, place, 90, 90 * place, 0.6, 0.6, 0.6 + 0.1 * place, 1e-6, 0.8 * place, "她叫莫蕾")
            for place in range(5)
        ),
        leaked_answers=(
            LeakedAnswer(
                "她住在兰斯顿。", "他住在哪里？", "不知道。", "他住在兰斯顿。", "不知道。", True, False, False
            ),
        ),
        leaked_share={"alone": 0.02, "masked": 0.02, "without_mask": 0.6},
        schemes=tuple(
            PositionScheme(name, verbatim(name), name == "RoPE", verbatim("gpt2"), logits, 0.6, 0.6 + logits / 4, 128)
            for name, logits in (("RoPE", 2e-6), ("ALiBi", 3e-6), ("learned_positions", 1.7))
        ),
        sabotages=tuple(
            SabotageRun(mistake, curve(0.5), behaviour(0.0 if place == 1 else 0.9, 0.8 if place == 0 else 0.0), True)
            for place, mistake in enumerate(SABOTAGES)
        ),
    )


def curve(right: float, steps: int = STEPS) -> Curve:
    """A training whose model gets `right` of the answers right at its end."""
    evaluated = np.linspace(0, steps, 5).astype(np.int64)
    return Curve(
        loss=(4 * np.exp(-np.arange(steps) / 9) + 0.5).astype(np.float32),
        num_tokens=np.arange(1, steps + 1, dtype=np.int64) * 640,
        num_targets=np.arange(1, steps + 1, dtype=np.int64) * 200,
        eval_step=evaluated,
        eval_loss=np.linspace(4, 0.5, 5).astype(np.float32),
        eval_correct=np.linspace(0, right, 5, dtype=np.float32)[:, None] * np.array([[1.0, 0.9, 0.8]], np.float32),
    )


def behaviour(stops: float, speaks: float) -> Behaviour:
    """Of 64 generations."""
    ended = 6 if stops > 0.5 else -1
    shown = Generation(
        "<user>她住在哪里？<end><assistant>", "她住在兰斯顿。", "她住在兰斯顿。<end><user>还有呢？", ended, speaks > 0.5
    )
    return Behaviour(64, 48, stops, speaks, (shown,))


__all__ = ["NO_TARGET", "ONE_PASS", "STEPS", "dialogue_params", "dialogue_result"]
