"""Self-taught features: they are what scikit-learn computes, and help where the source data show the structure."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

import headstart as hs
from headstart.clusters import self_taught
from headstart.errors import InputError

RNG = np.random.default_rng(0)
MIXING = RNG.standard_normal((4, 60)) * 3


def test_directions_are_the_principal_components():
    data, new = RNG.standard_normal((200, 4)) @ MIXING, RNG.standard_normal((5, 60))
    taught = self_taught(data, components=4)
    assert taught.transform(new) == pytest.approx(PCA(4, svd_solver="full").fit(data).transform(new))


def test_unlabelled_data_of_the_same_domain_help_few_labelled_examples():
    unlabelled = RNG.standard_normal((500, 4)) @ MIXING + 6 * RNG.standard_normal((500, 60))
    hidden = RNG.standard_normal((60, 4))
    examples, labels = hidden @ MIXING + 6 * RNG.standard_normal((60, 60)), (hidden[:, 0] > 0).astype(int)
    taught = self_taught(unlabelled, components=4).transform(examples)
    values = [
        hs.rank({"features": features, "labels": labels}, scores="ridge_probe", sort="ridge_probe").rows[0].scores
        for features in (taught, examples)
    ]
    assert values[0]["ridge_probe"].value > values[1]["ridge_probe"].value


def test_a_dictionary_uses_few_atoms():
    taught = self_taught(RNG.standard_normal((100, 4)) @ MIXING, components=8, form="dictionary")
    codes = taught.transform(RNG.standard_normal((10, 60)))
    assert codes.shape == (10, 8)
    assert ((codes != 0).sum(axis=1) <= 5).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"components": 61}, "60"), ({"components": 0}, "from 1"), ({"form": "ica"}, "dictionary")],
)
def test_bad_options_are_a_sentence(options: dict, words: str):
    with pytest.raises(InputError, match=words):
        self_taught(RNG.standard_normal((100, 60)), **options)


def test_another_width_is_refused():
    with pytest.raises(InputError, match=r"3 columns.*60"):
        self_taught(RNG.standard_normal((100, 60)), components=4).transform(np.ones((2, 3)))
