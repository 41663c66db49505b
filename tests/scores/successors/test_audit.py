"""The audit finds each kind of impossibility, names the rows, and stays silent on a sound table."""

import numpy as np
import pytest
from scipy import stats

from headstart import scores
from headstart.errors import InputError
from headstart.scores import Claim, audit, weighted_taus


def sound(n: int = 8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(0.5, 0.9, n)
    return {
        "LEEP": -1.2 + accuracy + 0.05 * rng.normal(size=n),
        "H-score": 4 * accuracy + 0.3 * rng.normal(size=n),
        "accuracy": accuracy,
    }


def kinds(found: list[scores.Finding]) -> list[str]:
    return [finding.kind for finding in found]


def test_a_sound_table_has_no_findings():
    table = sound()
    r = stats.pearsonr(table["LEEP"], table["accuracy"]).statistic
    claim = Claim("LEEP", "accuracy", "pearson", round(float(r), 2))
    assert audit(table, outcomes=["accuracy"], claims=[claim], classes=10, features=64, entropy=2.3) == []


def test_values_outside_a_scores_range_are_found_with_their_rows():
    table = sound()
    table["H-score"][[2, 5]] = 117.0, 46.4  # the README's value, where 46 is the limit
    table["LEEP"][1] = 0.2
    table["LEEP"][3] = -2.5
    found = audit(table, outcomes=["accuracy"], classes=47, entropy=2.3)
    assert kinds(found) == ["range"] * 3
    by_column = {(finding.columns, finding.rows) for finding in found}
    assert by_column == {(("H-score",), (2, 5)), (("LEEP",), (1,)), (("LEEP",), (3,))}
    assert "117 is above 46" in str(next(finding for finding in found if finding.columns == ("H-score",)))
    assert "below -2.3" in str(next(finding for finding in found if finding.rows == (3,)))


def test_bounds_come_from_classes_and_width_row_by_row():
    table = {"h_score": [3.5, 3.5], "gbc": [-7.0, -50.0], "nleep": [-1.0, -1.0], "other": [1.0, 2.0]}
    found = audit(table, classes=[3, 10], features=[64, 2])
    assert sorted((f.columns[0], f.rows) for f in found) == [
        ("gbc", (0,)), ("h_score", (0,)), ("h_score", (1,)),
    ]  # fmt: skip
    assert [f.columns for f in audit({"nleep": [-1.2, -1.0, -0.9]}, classes=3)] == [("nleep",)], "log 3 = 1.0986"


def test_a_missing_logarithm_and_a_turned_sign_are_named():
    assert "the logarithm was left out" in str(audit({"LEEP": [0.3, 0.5, 0.9]})[0])
    assert "the sign was turned" in str(audit({"LEEP": [1.3, 2.5, 0.9]})[0])
    assert audit({"LEEP": [1.3, 2.5, 0.9]}, directions={"LEEP": "lower"}) == []


def test_values_that_are_not_numbers_come_first():
    table = sound() | {"LogME": np.array([1.0, np.nan, 2.0, 0.5, 0.7, np.inf, 0.1, 0.2])}
    table["LEEP"][0] = 3.0
    found = audit(table, outcomes=["accuracy"])
    assert kinds(found) == ["missing", "range"]
    assert found[0].rows == (1, 5)


def test_columns_of_text_are_read_as_numbers_with_what_is_missing():
    table = {
        "model": ["resnet18", "vit", "50"],
        "leep": ["5.0", "", " -0.3 "],
        "nce": [None, -0.2, 1.5],
        "notes": ["", "", ""],
    }
    assert [(f.kind, f.columns, f.rows) for f in audit(table)] == [
        ("missing", ("leep",), (1,)), ("missing", ("nce",), (0,)),
        ("range", ("leep",), (0,)), ("range", ("nce",), (2,)),
    ]  # fmt: skip
    assert audit({"gbc": [None, ""]})[0].rows == (0, 1)
    claim = Claim("leep", "accuracy", "pearson", 1.0)
    assert audit({"leep": ["-3", "-2", "-1"], "accuracy": ["0.7", "0.8", "0.9"]}, claims=[claim]) == []


def test_text_that_is_no_number_is_refused_where_numbers_are_meant():
    with pytest.raises(InputError, match=r"column 'N-LEEP', row 1: 'failed' is not a number. Leave the entry empty"):
        audit({"N-LEEP": [-0.1, "failed"]})
    with pytest.raises(InputError, match=r"column 'top 1', row 0: '71 %' is not a number"):
        audit({"top 1": ["71 %", "72 %"]}, outcomes=["top 1"])


def test_columns_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"column 'leep' must hold one value per source; got shape \(3, 2\)"):
        audit({"leep": np.zeros((3, 2))})
    with pytest.raises(InputError, match=r"one value per source; got shape \(\)"):
        audit({"leep": -1.0})
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match=r"`table` must hold columns by name.*got a list. Rows become columns by"):
        audit([{"leep": -1.0}])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="each column a name of its own"):
        audit(pandas.DataFrame([[-1, -2], [-3, -4]], columns=["leep", "leep"]))
    missing = pandas.DataFrame({"leep": pandas.Series([-1.0, pandas.NA], dtype=object)})
    assert audit(missing)[0].rows == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"directions": {"leep": "up"}}, "`directions` must say \"higher\" or \"lower\"; for 'leep' it says 'up'"),
        ({"classes": float("nan")}, "`classes` must be a number from 1 up; got nan"),
        ({"classes": [3, 0]}, "`classes` must be a number from 1 up; got 0"),
        ({"features": 0}, "`features` must be a number from 1 up; got 0"),
        ({"entropy": -0.1}, "`entropy` must be a number from 0 up; got -0.1"),
        ({"classes": "ten"}, "`classes` must be one number, or one for each of the 2 rows; got 'ten'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message, unchecked):
    with pytest.raises(InputError, match=message):
        audit({"leep": [-0.1, -0.2]}, **options)


def test_columns_that_copy_one_another_are_found():
    table = sound()
    copies = {**table, "NCE": table["LEEP"].copy(), "scaled": 3 - 2 * table["H-score"]}
    found = audit(copies, outcomes=["accuracy"])
    assert [(f.kind, f.columns) for f in found] == [("copy", ("LEEP", "NCE")), ("copy", ("H-score", "scaled"))]
    assert "are equal" in str(found[0])
    assert "straight line" in str(found[1])


def test_a_correlation_that_does_not_follow_is_found_and_traced():
    table = sound()
    true = float(stats.pearsonr(table["LEEP"], table["accuracy"]).statistic)
    kendall = float(stats.kendalltau(table["LEEP"], table["accuracy"]).statistic)
    wrong = audit(table, outcomes=["accuracy"], claims=[Claim("LEEP", "accuracy", "pearson", true - 0.2)])
    assert kinds(wrong) == ["claim"]
    assert f"give pearson {true:.2f}" in str(wrong[0])
    swapped = audit(table, outcomes=["accuracy"], claims=[Claim("LEEP", "accuracy", "spearman", kendall, 4)])
    assert "It is the kendall" in str(swapped[0])
    turned = audit(table, outcomes=["accuracy"], claims=[Claim("LEEP", "accuracy", "pearson", -round(true, 3), 3)])
    assert "sign is turned" in str(turned[0])


@pytest.mark.parametrize("which", ["truth", "score", "both"])
def test_which_weighted_tau_was_used_is_told(which):
    table = sound()
    taus = weighted_taus(table["LEEP"].tolist(), table["accuracy"].tolist())
    assert len({round(value, 4) for value in taus.values()}) == 3
    claim = Claim("LEEP", "accuracy", "weighted_tau", round(taus[which], 4), 4)
    found = audit(table, outcomes=["accuracy"], claims=[claim])
    assert kinds(found) == ["which_tau"]
    words = {"truth": "weights from the outcome.", "score": "weights from the score.", "both": "the mean of both."}
    assert str(found[0]).endswith("takes " + words[which])


def test_a_weighted_tau_that_is_none_of_the_three_is_a_wrong_claim():
    found = audit(sound(), outcomes=["accuracy"], claims=[Claim("LEEP", "accuracy", "weighted_tau", -0.99)])
    assert kinds(found) == ["claim"]
    assert "none of the three" in str(found[0])


def test_the_three_taus_are_scipys():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=12), rng.normal(size=12)
    taus = weighted_taus(a.tolist(), b.tolist())
    assert taus["both"] == pytest.approx(stats.weightedtau(a, b).statistic)
    ranks = np.argsort(np.argsort(-b))  # 0 for the largest outcome
    assert taus["truth"] == pytest.approx(stats.weightedtau(a, b, rank=ranks).statistic)


