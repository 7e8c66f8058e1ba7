"""One update of the weights, and what stops a training whose numbers are none."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from functools import wraps
from typing import ParamSpec

import torch
from torch import nn

from core.language_model.adapters import NonFiniteLoss
from core.topics.training.stages.configs import StageConfig
from core.topics.training.stages.records import Record
from core.topics.training.stages.trained import Trained

Arguments = ParamSpec("Arguments")


def new_optimizer(config: StageConfig, *models: nn.Module) -> torch.optim.AdamW:
    """AdamW over all weights of the models, without weight decay."""
    weights = [weight for model in models for weight in model.parameters()]
    return torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)


def update(optimizer: torch.optim.Optimizer, loss: torch.Tensor, config: StageConfig, step: int) -> dict[str, float]:
    """Change the weights against the gradient of the loss, at the step's learning rate.

    Returns the norm of the gradient before it was limited, and the rate. Raises NonFiniteLoss before a NaN or infinite
    loss changes the weights.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NonFiniteLoss(step, value)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    (group,) = optimizer.param_groups
    norm = nn.utils.clip_grad_norm_(group["params"], config.max_grad_norm)
    group["lr"] = config.rate(step)
    optimizer.step()
    return {"grad_norm": float(norm), "learning_rate": group["lr"]}


def stopping_at_nan(
    train: Callable[Arguments, Generator[Record, None, Trained]],
) -> Callable[Arguments, Generator[Record, None, Trained]]:
    """The same stage, but a FloatingPointError (NaN in a metric or in what a policy would sample from) names the step:
    NonFiniteLoss. The records before it have been yielded and written."""

    @wraps(train)
    def stage(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Generator[Record, None, Trained]:
        step = 0
        records = train(*args, **kwargs)
        try:
            while True:
                record = next(records)
                step = record.step
                yield record
        except StopIteration as end:
            result: Trained = end.value
            return result
        except FloatingPointError as error:
            raise NonFiniteLoss(step + 1, math.nan) from error
        finally:
            records.close()

    return stage
