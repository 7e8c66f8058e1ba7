"""How long the doctor takes for a data file. Target: 10 s for 1,000 conversations of 1,000 tokens.

    python -m tests.benchmarks doctor

Once with conversations of two lengths, whose turns one check renders only the first time, and once with conversations
that all differ in their roles and marks, so that each is rendered turn by turn.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from core.chat.doctor import TrainingSetup, examine_file, report_of
from core.chat.families import FAMILIES, family, family_tokenizer

CONVERSATIONS = 1_000
TARGET_S = 10.0
WORDS = "the cat sat went home to eat some fish bread while it was late and cold under old trees".split()  # noqa: SIM905
SETUP = TrainingSetup(max_length=2048, packing="bfd", gradient_accumulation=4, loss_mean_over="micro_batch")
WORDS_PER_CONVERSATION = 450
"""Some 1,000 tokens of the small model's tokenizer, with what templates add; the table tells how many."""


def write(path: Path, *, all_differ: bool) -> None:
    """A data file. Where all differ, a line end or a space stands at the edges of some messages."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        for number in range(CONVERSATIONS):
            turns = 8 if number % 2 else 12
            contents = [" ".join(random.choice(WORDS, WORDS_PER_CONVERSATION // turns)) for _ in range(turns)]
            if all_differ:
                contents = [content + " " * (number >> index & 1) for index, content in enumerate(contents)]
            messages = [
                {"role": "assistant" if index % 2 else "user", "content": content}
                for index, content in enumerate(contents)
            ]
            file.write(json.dumps({"messages": messages}) + "\n")


def main() -> None:
    table = Table("template", "conversations", "tokens", "s", "CPU s", "s per 1,000 of 1,000 tokens", "target s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.jsonl"
        for all_differ in (False, True):
            write(path, all_differ=all_differ)
            for name in FAMILIES:
                begun = time.process_time()
                report = report_of(examine_file(path, family_tokenizer(name), family(name), SETUP))
                assert report.conversations == CONVERSATIONS
                table.add_row(
                    name,
                    "all differ" if all_differ else "of two lengths",
                    f"{report.lengths.sum():,}",
                    f"{report.seconds:.2f}",
                    f"{time.process_time() - begun:.2f}",
                    f"{report.seconds_per_million_tokens:.2f}",
                    f"{TARGET_S:g}",
                )
    Console().print(table)


if __name__ == "__main__":
    main()
