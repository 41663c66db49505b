"""Class names as people write them, and the sentences they are put into."""

import csv
import os
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from headstart.errors import InputError, did_you_mean
from headstart.sources.names import clean
from headstart.wording import listing, one_line

REMEDY = "`class_names`: a CSV file with a class and its name in each line"
WORDNET = re.compile(r"n\d{8}")
SETS: Mapping[str, tuple[str, ...]] = {
    "names": ("{}",),
    "plain": ("a photo of a {}.",),
    "imagenet": (
        "itap of a {}.",
        "a bad photo of the {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
    ),  # the seven that OpenAI's notebook on prompt engineering for ImageNet keeps of its eighty
}


def readable(classes: Sequence[str], given: object = None, *, remedy: str = REMEDY) -> tuple[str, ...]:
    """A name to prompt with for each class.

    Args:
        classes: The classes as the data call them.
        given: Names to use instead: a mapping from class to name, a list in the order of the classes, or a CSV file
            with a class and its name in each line.
        remedy: The option that gives names, for the error.

    Raises:
        InputError: A class has no name, or a name is only a number.

    Example:
        >>> readable(["GreenApple", "1"], {"1": "pear"})
        ('green apple', 'pear')
    """
    names = _given(classes, given)
    found = tuple(names.get(name, _wordnet(name) or clean(name)) for name in classes)
    nameless = [one for one, name in zip(classes, found, strict=True) if not re.search(r"[^\W\d_]", name)]
    if nameless:
        raise InputError(
            f"the class {nameless[0]!r} has no name that a text encoder could read: a number or nothing stands for "
            f"{len(nameless)} of {len(classes)} classes. Give each a name in words with {remedy}."
        )
    return found


def renamed(classes: Sequence[str], given: object = None) -> tuple[str, ...]:
    """Sentences on what `readable` calls otherwise than the data do, and on classes that `given` leaves out.

    Example:
        >>> renamed(["GreenApple", "pear"], {"pear": "nashi"})[1]
        '`class_names` has no name for 1 of 2 classes, which keep those of the data: GreenApple.'
    """
    names, known = readable(classes, given), _given(classes, given)
    changed = [f"{one} as {two}" for one, two in zip(classes, names, strict=True) if one != two]
    rest = [one for one in classes if known and one not in known]
    said = [f"Renamed: {one_line('; '.join(changed), 200)}."] if changed else []
    if rest:
        said.append(
            f"`class_names` has no name for {len(rest)} of {len(classes)} classes, which keep those of the data: "
            f"{listing(rest, 3)}."
        )
    return tuple(said)


def _given(classes: Sequence[str], given: object) -> dict[str, str]:
    if given is None:
        return {}
    if isinstance(given, str | os.PathLike):
        return _from_csv(Path(given), classes)
    if isinstance(given, Mapping):
        names = {str(key): str(value) for key, value in given.items()}
    elif isinstance(given, Sequence) and len(given) == len(classes):
        return dict(zip(classes, map(str, given), strict=True))
    else:
        raise InputError(
            f"`class_names` must be a CSV file, a mapping from class to name, or {len(classes)} names in the order of "
            f"the classes; got {type(given).__name__}{f' of {len(given)}' if isinstance(given, Sequence) else ''}."
        )
    _check_known(names, classes, "`class_names`")
    return names


def _from_csv(path: Path, classes: Sequence[str]) -> dict[str, str]:
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"`class_names` {path} cannot be read as a CSV file: {error}.") from error
    short = [number for number, row in enumerate(rows, 1) if len(row) < 2]
    if short or not rows:
        raise InputError(f"{path}: line {short[0] if short else 1} needs a class and its name, as in `n02084071,dog`.")
    names = {row[0].strip(): row[1].strip() for row in rows}
    names.pop("class", None)  # a header
    _check_known(names, classes, str(path))
    return names


def _check_known(names: Mapping[str, str], classes: Sequence[str], where: str) -> None:
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise InputError(
            f"{where} names the class {unknown[0]!r}, which the data do not have.{did_you_mean(unknown[0], classes)}"
        )


def imagenet() -> tuple[str, ...]:
    """The first name of each of ImageNet's 1,000 classes, each once."""
    import headstart.torchvision_ops  # noqa: F401  first: timm needs torchvision
    from headstart.sources.timm_modules import imagenet_names

    return tuple(dict.fromkeys(name.partition(",")[0] for name in imagenet_names(1000) or ()))


def listed(given: object, option: str = "class_names") -> tuple[str, ...]:
    """The names that an option lists: a list, or a file with a name in each line.

    Raises:
        InputError: There are fewer than two, or a name is listed twice.

    Example:
        >>> listed(["cat", "dog"])
        ('cat', 'dog')
    """
    if isinstance(given, str | os.PathLike):
        try:
            lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"`{option}` {given} cannot be read: {error}.") from error
        names = [row[-1].strip() for row in csv.reader(lines) if row]
    elif isinstance(given, Mapping):
        names = [str(name) for name in given.values()]
    else:
        names = [str(name) for name in given] if isinstance(given, Sequence) else []
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise InputError(f"`{option}` must list at least two different classes; got {one_line(str(names), 80)}.")
    return tuple(names)


def _wordnet(name: str) -> str | None:
    """The name of a WordNet id of ImageNet, where timm is installed to know it."""
    if not WORDNET.fullmatch(name) or find_spec("timm") is None:
        return None
    import headstart.torchvision_ops  # noqa: F401  first: timm needs torchvision
    from headstart.sources.timm_modules import wordnet_name

    return wordnet_name(name)


def together(asked: str | Sequence[str]) -> tuple[str, ...]:
    """The templates of all sets that are asked for.

    Raises:
        InputError: As by `templates`.

    Example:
        >>> together("names,plain")
        ('{}', 'a photo of a {}.')
    """
    return tuple(line for lines in templates(asked).values() for line in lines)


def templates(asked: str | Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Template sets by name: `names`, `plain`, `imagenet`, or a text file with a template in each line.

    Raises:
        InputError: A set does not exist, or a template has no `{}` for the class's name.

    Example:
        >>> templates("plain")
        {'plain': ('a photo of a {}.',)}
    """
    names = [part.strip() for part in asked.split(",")] if isinstance(asked, str) else list(asked)
    found: dict[str, tuple[str, ...]] = {}
    for name in filter(None, names):
        if name in SETS:
            found[name] = SETS[name]
            continue
        path = Path(name)
        if not path.is_file():
            raise InputError(
                f"`templates` must name {', '.join(SETS)} or a text file; got {name!r}.{did_you_mean(name, SETS)}"
            )
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"`templates` {path} cannot be read as text in UTF-8: {error}.") from error
        lines = tuple(line.strip() for line in text.splitlines() if line.strip())
        wrong = [line for line in lines if line.count("{}") != 1]
        if wrong or not lines:
            raise InputError(
                f"{path}: each template needs one {{}} for the name; got {wrong[0] if wrong else 'none'!r}."
            )
        found[str(path) if path.stem in found else path.stem] = lines
    if not found:
        raise InputError(f"`templates` is empty; name {', '.join(SETS)} or a text file.")
    return found
