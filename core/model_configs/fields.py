"""Reads fields of a configuration, each checked when it is read: nobody's file may bring what no model has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.contracts.errors import InvalidParams
from core.contracts.text import Text, listed, tr
from core.language_model.folder_config import MAX_LAYERS, MAX_WIDTH, shown
from core.outside import shown_name


class Fields:
    """The fields of one configuration under the names that different families give them.

    `defaults` are what the model type implies where its published files leave a field out; using one is told in
    `assumed`. `field` is the parameter of the form that later errors name. All reading methods raise InvalidParams.
    """

    def __init__(self, config: Mapping[str, Any], defaults: Mapping[str, Any], field: str | None) -> None:
        self._config = config
        self._defaults = defaults
        self._field = field
        self._assumed: dict[str, Text] = {}

    @property
    def assumed(self) -> tuple[Text, ...]:
        return tuple(self._assumed.values())

    def assume(self, key: str, text: Text) -> None:
        self._assumed.setdefault(key, text)

    def error(self, text: Text) -> InvalidParams:
        return InvalidParams(text, self._field)

    def has(self, *names: str) -> bool:
        return any(self._config.get(name) is not None for name in names)

    def raw(self, *names: str) -> Any:
        """The first of the fields that is given and not null, then the model type's default; else None."""
        for name in names:
            if self._config.get(name) is not None:
                return self._config[name]
        for name in names:
            if name in self._defaults and name not in self._config:
                value = self._defaults[name]
                if value is not None and not isinstance(value, bool):
                    self.assume(
                        name,
                        tr(
                            "{name} is missing: {value}, the default of this model type, is assumed.",
                            name=name,
                            value=shown(value),
                        ),
                    )
                return value
        return None

    def whole(self, *names: str, least: int = 1, largest: int = MAX_WIDTH) -> int | None:
        """A whole number, or None where no field is given."""
        return self._checked(self.raw(*names), self._given(names), least, largest)

    def needed(self, *names: str, least: int = 1, largest: int = MAX_WIDTH) -> int:
        """A whole number that nothing can stand in for."""
        value = self.whole(*names, least=least, largest=largest)
        if value is None:
            raise self.absent(names[0])
        return value

    def absent(self, *names: str) -> InvalidParams:
        """The error about fields that nothing can stand in for."""
        return self.error(
            tr(
                "The configuration has no {name}: choose the config.json of a language model with attention.",
                name=listed(names),
            )
        )

    def per_layer(self, layers: int, *names: str, least: int = 1, largest: int = MAX_WIDTH) -> list[int] | None:
        """One whole number per layer: given as a list, or once for all. None where no field is given."""
        value, name = self.raw(*names), self._given(names)
        if not isinstance(value, list):
            single = self._checked(value, name, least, largest)
            return None if single is None else [single] * layers
        self._check_length(value, layers, name)
        return [self._must(each, name, least, largest) for each in value]

    def words(self, layers: int, *names: str) -> list[str] | None:
        """One word per layer."""
        value, name = self.raw(*names), self._given(names)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.error(
                tr("{name} must be a list with one word per layer: correct it in the file.", name=name),
            )
        self._check_length(value, layers, name)
        return value

    def indices(self, name: str) -> list[int] | None:
        """A list of layers by index."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > MAX_LAYERS:
            raise self.error(tr("{name} must be a list of layer indices: correct it in the file.", name=name))
        return [self._must(each, name, 0, MAX_LAYERS) for each in value]

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false. Anything else is refused: the string "false" would count as true."""
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(
                tr(
                    "{name} = {value}, and it must be true or false: correct it in the file.",
                    name=name,
                    value=shown(value),
                )
            )
        return value

    def word(self, *names: str) -> str:
        """A word, cleaned for display; '' where none is given or it is no word."""
        value = self.raw(*names)
        return shown_name(value) if isinstance(value, str) else ""

    def part(self, name: str) -> Fields:
        """A nested object, as fields; empty where it is not given."""
        value = self.raw(name)
        if value is not None and not isinstance(value, dict):
            raise self.error(tr("{name} must be an object: correct it in the file.", name=name))
        return self.child(value)

    def child(self, value: object) -> Fields:
        """An object inside this one, as fields; empty for anything else. What it assumes is told here."""
        child = Fields(value if isinstance(value, dict) else {}, {}, self._field)
        child._assumed = self._assumed
        return child

    def _given(self, names: tuple[str, ...]) -> str:
        return next((name for name in names if self._config.get(name) is not None), names[0])

    def _check_length(self, value: list[Any], layers: int, name: str) -> None:
        if len(value) != layers:
            raise self.error(
                tr(
                    "{name} lists {count} layers, but the model has {layers}: correct one of them in the file.",
                    name=name,
                    count=len(value),
                    layers=layers,
                )
            )

    def _must(self, value: object, name: str, least: int, largest: int) -> int:
        checked = self._checked(value, name, least, largest)
        if checked is None:
            raise self.error(tr("{name} has a null in its list: correct it in the file.", name=name))
        return checked

    def _checked(self, value: object, name: str, least: int, largest: int) -> int | None:
        if value is None:
            return None
        if type(value) is not int or not least <= value <= largest:
            raise self.error(
                tr(
                    "{name} = {value}, and it must be a whole number from {least} to {largest:,}: correct it in the "
                    "file.",
                    name=name,
                    value=shown(value),
                    least=least,
                    largest=largest,
                )
            )
        return value
