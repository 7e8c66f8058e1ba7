"""How long it takes to render, encode and mark a conversation, per chat format.

Targets: 20 ms at 2,000 tokens, 300 ms at 32,768, and 10 s for 1,000 conversations of 1,000 tokens.
"""

from __future__ import annotations

import time
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from core.chat.families import FAMILIES, family, family_tokenizer
from core.chat.messages import Conversation, Message
from core.chat.rendering import render
from core.chat.rows import conversation_rows
from core.chat.targets import targets

SENTENCE = "She is Ada Morel and lives in Lanston, where she won the Bristin Cup. "
TURN_CHARACTERS = 300
SIZES = {2_000: 20.0, 32_768: 300.0}
MANY, MANY_TOKENS, MANY_TARGET_S = 1_000, 1_000, 10.0
REPEATS = 20


def conversation(name: str, tokens: int) -> Conversation:
    """Turns of `TURN_CHARACTERS`, with about `tokens` tokens in the format."""
    turn = (SENTENCE * TURN_CHARACTERS)[:TURN_CHARACTERS]
    pair = (Message("user", turn), Message("assistant", turn))
    per_pair = len(family_tokenizer(name).encode(render(family(name), Conversation(pair)).text))
    return Conversation(pair * max(1, round(tokens / per_pair)))


def steps_ms(name: str, chosen: Conversation) -> tuple[int, list[float]]:
    """The number of tokens, and milliseconds of rendering, encoding, targets and rows; the fastest of `REPEATS`."""
    template, tokenizer = family(name), family_tokenizer(name)
    fastest: list[float] = []
    for _ in range(REPEATS):
        times = [time.perf_counter()]
        rendered = render(template, chosen)
        times.append(time.perf_counter())
        encoded = tokenizer.encode(rendered.text)
        times.append(time.perf_counter())
        marked = targets(rendered, encoded)
        times.append(time.perf_counter())
        rows = conversation_rows(rendered, encoded, marked)
        times.append(time.perf_counter())
        steps = [1e3 * (after - before) for before, after in pairwise(times)]
        fastest = steps if not fastest or sum(steps) < sum(fastest) else fastest
    return len(rows), fastest


def main() -> None:
    table = Table("format", "tokens", "render ms", "encode ms", "targets ms", "rows ms", "all ms", "target ms")
    for name in FAMILIES:
        for tokens, target in SIZES.items():
            count, steps = steps_ms(name, conversation(name, tokens))
            table.add_row(name, f"{count:,}", *(f"{step:.1f}" for step in (*steps, sum(steps))), f"{target:g}")
    Console().print(table)
    chosen, started = conversation("chatml", MANY_TOKENS), time.perf_counter()
    for _ in range(MANY):
        rendered = render(family("chatml"), chosen)
        encoded = family_tokenizer("chatml").encode(rendered.text)
        conversation_rows(rendered, encoded, targets(rendered, encoded))
    taken = time.perf_counter() - started
    print(f"{MANY:,} conversations of {len(encoded):,} tokens: {taken:.1f} s (target {MANY_TARGET_S:g} s)")


if __name__ == "__main__":
    main()
