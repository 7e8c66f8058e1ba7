"""A family made from the user's own file: functions `impl_...` and `reference`, read without running the file.

    SWEEP = {"rows": [256, 1024], "columns": [1000]}     optional: the parameters, each with its values
    def inputs(rows, columns, seed, device): ...         optional: a tensor, or a tuple or dictionary of them
    def reference(x): ...                                the same computation in plain PyTorch, exact in float64
    def impl_mine(x): ...                                what is compared, two or more
    ALLOWED_RMS_ERROR = 1e-2                             optional: instead of three times the reference's own error

Without `inputs`, the functions are called with the parameters alone and make their own tensors, as those of kernel-lab
do; each is called with the same random seed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, listed, quoted, tr, verbatim
from core.families.axes import MOST_VALUES, Axis, Case, Value
from core.families.family import Contender, Cost, Family, Preset
from core.user_code.source import Function, Source

ID = "file"
PREFIX, REFERENCE, INPUTS, SWEEP = "impl_", "reference", "inputs", "SWEEP"
GIVEN = ("seed", "device")
"""Arguments of `inputs` that are no parameters of the comparison."""

_MOST_FUNCTIONS = 16


def family_of(source: Source, functions: str = "") -> Family:
    """The file as a family. `functions` names those to compare, '' is every `impl_...`.

    Raises InvalidParams with one sentence for a file that cannot be compared.
    """
    chosen = _chosen(source, functions)
    axes, sweep = _axes(source, chosen)
    return Family(
        id=ID,
        label=verbatim(source.path.name),
        summary=EMPTY,
        axes=axes,
        contenders=tuple(
            Contender(each.name, verbatim(each.name.removeprefix(PREFIX)), "triton" if each.launches else "torch")
            for each in chosen
        ),
        baseline=chosen[0].name,
        quick=Preset({}, sweep),
        full=Preset({}, sweep),
        cost=_unknown_cost,
        problem="",
    )


def _unknown_cost(case: Case) -> Cost:
    """What the file's functions take is not known before they run."""
    return Cost(0.0, 0.0, "fp32")


def _chosen(source: Source, functions: str) -> tuple[Function, ...]:
    defined = {each.name: each for each in source.functions if not (each.is_kernel or each.is_async)}
    names = [name.strip() for name in functions.split(",") if name.strip()]
    if not names:
        names = [name for name in defined if name.startswith(PREFIX)]
        if not names:
            raise InvalidParams(
                tr(
                    "{file} has nothing to compare: write functions whose names begin with impl_, and one called "
                    "reference.",
                    file=str(source.path),
                ),
                "file",
            )
    missing = [name for name in names if name not in defined]
    if missing:
        raise InvalidParams(
            tr(
                "{file} has no function {name}: it has {names}.",
                file=str(source.path),
                name=quoted(missing[0]),
                names=listed(defined) if defined else tr("no functions"),
            ),
            "functions",
        )
    if len(names) > _MOST_FUNCTIONS:
        raise InvalidParams(
            tr("At most {limit} functions are compared, not {count}.", limit=_MOST_FUNCTIONS, count=len(names)),
            "functions",
        )
    return tuple(defined[name] for name in dict.fromkeys(names))


def _axes(source: Source, chosen: Sequence[Function]) -> tuple[tuple[Axis, ...], tuple[str, tuple[Value, ...]] | None]:
    """The parameters, from SWEEP and from the arguments that have a default; and the first of them with its values."""
    maker = next((each for each in source.functions if each.name == INPUTS), None)
    values = _swept(source)
    for name, default in _defaults(source, maker or chosen[0]).items():
        if name not in values and name not in GIVEN:
            values[name] = (default,)
    axes = tuple(_axis(name, options) for name, options in values.items())
    first = next(((name, options) for name, options in values.items() if len(options) > 1), None)
    return axes, first


def _axis(name: str, options: tuple[Value, ...]) -> Axis:
    if all(isinstance(option, int) for option in options):
        return Axis(name, verbatim(name), default=options[0], minimum=-(1 << 40), maximum=1 << 40)
    return Axis(name, verbatim(name), default=options[0], choices=options)


def _swept(source: Source) -> dict[str, tuple[Value, ...]]:
    """SWEEP, if the file assigns one that can be read without running it."""
    node = _assigned(source, SWEEP)
    if node is None:
        return {}
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise InvalidParams(_rule(source, node), "file") from None
    if not isinstance(value, Mapping):
        raise InvalidParams(_rule(source, node), "file")
    swept: dict[str, tuple[Value, ...]] = {}
    for name, listing in value.items():
        options = listing if isinstance(listing, list | tuple) else [listing]
        if not _is_name(name) or not options or len(options) > MOST_VALUES or not all(map(_is_value, options)):
            raise InvalidParams(_rule(source, node), "file")
        swept[name] = tuple(dict.fromkeys(options))
    return swept


def _rule(source: Source, node: ast.expr) -> Text:
    location = f"{source.path}:{node.lineno}"
    return tr(
        "{location}: SWEEP must be a dictionary of names with lists of numbers or texts, such as {example}.",
        location=location,
        example='{"rows": [256, 1024]}',
    )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and name not in GIVEN


def _is_value(value: object) -> TypeGuard[Value]:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _defaults(source: Source, function: Function) -> dict[str, Value]:
    """The arguments of a function whose defaults are numbers or texts."""
    nodes = (node for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.FunctionDef))
    node = next((each for each in nodes if each.name == function.name), None)
    if node is None:
        return {}
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    pairs = [
        *zip(with_default, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {
        argument.arg: default.value
        for argument, default in pairs
        if isinstance(default, ast.Constant) and _is_value(default.value)
    }


def _assigned(source: Source, name: str) -> ast.expr | None:
    """What the top level of the file assigns to a name."""
    for node in ast.parse(source.text).body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value
    return None
