"""Labelled domains as starts for one another."""

import numpy as np
import pytest

from headstart.adaptation import across
from headstart.errors import InputError, TargetError
from headstart.records.across import Across

Domain = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def domains() -> dict[str, Domain]:
    """Two near domains and one whose classes lie the other way round."""
    labels = np.arange(120) % 2
    points = np.random.default_rng(0).standard_normal((3, 120, 2)) + 3 * labels[:, None]
    return {"en": (points[0], labels), "de": (points[1] + 0.5, labels), "xx": (-points[2], labels)}


def test_the_nearer_domain_is_the_better_start(domains: dict[str, Domain]) -> None:
    found = across(domains, "rows/2", cache=False)
    assert [one.trained_on for one in found.ranked("de")] == ["en", "xx"]
    near, far = found.ranked("de")
    assert near.low <= near.accuracy <= near.high
    assert far.gap is not None
    assert far.gap < -0.3
    assert far.gap_high is not None
    assert far.gap_high < 0
    own = next(one for one in found.crossings if (one.trained_on, one.tested_on) == ("de", "de"))
    assert far.gap == pytest.approx(far.accuracy - own.accuracy)
    assert "On average over the other domains" in " ".join(str(found).split())
    assert Across.from_json(found.to_json()) == found
    only = across(domains, "rows/2", cache=False, sources=["en"])
    assert {one.trained_on for one in only.crossings} == {"en"}


def test_domains_that_do_not_belong_together_are_refused(domains: dict[str, Domain]) -> None:
    with pytest.raises(InputError, match="`sources` names fr"):
        across(domains, "rows/2", sources=["fr"])
    with pytest.raises(InputError, match="there is 1 domain"):
        across({"en": domains["en"]}, "rows/2")
    with pytest.raises(TargetError, match="the domain de has the classes 5 and 6"):
        across({"en": domains["en"], "de": (domains["de"][0], domains["de"][1] + 5)}, "rows/2")
