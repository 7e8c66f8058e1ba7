"""The losses and statistics of the training stages against TRL's trainers, on the same batch.

`make test-peers` runs the comparison as tests; `python -m tests.peers.training` prints it as the table in
docs/training-peers.md. SFT, reward, DPO and GRPO run through the trainers of TRL as they are. TRL computes PPO's
advantages and losses in the middle of `PPOTrainer.train`, so those lines of its source run here, unchanged, on tensors
of this file.
"""

from __future__ import annotations

import inspect
import os
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from core.topics.training.stages.advantages import gae, group_advantages, normalized
from core.topics.training.stages.kl import ESTIMATORS
from core.topics.training.stages.losses import PairLogprobs, dpo_loss, reward_loss, sft_loss
from core.topics.training.stages.policy_losses import grpo_loss, ppo_policy_loss, ppo_value_loss
from core.topics.training.stages.tokens import token_logprobs
from tests.topics.training_runs import tiny


@dataclass(frozen=True)
class Compared:
    """A quantity as this project and TRL compute it."""

    stage: str
    name: str
    ours: torch.Tensor
    theirs: torch.Tensor

    @property
    def difference(self) -> float:
        """The largest difference as a share of TRL's largest value; float32 resolves about 1e-7."""
        ours, theirs = self.ours.detach().double(), self.theirs.detach().double()
        assert ours.shape == theirs.shape, (self.name, ours.shape, theirs.shape)
        return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-6))


def _rows(stage: str, ours: dict[str, Any], theirs: dict[str, Any], names: dict[str, str]) -> list[Compared]:
    return [Compared(stage, name, torch.tensor(ours[own]), torch.tensor(theirs[name])) for name, own in names.items()]


def _logged(trainer: Any) -> dict[str, float]:
    return {name: values[-1] for name, values in trainer._metrics["train"].items() if values}


@cache
def _folder() -> Path:
    """The tiny model and its tokenizer, in Hugging Face's layout."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-model-"))
    tiny().model.save_pretrained(folder)
    tiny().tokenizer.save_pretrained(folder)
    return folder


def _model(seed: int = 0, scale: float = 0.0) -> Any:
    """The tiny model; with a `scale`, its weights are moved at random, so that it differs from its reference."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(_folder())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(scale * torch.randn(weight.shape, generator=generator))
    return model.double()


def _arguments(kind: type, **settings: Any) -> Any:
    return kind(
        output_dir=str(_folder() / "output"),
        use_cpu=True,
        report_to="none",
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=4,
        **settings,
    )


def _batch(trainer: Any) -> Any:
    return next(iter(trainer.get_train_dataloader()))


def _pairs() -> list[dict[str, str]]:
    return [{"prompt": p.prompt, "chosen": f" {p.chosen}", "rejected": f" {p.rejected}"} for p in tiny().pairs.train]


def sft() -> list[Compared]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    examples = [{"prompt": item.prompt, "completion": f" {item.answer}"} for item in tiny().data.train[:8]]
    trainer = SFTTrainer(
        model=_model(1, 0.05),
        args=_arguments(SFTConfig, completion_only_loss=True),
        train_dataset=Dataset.from_list(examples),
        processing_class=tiny().tokenizer,
    )
    batch = _batch(trainer)
    labels = batch["labels"].clone()
    assert (labels == -100).any()
    logits = trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    loss, ours = sft_loss(logits, labels)
    theirs = trainer.compute_loss(trainer.model.train(), dict(batch))
    names = {"mean_token_accuracy": "mean_token_accuracy"}
    return [Compared("SFT", "loss", loss, theirs), *_rows("SFT", ours, _logged(trainer), names)]


def reward() -> list[Compared]:
    from datasets import Dataset
    from transformers import LlamaForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    model = LlamaForSequenceClassification.from_pretrained(_folder(), num_labels=1).double()
    trainer = RewardTrainer(
        model=model,
        args=_arguments(RewardConfig),
        train_dataset=Dataset.from_list(_pairs()),
        processing_class=tiny().tokenizer,
    )
    batch = _batch(trainer)
    scores = trainer.model(**batch).logits.squeeze(-1)
    loss, ours = reward_loss(*scores.chunk(2))
    theirs = trainer.compute_loss(trainer.model.train(), dict(batch))
    names = ("margin", "accuracy", "mean_reward", "min_reward", "max_reward")
    return [
        Compared("reward model", "loss", loss, theirs),
        *_rows("reward model", ours, _logged(trainer), {name: name for name in names}),
    ]


