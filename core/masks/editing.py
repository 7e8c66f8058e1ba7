"""Edits of a mask expression as pure functions on its tree: what the user does with the chips.

A part is addressed by its path from the root: the index of a term in each `And` and `Or`, and 0 through a `Not`. A unit
is selected, moved and removed as one: a term or a group together with every `Not` directly before it.
"""

from __future__ import annotations

from dataclasses import replace

from core.masks.nodes import All, And, Joined, Mask, Not, Or

Path = tuple[int, ...]


def part(mask: Mask, path: Path) -> Mask:
    """The part at `path`. Raises IndexError if there is none."""
    for index in path:
        children = _children(mask)
        if not 0 <= index < len(children):
            raise IndexError(f"{mask} has no part {index}.")
        mask = children[index]
    return mask


def replaced(mask: Mask, path: Path, new: Mask) -> Mask:
    """The mask with the part at `path` replaced by `new`."""
    if not path:
        return new
    children = list(_children(mask))
    children[path[0]] = replaced(children[path[0]], path[1:], new)
    return _with_children(mask, tuple(children))


def removed(mask: Mask, path: Path) -> Mask:
    """The mask without the unit at `path`; `all`, which hides nothing, if no unit is left.

    A group that is left with one term becomes that term.
    """
    if not path:
        return All()
    parent = part(mask, path[:-1])
    if not isinstance(parent, Joined):
        return removed(mask, path[:-1])
    rest = parent.terms[: path[-1]] + parent.terms[path[-1] + 1 :]
    return replaced(mask, path[:-1], rest[0] if len(rest) == 1 else type(parent)(rest))


def negated(mask: Mask, path: Path) -> Mask:
    """The mask with the part at `path` negated; a part that is negated already loses its Not."""
    node = part(mask, path)
    return replaced(mask, path, node.term if isinstance(node, Not) else Not(node))


def switched(mask: Mask, path: Path) -> Mask:
    """The mask with And and Or exchanged in the group at `path`."""
    node = part(mask, path)
    if not isinstance(node, Joined):
        raise ValueError(f"{node} is not a group.")
    return replaced(mask, path, _other(node)(node.terms))


def added(mask: Mask, term: Mask) -> Mask:
    """The mask with one more term, joined by And. The term replaces `all`."""
    if mask == All():
        return term
    return And((*mask.terms, term)) if isinstance(mask, And) else And((mask, term))


def grouped(mask: Mask, path: Path) -> tuple[Mask, Path]:
    """The unit at `path` and the next (or, for the last, the one before) as a group of their own, and its path.

    The group gets the other operator than its surroundings, since with the same one it would change nothing. If there
    are only these two units, nothing changes.
    """
    parent = part(mask, path[:-1]) if path else mask
    if not path or not isinstance(parent, Joined) or len(parent.terms) < 3:
        return mask, path
    first = min(path[-1], len(parent.terms) - 2)
    group = _other(parent)(parent.terms[first : first + 2])
    terms = (*parent.terms[:first], group, *parent.terms[first + 2 :])
    return replaced(mask, path[:-1], type(parent)(terms)), (*path[:-1], first)


def ungrouped(mask: Mask, path: Path) -> Mask:
    """The group at `path` without its parentheses: its terms join those around it. Anything else stays as it is."""
    group = part(mask, path)
    parent = part(mask, path[:-1]) if path else mask
    if not path or not isinstance(group, Joined) or not isinstance(parent, Joined):
        return mask
    terms = (*parent.terms[: path[-1]], *group.terms, *parent.terms[path[-1] + 1 :])
    return replaced(mask, path[:-1], type(parent)(terms))


def moved(mask: Mask, path: Path, step: int) -> tuple[Mask, Path]:
    """The unit at `path` one place to the left (-1) or right (+1), and its new path.

    At the edge of its group it moves out of the group; at the edge of the expression it stays.
    """
    if not path:
        return mask, path
    parent = part(mask, path[:-1])
    if not isinstance(parent, Joined):
        return moved(mask, path[:-1], step)
    index = path[-1] + step
    if 0 <= index < len(parent.terms):
        return transplanted(mask, path, path[:-1], index + (step > 0))
    around = path[:-1]
    while around and not isinstance(part(mask, around[:-1]), Joined):
        around = around[:-1]
    return transplanted(mask, path, around[:-1], around[-1] + (step > 0)) if around else (mask, path)


def transplanted(mask: Mask, path: Path, group: Path, index: int) -> tuple[Mask, Path]:
    """The unit at `path` moved before term `index` of the And or Or at `group`, and its new path.

    `index` refers to the group before the move. A unit cannot move into itself: then nothing changes.
    """
    target = part(mask, group)
    if not path or group[: len(path)] == path or not isinstance(target, Joined):
        return mask, path
    moving = replace(part(mask, path))  # type: ignore[type-var]  # a copy, so that it can be found by identity
    terms = (*target.terms[:index], moving, *target.terms[index:])
    with_both = replaced(mask, group, type(target)(terms))
    shifts = path[: len(group)] == group and len(path) > len(group) and path[len(group)] >= index
    old = (*group, path[len(group)] + 1, *path[len(group) + 1 :]) if shifts else path
    after = removed(with_both, old)
    return after, _path_of(after, moving) or ()


def _children(mask: Mask) -> tuple[Mask, ...]:
    match mask:
        case Joined(terms):
            return terms
        case Not(term):
            return (term,)
    return ()


def _with_children(mask: Mask, children: tuple[Mask, ...]) -> Mask:
    return Not(children[0]) if isinstance(mask, Not) else type(mask)(children)  # type: ignore[call-arg]


def _other(joined: Joined) -> type[Joined]:
    return Or if isinstance(joined, And) else And


def _path_of(mask: Mask, node: Mask) -> Path | None:
    if mask is node:
        return ()
    for index, child in enumerate(_children(mask)):
        path = _path_of(child, node)
        if path is not None:
            return (index, *path)
    return None
