"""scikit-learn's bundled data sets, by name: `sklearn/digits` as images, the others as features."""

import numpy as np

from headstart.data.formats import Format, data_format
from headstart.data.formats.npz import Arrays, found_of
from headstart.data.reading import Reading
from headstart.data.splits import refuse_split
from headstart.data.stored import ImageArray
from headstart.data.target import Found, row_ids
from headstart.errors import TargetError, did_you_mean

NAMES = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
AMOUNTS = ("diabetes", "linnerud")
DIGITS_WHITE = 16  # the digits are 8 x 8 pixels of 0 to 16


@data_format
class Bundled(Format):
    """scikit-learn's bundled data sets, which need no network.

    Example:
        >>> found = Bundled().read("sklearn/iris", Reading(), None)
        >>> found.kind, len(found.ids), found.classes
        ('arrays', 150, ['setosa', 'versicolor', 'virginica'])
    """

    name = "sklearn"
    title = "sklearn/NAME"
    prefix = "sklearn/"

    def read(self, spec: str, reading: Reading, kind: str | None) -> Found:
        reading.refuse_columns(spec)
        refuse_split(reading.split, spec)
        name = spec.removeprefix(self.prefix)
        if name not in NAMES:
            raise TargetError(
                f"scikit-learn has no bundled data set `{name}`.{did_you_mean(name, NAMES)} Available: "
                f"{', '.join(NAMES)}."
            )
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
        if name == "digits":
            pixels = ImageArray(bunch.images, scale=255 / DIGITS_WHITE)
            ids = row_ids(len(bunch.target))
            return Found(spec, "image", pixels, ids, spec, labels=bunch.target, task=reading.task)
        found = {"features": np.asarray(bunch.data), "labels": np.asarray(bunch.target)}
        if name not in AMOUNTS:
            found["classes"] = np.asarray(bunch.target_names)
        usual = "regression" if name in AMOUNTS else "classification"
        return found_of(Arrays(found, spec), name=spec, task=reading.task or usual)