def dpo() -> list[Compared]:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    trainer = DPOTrainer(
        model=_model(2, 0.05),
        ref_model=_model(),
        args=_arguments(DPOConfig, beta=0.1),
        train_dataset=Dataset.from_list(_pairs()),
        processing_class=tiny().tokenizer,
    )
    batch = _batch(trainer)

    def pair_logprobs(model: Any) -> PairLogprobs:
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        logprobs = token_logprobs(logits, batch["input_ids"][:, 1:]) * batch["completion_mask"][:, 1:]
        return PairLogprobs(*logprobs.sum(dim=1).chunk(2))

    with torch.no_grad():
        loss, ours = dpo_loss(pair_logprobs(trainer.model), pair_logprobs(trainer.ref_model), 0.1)
    theirs = trainer.compute_loss(trainer.model.train(), dict(batch))
    names = ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen")
    return [
        Compared("DPO", "loss", loss, theirs),
        *_rows("DPO", ours, _logged(trainer), {name: name for name in (*names, "logps/rejected")}),
    ]


def grpo() -> list[Compared]:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    scores: list[float] = []

    def length(completions: list[str], **_: Any) -> list[float]:
        """Scores of two groups of four: one with differences, one without."""
        scores[:] = [float(len(text)) for text in completions[:4]] + [1.0] * 4
        return scores

    trainer = GRPOTrainer(
        model=_model(3, 0.05),
        reward_funcs=length,
        args=_arguments(
            GRPOConfig,
            num_generations=4,
            generation_batch_size=8,
            max_completion_length=6,
            loss_type="grpo",
            beta=0.04,
            epsilon=0.2,
            scale_rewards="group",
            num_iterations=2,
            use_bias_correction_kl=False,  # the KL term of DeepSeekMath (arXiv 2402.03300), equation 4
        ),
        train_dataset=Dataset.from_list([{"prompt": item.prompt} for item in tiny().data.prompts_train[:4]]),
        processing_class=tiny().tokenizer,
    )
    trainer.ref_model = _model()
    prompts = [{"prompt": item.prompt} for item in tiny().data.prompts_train[:2] for _ in range(4)]
    trainer.model.train()
    batch = trainer._generate_and_score_completions(prompts)
    advantages, zero_share = group_advantages(torch.tensor(scores).view(2, 4))

    # The policy moves after it has sampled, so that ratios differ from 1 and some are clipped.
    old, moved = batch["old_per_token_logps"], _model(4, 0.12)
    trainer.model.load_state_dict(moved.state_dict())
    ids = torch.cat((batch["prompt_ids"], batch["completion_ids"]), dim=1)
    attention = torch.cat((batch["prompt_mask"], batch["completion_mask"]), dim=1)
    length_ = batch["completion_ids"].shape[1]
    logits = trainer.model(input_ids=ids, attention_mask=attention, logits_to_keep=length_ + 1).logits[:, :-1]
    logprobs = token_logprobs(logits, batch["completion_ids"])
    reference = batch["ref_per_token_logps"]
    loss, ours = grpo_loss(logprobs, old, reference, advantages.flatten(), batch["completion_mask"], 0.2, 0.04)
    trainer.current_gradient_accumulation_steps = 1
    theirs = trainer._compute_loss(trainer.model, batch)
    logged = _logged(trainer)
    names = ("kl", "clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean")
    assert ours["clip_ratio/region_mean"] > 0
    return [
        Compared("GRPO", "advantages", advantages.flatten(), batch["advantages"]),
        Compared(
            "GRPO", "frac_reward_zero_std", torch.tensor(zero_share), torch.tensor(logged["frac_reward_zero_std"])
        ),
        Compared("GRPO", "loss", loss, theirs),
        *_rows("GRPO", ours, logged, {name: name for name in names}),
    ]


