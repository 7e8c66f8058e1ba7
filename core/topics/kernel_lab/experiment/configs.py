"""The configurations of autotuned kernels: the choice that was asked for, and a row for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.contracts.errors import InvalidParams
from core.contracts.text import listed, tr
from core.interpreter.autotuning import ConfigTrial, TunedKernel
from core.topics.kernel_lab.result import ConfigRow
from core.trace.record import Launch
from core.trace.tables import tables


def require_config(number: int, tuned: Sequence[TunedKernel], launches: Iterable[Launch]) -> None:
    """Raises InvalidParams if no kernel has configuration `number` (from 1; 0 is any), or one did not run it."""
    if not number:
        return
    if all(number > len(kernel.configs) for kernel in tuned):
        if not tuned:
            raise InvalidParams(
                tr("No autotuned kernel was launched, so there is no configuration to choose."), "config"
            )
        kernels = [
            tr("{kernel} has {count:,}: {configs}", kernel=kernel.function, count=len(kernel.configs), configs=configs)
            for kernel in tuned
            for configs in ["; ".join(f"{i} {text}" for i, text in enumerate(kernel.configs, 1))]
        ]
        raise InvalidParams(
            tr("No kernel has configuration {number}. {kernels}.", number=number, kernels=listed(kernels)), "config"
        )
    by_name = {kernel.function: kernel.configs for kernel in tuned}
    for launch in launches:
        configs = by_name.get(launch.function, ())
        if len(configs) >= number and launch.config != configs[number - 1]:
            raise InvalidParams(
                tr(
                    "{kernel} was not launched with configuration {number}, because its autotuner chooses by itself: "
                    "change the choice in the file.",
                    kernel=launch.function,
                    number=number,
                ),
                "config",
            )


def config_rows(
    tuned: Iterable[TunedKernel], trials: Sequence[ConfigTrial], launches: Sequence[Launch]
) -> tuple[ConfigRow, ...]:
    """What was tried, else the configurations alone; those of a kernel stand together."""
    ran = {(launch.function, launch.config) for launch in launches}
    rows: list[ConfigRow] = []
    for kernel in tuned:
        tried = [
            _tried(trial, (trial.function, trial.config) in ran)
            for trial in trials
            if trial.function == kernel.function
        ]
        rows += tried or (
            ConfigRow(kernel.function, number, config, (kernel.function, config) in ran)
            for number, config in enumerate(kernel.configs, 1)
        )
    return tuple(rows)


def _tried(trial: ConfigTrial, chosen: bool) -> ConfigRow:
    row = ConfigRow(trial.function, trial.number, trial.config, chosen, trial.kept, problem=trial.problem)
    if trial.launch is None:
        return row
    (counted,) = tables([trial.launch]).launches
    return ConfigRow(
        function=row.function,
        number=row.number,
        config=row.config,
        chosen=chosen,
        kept=row.kept,
        read_bytes=counted.read_bytes,
        written_bytes=counted.written_bytes,
        unique_bytes=counted.unique_bytes,
        product_flops=trial.launch.product_flops,
        registers=trial.registers,
        spills=trial.spills,
        difference=trial.difference,
    )
