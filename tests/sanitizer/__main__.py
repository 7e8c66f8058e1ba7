"""`python -m tests.sanitizer`: what the sanitizer finds, misses and reports falsely on generated pairs, as a table."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.sanitizer.planted import findings_of, pairs


def main() -> None:
    """Print one row per kind of planted fault to stdout. With --missed, name the pairs that were missed, and what false
    reports say, on stderr."""
    count, found, false = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    twins: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for pair in pairs():
            row = (pair.plant.name, pair.base)
            reported = {each.kind for each in findings_of(pair.faulty, Path(folder))}
            count[row] += 1
            found[row] += bool(reported.intersection(pair.plant.kinds))
            if not reported.intersection(pair.plant.kinds) and "--missed" in sys.argv:
                print(f"missed: {pair.base}, {pair.size}: {pair.plant.name}, reported {reported}", file=sys.stderr)
            if pair.correct not in twins:
                rows = findings_of(pair.correct, Path(folder))
                wrong = [each for each in rows if each.severity == "fault" or each.kind in pair.plant.kinds]
                twins[pair.correct] = [str(each.sentence) for each in wrong]
                if twins[pair.correct] and "--missed" in sys.argv:
                    print(f"false: {pair.base}, {pair.size}: {twins[pair.correct]}", file=sys.stderr)
            false[row] += bool(twins[pair.correct])
    print("| planted fault | kernels | pairs | found | missed | false reports |\n| --- | --- | --- | --- | --- | --- |")
    for name in dict.fromkeys(plant for plant, _ in count):
        rows = [row for row in count if row[0] == name]
        pairs_, found_, false_ = (sum(counter[row] for row in rows) for counter in (count, found, false))
        bases = ", ".join(dict.fromkeys(base for _, base in rows))
        print(f"| {name} | {bases} | {pairs_} | {found_} | {pairs_ - found_} | {false_} |")
    all_, found_, false_ = count.total(), found.total(), false.total()
    print(f"| all | | {all_} | {found_} | {all_ - found_} | {false_} |")


if __name__ == "__main__":
    main()