def ppo() -> list[Compared]:
    from trl.experimental.ppo import ppo_trainer

    generator = torch.Generator().manual_seed(5)
    shape = (6, 9)
    args = SimpleNamespace(gamma=0.98, lam=0.95, cliprange=0.2, cliprange_value=0.2, whiten_rewards=False, kl_coef=0.05)
    args.kl_estimator = "k1"
    lengths = torch.tensor([9, 4, 7, 1, 9, 5])
    columns = torch.arange(shape[1]).repeat(shape[0], 1)
    mask = columns < lengths[:, None]
    logprobs, reference, values, moved = (torch.randn(shape, generator=generator) for _ in range(4))
    scores = torch.randn(shape[0], generator=generator)
    logprobs, reference, values = (tensor * mask for tensor in (logprobs, reference, values))

    theirs: dict[str, Any] = {
        **vars(ppo_trainer),
        "args": args,
        "values": values,
        "logprobs": logprobs,
        "ref_logprobs": reference,
        "scores": scores,
        "responses": columns,
        "padding_mask": ~mask,
        "padding_mask_p1": ~mask,
        # TRL gives the score to the place after the last token where there is room. Here it gets that of the token.
        "sequence_lengths_p1": lengths - 1,
        "sequence_lengths": lengths - 1,
    }
    _run_source(ppo_trainer.PPOTrainer.train, "# 4. compute rewards", "empty_cache()", theirs)

    kl = ESTIMATORS["k1"](logprobs, reference)
    rewards = -args.kl_coef * kl
    rewards[torch.arange(shape[0]), lengths - 1] += scores
    advantages, returns = gae(rewards, values, args.gamma, args.lam)
    rows = [
        Compared("PPO", "rewards of tokens", rewards, theirs["rewards"]),
        Compared("PPO", "returns (GAE)", returns * mask, theirs["returns"] * mask),
        Compared("PPO", "advantages, normalized", normalized(advantages * mask, mask.long()), theirs["advantages"]),
        Compared("PPO", "objective/kl", kl.sum(1).mean(), theirs["kl"].sum(1).mean()),
    ]
    for name in ("k1", "k3"):
        args.kl_estimator = name
        again = dict(theirs)
        _run_source(ppo_trainer.PPOTrainer.train, "# 4. compute rewards", "non_score_reward =", again)
        rows.append(Compared("PPO", f"KL estimate {name}", ESTIMATORS[name](logprobs, reference), again["kl"]))

    new_logprobs = (logprobs + 0.3 * moved * mask).requires_grad_()
    new_values = ((values + 0.5 * moved.flip(0)) * mask).detach().requires_grad_()
    policy_loss, policy = ppo_policy_loss(new_logprobs, logprobs, theirs["advantages"], mask, args.cliprange)
    value_loss, value = ppo_value_loss(new_values, values, theirs["returns"], mask, args.cliprange_value)
    ours_gradients = torch.autograd.grad(policy_loss + value_loss, (new_logprobs, new_values))
    inner = {
        **theirs,
        "micro_batch_inds": torch.arange(shape[0]),
        "new_logprobs": new_logprobs,
        "vpred": new_values,
        "mb_logprobs": logprobs,
        "mb_advantage": theirs["advantages"],
        "mb_return": theirs["returns"],
        "mb_values": values,
    }
    _run_source(ppo_trainer.PPOTrainer.train, "vpredclipped = torch.clamp(", "loss = pg_loss", inner)
    _run_source(ppo_trainer.PPOTrainer.train, "pg_clipfrac = masked_mean(", "prob_dist =", inner)
    gradients = torch.autograd.grad(inner["pg_loss"] + inner["vf_loss"], (new_logprobs, new_values))
    clipfrac = policy["policy/clipfrac_avg"], value["val/clipfrac_avg"]
    assert min(clipfrac) > 0
    return [
        *rows,
        Compared("PPO", "loss/policy_avg", policy_loss, inner["pg_loss"]),
        Compared("PPO", "loss/value_avg", value_loss, inner["vf_loss"]),
        Compared("PPO", "policy/clipfrac_avg", torch.tensor(clipfrac[0]), inner["pg_clipfrac"]),
        Compared("PPO", "val/clipfrac_avg", torch.tensor(clipfrac[1]), inner["vf_clipfrac"]),
        Compared("PPO", "gradient of the policy loss", ours_gradients[0], gradients[0]),
        Compared("PPO", "gradient of the value loss", ours_gradients[1], gradients[1]),
    ]


def _run_source(function: Callable[..., Any], first: str, end: str, names: dict[str, Any]) -> None:
    """Run the lines of a function from the one that begins with `first` up to the next one that begins with `end`."""
    lines = inspect.getsource(function).splitlines()
    start = next(index for index, line in enumerate(lines) if line.strip().startswith(first))
    stop = next(index for index in range(start, len(lines)) if lines[index].strip().startswith(end))
    exec(textwrap.dedent("\n".join(lines[start:stop])), names)


STAGES: dict[str, Callable[[], list[Compared]]] = {"sft": sft, "reward": reward, "dpo": dpo, "ppo": ppo, "grpo": grpo}


def table() -> str:
    """All comparisons as a table in Markdown."""
    lines = ["| Stage | Quantity | Tilescope | TRL | Difference |", "| --- | --- | --- | --- | --- |"]
    for stage in STAGES.values():
        for row in stage():
            ours, theirs = (_shown(value) for value in (row.ours, row.theirs))
            lines.append(f"| {row.stage} | {row.name} | {ours} | {theirs} | {row.difference:.1e} |")
    return "\n".join(lines)


def _shown(value: torch.Tensor) -> str:
    value = value.detach().double()
    return f"{value.item():.6g}" if value.ndim == 0 else f"{'×'.join(map(str, value.shape))}, norm {value.norm():.6g}"


if __name__ == "__main__":
    print(table())
