"""Which KV heads are pooled into one: equal groups of neighbours, of the most similar heads, or random ones.

Similarity is measured by what pooling loses. Replacing the keys k_i of the heads of a group G by their mean removes
sum_i |k_i - mean|^2 = 1/|G| sum_{i<j} |k_i - k_j|^2 of their energy sum_i |k_i|^2, summed over the tokens of a text;
the same holds for values. A grouping costs the mean of both shares. Rotary positions turn the keys of all heads alike,
so they do not change distances.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Groups = NDArray[np.int32]
"""The group of each head, int32 [heads]. Groups are numbered from 0 by their first head."""

Distances = NDArray[np.float64]

MAX_EXHAUSTIVE = 6000
"""Up to this number of groupings all are tried (any 10 heads, or 12 in 2 or 3 groups)."""

_RANDOM_STARTS = 8
_LEAST_GAIN = 1e-12


def distances(key_gram: Distances, value_gram: Distances) -> Distances:
    """Squared distances of heads as shares of the energy, float64 [heads, heads].

    A Gram matrix [heads, heads] holds the inner products of the heads' keys (or values), summed over tokens.
    """
    return (_shares(key_gram) + _shares(value_gram)) / 2


def energy_lost(distance: Distances, groups: Groups) -> float:
    """The share of the energy of keys and values that pooling these groups removes, from 0 to 1."""
    same = groups[:, None] == groups[None, :]
    return float(distance[same].sum()) / 2 / (len(groups) // (int(groups.max()) + 1))


def neighbours(heads: int, count: int) -> Groups:
    """`count` groups of consecutive heads."""
    return (np.arange(heads) // (heads // count)).astype(np.int32)


def random_groups(heads: int, count: int, rng: np.random.Generator) -> Groups:
    """`count` groups of heads, each grouping with the same probability."""
    return _numbered(neighbours(heads, count)[rng.permutation(heads)])


def most_similar(distance: Distances, count: int, seed: int = 0) -> Groups:
    """The `count` equal groups that lose the least energy.

    Exact if there are at most MAX_EXHAUSTIVE groupings. Otherwise the best of several starts (neighbours, greedy, and
    random ones by `seed`), each improved by swapping two heads until no swap helps; never worse than neighbours.
    """
    heads = len(distance)
    if groupings(heads, count) <= MAX_EXHAUSTIVE:
        return min(_all_groups(heads, heads // count), key=lambda groups: energy_lost(distance, groups))
    rng = np.random.default_rng((seed, 11))
    starts = [neighbours(heads, count), _greedy(distance, count)]
    starts += [random_groups(heads, count, rng) for _ in range(_RANDOM_STARTS)]
    return min((_swapped(distance, start) for start in starts), key=lambda groups: energy_lost(distance, groups))


def groupings(heads: int, count: int) -> int:
    """How many ways there are to form `count` equal groups."""
    size = heads // count
    ordered: int = math.factorial(heads) // math.factorial(size) ** count
    return ordered // math.factorial(count)


def _shares(gram: Distances) -> Distances:
    squares = np.diagonal(gram)
    energy = float(squares.sum())
    distance = np.maximum(squares[:, None] + squares[None, :] - 2 * gram, 0.0)
    return distance / energy if energy > 0 else np.zeros_like(distance)


def _all_groups(heads: int, size: int) -> Iterator[Groups]:
    """Every grouping once. Each head joins a group that has room, or opens the next group."""
    groups, counts = np.zeros(heads, dtype=np.int32), [0] * (heads // size)

    def place(head: int, opened: int) -> Iterator[Groups]:
        if head == heads:
            yield groups.copy()
            return
        for group in range(min(opened + 1, len(counts))):
            if counts[group] < size:
                groups[head] = group
                counts[group] += 1
                yield from place(head + 1, max(opened, group + 1))
                counts[group] -= 1

    return place(0, 0)


def _greedy(distance: Distances, count: int) -> Groups:
    """Each group starts with the first free head and takes the free heads nearest to its members, one by one."""
    heads = len(distance)
    groups = np.full(heads, -1, dtype=np.int32)
    for group in range(count):
        groups[int(np.argmin(groups >= 0))] = group
        for _ in range(heads // count - 1):
            to_members = distance[:, groups == group].sum(axis=1)
            groups[int(np.argmin(np.where(groups < 0, to_members, np.inf)))] = group
    return groups


def _swapped(distance: Distances, start: Groups) -> Groups:
    """Swap the two heads that gain most until no swap gains anything."""
    groups, heads = start.copy(), np.arange(len(start))
    while True:
        to_group = distance @ (groups[:, None] == np.arange(groups.max() + 1))
        own, other = to_group[heads, groups], to_group[:, groups]
        gain = own[:, None] + own[None, :] - other - other.T + 2 * distance
        gain[groups[:, None] == groups[None, :]] = 0.0
        first, second = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[first, second] <= _LEAST_GAIN:
            return _numbered(groups)
        groups[[first, second]] = groups[[second, first]]


def _numbered(groups: Groups) -> Groups:
    """The same groups, numbered by their first head."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int32)
