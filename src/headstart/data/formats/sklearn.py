"""scikit-learn's bundled data sets, by name: `sklearn/digits` as images, the others as features."""

import numpy as np

from headstart.data.build import make_target
from headstart.data.formats import Format, data_format
from headstart.data.formats.npz import Arrays, target_of
from headstart.data.reading import Reading
from headstart.data.splits import refuse_split
from headstart.data.stored import ImageArray
from headstart.data.target import Target
from headstart.errors import TargetError, did_you_mean

NAMES = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
DIGITS_WHITE = 16  # the digits are 8 x 8 pixels of 0 to 16


@data_format
class Bundled(Format):
    """scikit-learn's bundled data sets; none of them needs a network.

    Example:
        >>> target = Bundled().open("sklearn/iris", Reading())
        >>> target.kind, len(target), target.classes
        ('arrays', 150, ('setosa', 'versicolor', 'virginica'))
    """

    name = "sklearn"
    title = "sklearn/NAME"
    prefix = "sklearn/"

    def open(self, spec: str, reading: Reading) -> Target:
        reading.refuse_columns(spec)
        refuse_split(reading.split, spec)
        name = spec.removeprefix(self.prefix)
        if name not in NAMES:
            raise TargetError(
                f"scikit-learn bundles no data set `{name}`; it has {', '.join(NAMES)}.{did_you_mean(name, NAMES)}"
            )
        if name != "digits":
            return target_of(bundled_arrays(name), name=spec, task=reading.task or _usual_task(name))
        from sklearn import datasets

        bunch = datasets.load_digits()
        return make_target(
            name=spec,
            kind="image",
            examples=ImageArray(bunch.images, scale=255 / DIGITS_WHITE),
            raw=bunch.target,
            ids=[str(row) for row in range(len(bunch.target))],
            where=spec,
            task=reading.task,
        )


def bundled_arrays(name: str) -> Arrays:
    """Features and labels of a bundled data set."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    found = {"features": np.asarray(bunch.data), "labels": np.asarray(bunch.target)}
    if _usual_task(name) == "classification":
        found["classes"] = np.asarray(bunch.target_names)
    return Arrays(found, f"sklearn/{name}")


def _usual_task(name: str) -> str:
    return "regression" if name in ("diabetes", "linnerud") else "classification"
