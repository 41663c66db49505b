"""Options as fields of a frozen dataclass: each with its help, default, range and unit, checked in one place.

The command line, the checks, the docs and the model card read these fields; no argument list is written twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from math import isfinite
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from headstart.errors import InputError, did_you_mean

KEY = "option"
NOUNS = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Option:
    """One option, as its dataclass states it."""

    name: str
    type: type  # bool, int, float or str: what it is on the command line
    default: Any
    help: str
    low: float | None = None  # the smallest value
    above: float | None = None  # values must be greater than this
    high: float | None = None  # the largest value
    below: float | None = None  # values must be smaller than this
    unit: str = ""
    choices: tuple[str, ...] = ()
    usual: float | str | None = None  # what None stands for
    needs: Mapping[str, tuple[object, ...]] = field(default_factory=dict)  # it has no effect with other values of these
    also: tuple[Any, ...] = ()  # further types that a value may have in Python

    @property
    def flag(self) -> str:
        """The option as it is typed, such as `--batch-size`."""
        return "--" + self.name.replace("_", "-")

    @property
    def expected(self) -> str:
        """What a value must be: "a number greater than 0"."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        joint = " of " if self._range.startswith("at ") else " "
        return f"{NOUNS[self.type]}{joint}{self._range}".strip()

    @property
    def text(self) -> str:
        """The help with unit, range and default, for the command line and the docs."""
        unit = f" in {self.unit}" if self.unit else ""
        ranged = self._range if not self.choices else ", ".join(self.choices)
        shown = self.usual if self.default is None else self.default
        default = (
            ""
            if shown is None or self.type is bool
            else f"default {shown:g}"
            if _is_number(shown)
            else f"default {shown}"
        )
        limits = "; ".join(part for part in (ranged, default) if part)
        return f"{self.help}{unit}{f' ({limits})' if limits else ''}."

    def check(self, value: object) -> None:
        """Raises InputError for a value of another type or out of range; None is accepted where it is the default."""
        if value is None and self.default is None:
            return
        if self.choices:
            if value not in self.choices:
                raise InputError(
                    f"`{self.name}` must be {self.expected}; got {value!r}.{did_you_mean(str(value), self.choices)}"
                )
            return
        if isinstance(value, self.also):
            return
        if not _is_a(value, self.type):
            raise InputError(f"`{self.name}` must be {self.expected}; got {value!r} ({type(value).__name__}).")
        if not isinstance(value, Real) or self.type is bool:
            return
        number = float(value)
        if number in (float("inf"), float("-inf")):
            raise InputError(f"`{self.name}` must be finite; got {value}.")
        if not (
            isfinite(number)
            and (self.low is None or number >= self.low)
            and (self.above is None or number > self.above)
            and (self.high is None or number <= self.high)
            and (self.below is None or number < self.below)
        ):
            raise InputError(f"`{self.name}` must be {self.expected}; got {value}.")

    @property
    def _range(self) -> str:
        low = self.low if self.above is None else self.above
        high = self.high if self.below is None else self.below
        if low is not None and high is not None:
            return f"in {'[' if self.above is None else '('}{low:g}, {high:g}{']' if self.below is None else ')'}"
        if low is not None:
            return f"at least {low:g}" if self.above is None else f"greater than {low:g}"
        return "" if high is None else f"at most {high:g}" if self.below is None else f"smaller than {high:g}"


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
    unit: str = "",
    usual: float | str | None = None,
    needs: Mapping[str, Iterable[object]] | None = None,
) -> Any:
    """A dataclass field that is an option; its type and its choices (a `Literal`) are those of the annotation.

    Args:
        default: None leaves the value to the code that reads it; `usual` then says what that is.
        help: One phrase that starts with a capital and has no full stop.
        low: The smallest value; `above` excludes the bound itself. `high` and `below` are the upper bounds.
        unit: Of the value, such as "pixels".
        usual: What None stands for: a number, or a phrase.
        needs: Other options and the values of theirs with which this one has an effect.
    """
    given = {
        "help": help, "low": low, "above": above, "high": high, "below": below, "unit": unit, "usual": usual,
        "needs": {name: tuple(values) for name, values in (needs or {}).items()},
    }  # fmt: skip
    return field(default=default, metadata={KEY: given})


def options_of(owner: type) -> dict[str, Option]:
    """The options of a dataclass by name, in their order; fields made without `option` are left out."""
    return dict(_options_of(owner))


@cache
def _options_of(owner: type) -> dict[str, Option]:
    hints = get_type_hints(owner)
    return {one.name: _option(one, hints[one.name]) for one in fields(owner) if KEY in one.metadata}


def check_options(values: object) -> None:
    """Check every option of a dataclass's instance.

    Raises:
        InputError: A value has the wrong type, is out of range, or has no effect beside the others.
    """
    known = options_of(type(values))
    mine = {name: getattr(values, name) for name in known}
    for name, one in known.items():
        one.check(mine[name])
    for name, one in known.items():
        if mine[name] != one.default:
            refuse_idle(one, mine)


def refuse_idle(one: Option, values: Mapping[str, object]) -> None:
    """Raises InputError for an option that has no effect beside the values of the others."""
    for other, wanted in one.needs.items():
        if values[other] not in wanted:
            raise InputError(
                f"`{one.name}` has no effect with `{other}={values[other]!r}`; "
                f"it needs {' or '.join(f'`{other}={value!r}`' for value in wanted)}."
            )


def is_idle(one: Option, values: Mapping[str, object]) -> bool:
    """Whether an option has no effect beside the values of the others."""
    return any(values[other] not in wanted for other, wanted in one.needs.items())


def _option(one: "Field[Any]", hint: Any) -> Option:
    kinds = [kind for kind in get_args(hint) if kind is not NoneType] or [hint]
    kind = hint if get_origin(hint) is Literal else kinds[0]
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    also = () if choices else tuple(kinds[1:])
    return Option(one.name, str if choices else kind, one.default, choices=choices, also=also, **one.metadata[KEY])


def _is_a(value: object, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    wider: dict[type, Any] = {int: Integral, float: Real}  # numpy's numbers count too
    return isinstance(value, wider.get(kind, kind))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