def test_accuracies_in_two_units_are_found():
    found = audit({"accuracy": [71.0, 0.72, 80.5, 66.0, 70.1]}, outcomes=["accuracy"])
    assert [(f.kind, f.rows) for f in found] == [("units", (1,))]


def test_what_cannot_be_audited_is_refused(unchecked):
    with pytest.raises(InputError, match="one value per source"):
        audit({"LEEP": [1.0], "NCE": [1.0, 2.0]})
    with pytest.raises(InputError, match="'truth' is not a column"):
        audit(sound(), outcomes=["truth"])
    with pytest.raises(InputError, match="`classes` must be one number"):
        audit(sound(), classes=[1, 2])
    with pytest.raises(InputError, match="`statistic` must be"):
        audit(sound(), claims=[Claim("LEEP", "accuracy", "cosine", 0.5)])
    found = audit({"LEEP": [-1.0, -1.0, -1.0], "a": [1.0, 2.0, 3.0]}, claims=[Claim("LEEP", "a", "pearson", 0.9)])
    assert "constant column" in str(found[0])


def test_a_data_frame_is_a_table():
    import pandas as pd

    frame = pd.DataFrame(sound() | {"LEEP": np.linspace(-1, 0.5, 8)})
    frame["source"] = list("abcdefgh")
    assert kinds(audit(frame, outcomes=["accuracy"])) == ["range"]
