"""Two columns of texts are one pair, which the model's own tokenizer joins."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import headstart as hs
from headstart.cli import app
from headstart.data import open_target, open_unlabelled
from headstart.errors import TargetError
from headstart.extract import extract
from headstart.sources import candidates
from headstart.sources.source import Source

MODEL = "st/all-MiniLM-L6-v2"
ANIMALS, FOODS = ("a cat", "a dog", "an owl", "a horse", "a fish", "a mouse"), ("bread", "cheese", "rice", "soup")
PAIRS = [(f"{one} sleeps", f"{two} sleeps") for one in ANIMALS for two in ANIMALS[:3]]
LABELS = ["same" if first == second else "other" for first, second in PAIRS]


@pytest.fixture(scope="module")
def source() -> Source:
    return candidates(MODEL)[0].load(False)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("premise", "hypothesis", "label"), *((*p, y) for p, y in zip(PAIRS, LABELS, strict=True))]
        )
    return path


def test_a_table_a_list_and_a_data_set_of_pairs_are_the_same_target(table: Path) -> None:
    columns = ["premise", "hypothesis"]
    items = list(zip(PAIRS, LABELS, strict=True))
    targets = [open_target(table, text_column=columns), open_target((PAIRS, LABELS)), open_target(items)]
    frame = {"premise": [a for a, _ in PAIRS], "hypothesis": [b for _, b in PAIRS], "label": LABELS}
    targets.append(open_target(frame, text_column=columns))
    for target in targets:
        assert (target.kind, len(target), target.examples.load(1)) == ("text", 18, PAIRS[1])
    assert targets[0].examples.digest(1) == targets[1].examples.digest(1)
    turned = open_target(table, text_column=columns[::-1])
    assert turned.examples.load(1) == PAIRS[1][::-1]
    assert turned.examples.digest(1) != targets[0].examples.digest(1)


def test_the_tokenizer_joins_the_pair(source: Source) -> None:
    batch = source.join([source.prepare(pair) for pair in PAIRS[:3]])
    tokenizer = next(module.tokenizer for module in source.network.modules() if hasattr(module, "tokenizer"))
    first, second = [one for one, _ in PAIRS[:3]], [other for _, other in PAIRS[:3]]
    expected = tokenizer(first, second, padding=True, return_tensors="pt")
    assert batch["input_ids"].tolist() == expected["input_ids"].tolist()
    assert batch["token_type_ids"].tolist() == expected["token_type_ids"].tolist()
    assert int(batch["token_type_ids"].max()) == 1


def test_features_of_pairs_depend_on_both_and_not_on_the_batch(source: Source) -> None:
    whole = extract(open_target((PAIRS, LABELS)), source).features
    assert whole is not None
    assert np.abs(whole[0] - whole[1]).max() > 1e-3  # the first texts are equal
    alone = extract(open_target((PAIRS[:2], ["x", "y"])), source, batch_size=1).features
    assert whole[:2] == pytest.approx(alone, abs=1e-5)


def test_pairs_are_ranked_transferred_and_predicted(table: Path, tmp_path: Path) -> None:
    columns = ("premise", "hypothesis")
    ranking = hs.rank(table, models=[MODEL], scores="logme", text_column=columns, cache=False)
    assert ranking.best is not None
    run = hs.transfer(table, model=MODEL, method="head", text_column=columns, cache=None)
    answers = run.predict(PAIRS)
    folder = run.save(tmp_path / "run")
    options = ["--text-column", "premise", "--text-column", "hypothesis"]
    result = CliRunner().invoke(app, ["predict", str(folder), str(table), *options])
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [float(row["p(same)"]) for row in rows] == pytest.approx(answers.outputs[:, 1], abs=1e-4)


def test_wrong_columns_of_pairs_are_said(table: Path) -> None:
    with pytest.raises(TargetError, match=r"no column `hypotheses`.*Did you mean `hypothesis`"):
        open_target(table, text_column=["premise", "hypotheses"])
    with pytest.raises(TargetError, match=r"`text_column` takes one column, or two for pairs; got a, b, c"):
        open_target(table, text_column=["a", "b", "c"])
    found = open_unlabelled([("good", "bad"), ("", "x")], "text")
    assert list(found.skipped) == ["1"]
