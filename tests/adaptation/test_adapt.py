"""`adapt` from end to end, on tiny arrays and one tiny network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import headstart
from headstart.adaptation import ADAPTATIONS, Adapted, adapt, load_run
from headstart.adaptation.rows import choices_of
from headstart.errors import HeadstartError, InputError
from headstart.records import AdaptationRecord
from headstart.records.table import Table

QUIET = {"progress": False, "cache": False}


def domain(n: int, seed: int, *, turned: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of points; `turned` is the new domain: stretched and moved."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    points = rng.standard_normal((n, 4))
    points[:, 0] += 3 * labels
    points[:, 1] += 2 * (labels == 1)
    return (points * [2, 1, 1, 1] + 1 if turned else points), labels


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapted")


@pytest.fixture(scope="module")
def adapted(place: Path) -> Adapted:
    new = domain(200, 1, turned=True)[0]
    return adapt(
        domain(300, 0), new, method="coral", test=domain(150, 2, turned=True), out=place / "run",
        report=place / "page.html", **QUIET,
    )  # fmt: skip


def test_it_says_what_was_gained_over_no_adaptation_and_how_sure_that_is(adapted: Adapted) -> None:
    none, coral = adapted.record.rows
    assert (none.method, coral.method, adapted.record.chosen.method) == ("none", "coral", "coral")
    assert coral.gain == pytest.approx(coral.accuracy - none.accuracy)  # type: ignore[operator]
    assert coral.gain_low is not None
    assert coral.gain_low > 0.1
    assert coral.verdict == "positive"
    text = " ".join(str(adapted).split())
    assert "it helps" in text
    assert f"{coral.gain:+.3f}" in text


def test_it_predicts_and_is_saved(adapted: Adapted, place: Path) -> None:
    new = domain(40, 3, turned=True)
    answers = adapted.predict(new[0])
    assert np.mean(np.array(answers.labels) == new[1].astype(str)) > 0.8
    again = headstart.load(place / "run")
    for kept in (place / "run").rglob("weights.safetensors"):  # of each method the head; the source is not saved again
        with safe_open(kept, "np") as file:
            assert set(file.keys()) == {"head.weight", "head.bias"}
    assert isinstance(again, Adapted)
    assert again.record == adapted.record
    assert np.array_equal(again.predict(new[0]).outputs, answers.outputs)
    assert load_run(place / "run" / "runs" / "coral-seed0").outcome.method == "coral"
    assert np.array_equal(load_run(adapted.save(place / "copy")).predict(new[0]).outputs, answers.outputs)
    assert headstart.load(place / "run" / "adaptation.json") == adapted.record
    assert "it helps" in (place / "page.html").read_text()


def test_the_same_call_resumes_in_its_folder(adapted: Adapted, place: Path) -> None:
    new = domain(200, 1, turned=True)[0]
    before = (place / "run" / "runs" / "coral-seed0" / "outcome.json").stat().st_mtime_ns
    again = adapt(
        domain(300, 0), new, method="coral", test=domain(150, 2, turned=True), out=place / "run", **QUIET
    )  # fmt: skip
    assert (place / "run" / "runs" / "coral-seed0" / "outcome.json").stat().st_mtime_ns == before
    assert again.record.rows == adapted.record.rows
    with pytest.raises(InputError, match="holds another run"):  # another new domain is another run
        adapt(domain(300, 0), new + 1, method="coral", out=place / "run", **QUIET)


def test_labels_of_the_new_domain_change_nothing_and_are_said_to_be_ignored() -> None:
    new, labels = domain(120, 1, turned=True)
    named = {"method": "coral,importance", **QUIET}
    plain, wrong = (adapt(domain(150, 0), data, **named) for data in (new, (new, 2 - labels)))  # type: ignore[arg-type]
    assert wrong.record.rows == plain.record.rows
    assert any("labels" in note and "ignored" in note for note in wrong.record.notes)
    assert not any("ignored" in note for note in plain.record.notes)
    assert "nobody knows what was gained" in " ".join(str(plain).split())


def test_every_method_is_a_file_with_paper_and_options() -> None:
    assert {"none", "none-deep", "coral", "importance"} <= set(ADAPTATIONS)
    for made in ADAPTATIONS.values():
        assert made.__doc__, made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"select": "oracle"}, "`select` must be one of source-risk"),
        ({"method": "corall"}, "Did you mean `coral`"),
        ({"shrinkage": 0.1, "method": "importance"}, "`shrinkage` has no effect with.*belongs to `coral`"),
        ({"shrinkagge": 0.1}, "no option `shrinkagge`. Did you mean `shrinkage`"),
        ({"shrinkage": 2.0, "method": "coral"}, "`shrinkage` must be a number in"),
        ({"seeds": 0}, "`seeds` must be a whole number of at least 1"),
        ({"model": "zoo/tiny_letters"}, "need no model"),
        ({"epochs": 3}, "`epochs` has no effect"),
    ],
)
def test_a_mistake_is_explained(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        adapt(domain(60, 0), domain(60, 1)[0], **{**QUIET, **change})  # type: ignore[arg-type]


def test_a_new_domain_of_three_examples_is_refused() -> None:
    with pytest.raises(InputError, match=r"3 arrays.*at least 10"):
        adapt(domain(60, 0), domain(3, 1)[0], **QUIET)


def test_a_baseline_that_the_criterion_prefers_is_named(adapted: Adapted) -> None:
    none, coral = adapted.record.rows
    rows = (none, replace(coral, criteria={**coral.criteria, adapted.record.select: -9.0}))
    text = " ".join(str(replace(adapted.record, rows=rows)).split())
    assert "By entropy `none`, which was not asked for, is better" in text


def test_the_record_is_json(adapted: Adapted) -> None:
    assert AdaptationRecord.from_json(adapted.record.to_json()) == adapted.record
    assert adapted.record.to_rows()[1]["method"] == "coral"


@pytest.mark.parametrize(
    ("labelled", "new", "said"),
    [
        (domain(60, 0), ["a text", "another"] * 10, "reads arrays|holds texts"),
        (domain(60, 0), np.ones((20, 3)), "3 features for each example, and .* has 4"),
        ((np.ones((60, 4)), np.arange(60) % 3), np.ones((20, 4)), "same features for every example"),
        (domain(60, 0), np.ones((20, 4)), "same features for every example of the new domain; check those data"),
        ((domain(60, 0)[0], np.linspace(0, 1, 60)), domain(60, 1)[0], "adaptation needs classes"),
    ],
)
def test_domains_that_do_not_fit_are_refused_in_a_sentence(labelled: object, new: object, said: str) -> None:
    with pytest.raises(HeadstartError, match=said) as caught:
        adapt(labelled, new, **QUIET)
    assert "Traceback" not in str(caught.value)
    assert "nan" not in str(caught.value)


def test_classes_that_one_side_lacks_are_named() -> None:
    points, labels = domain(150, 0)
    new, hidden = domain(90, 1, turned=True)
    few = labels < 2  # open set: the test part has a class that nobody learnt
    found = adapt((points[few], labels[few]), new, method="none", test=(new, hidden), **QUIET)
    assert found.record.n_test == 60
    assert any("30 test examples are left out" in note for note in found.record.notes)
    partial = adapt(
        (points, labels), new[hidden < 2], method="none", test=(new[hidden < 2], hidden[hidden < 2]), **QUIET
    )
    assert any("no example of 2" in note for note in partial.record.notes)
    alike, hidden = domain(90, 1)  # unlike the stretched points, of which a few look like the class that is not there
    lacking = adapt((points, labels), alike[hidden < 2], method="none", **QUIET)
    assert "the new domain holds few examples of 2, or none." in " ".join(str(lacking).split())
    assert "or none. Where" not in str(found)
    assert "entropy lost" in " ".join(str(lacking).split())


def test_a_method_that_forgets_the_labelled_domain_is_not_chosen_however_sure_it_is(adapted: Adapted) -> None:
    first = adapted.record.rows[0]
    risks, sure = (0.9, 0.7, 0.8, 0.5), (-0.5, 0.0, -0.1, -0.2)  # the last is of a source that knows less
    rows = tuple(
        replace(first, method=name, source="other" if name == "d" else first.source, facts={},
                criteria=first.criteria | {"source-risk": risk, "entropy": value})
        for name, risk, value in zip("abcd", risks, sure, strict=True)
    )  # fmt: skip
    assert choices_of(rows, tuple("abcd"))["entropy"] == (first.source, "c")
    assert choices_of(rows, ("a", "d"))["entropy"] == ("other", "d")
    assert choices_of(rows, ("b",))["entropy"] == (first.source, "b")  # nothing else was asked for
    record = replace(adapted.record, rows=rows[:3], choices=dict(choices_of(rows[:3], tuple("abc"))))
    told = " ".join(str(record).split())
    assert "b is not chosen: it reaches 0.700 on held-out labelled examples, more than 15 points" in told
    assert "a is not chosen" not in told


def test_several_labelled_domains_are_ranked_as_starts_for_the_new_one() -> None:
    new, hidden = domain(120, 1, turned=True)
    points, labels = domain(150, 0)
    starts = {"near": (new[:90], hidden[:90]), "other": (points, labels % 2), "broken": "no/such/file.csv"}
    named = {"select": "importance-weighted", "method": "none", **QUIET}
    found = adapt((-points, labels), new[60:], sources=starts, test=(new, hidden), **named)  # type: ignore[arg-type]
    assert (found.record.chosen.source, found.record.labelled) == ("near", "arrays and near")
    near, far = (found.record.row(name, "none").accuracy for name in ("near", "arrays"))
    assert near is not None
    assert far is not None
    assert near > far + 0.3
    table = next(part for part in found.view() if isinstance(part, Table))
    assert table.columns[0].cells == ("near", "arrays")  # best first
    (other, reason), (broken, missing) = ((one.source, one.reason) for one in found.record.failures)
    assert (other, broken) == ("other", "broken")
    assert "has the classes 0 and 1, and arrays has 0, 1 and 2" in reason
    assert "no/such/file.csv" in missing
    assert np.mean(np.array(found.predict(new).labels) == hidden.astype(str)) > 0.8


def test_identical_domains_are_said_and_not_refused() -> None:
    points, labels = domain(90, 0)
    found = adapt((points, labels), points, method="coral", **QUIET)
    assert any("among the labelled ones by their content; there is nothing" in note for note in found.record.notes)
    assert not found.record.gap.apart
    assert "they look alike" in " ".join(str(found).split())
