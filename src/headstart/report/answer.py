"""The answer in plain sentences: which source, by which score, how surely."""

from collections.abc import Sequence

from headstart.records import RankedSource, Ranking
from headstart.records.ranking_page import interval, places_for, ranked
from headstart.records.text import dissent, is_clear, outlook, ties
from headstart.wording import isolated, listing, number, probability, spelled, typeset


def headline(ranking: Ranking) -> str:
    """One sentence that a reader can act on."""
    rows, target = ranked(ranking), isolated(ranking.target.name)
    if not rows:
        return f"No source could be ranked on {target}."
    best = isolated(rows[0].source)
    if all(row.advised_against for row in rows):
        many = f"None of the {spelled(len(rows))} sources gives" if len(rows) > 1 else f"{best} gives no sign of"
        return f"{many} a head start on {target}."
    if len(rows) == 1:
        return f"{best} is the only source ranked on {target}."
    if ranking.tied >= 2:
        names = [isolated(row.source) for row in rows[: ranking.tied]]
        return f"{listing(names, most=3)} share the lead on {target}."
    if is_clear(ranking):
        return f"{best} gives the best head start on {target}."
    return f"{best} comes first on {target}, but not beyond doubt."


def support(ranking: Ranking, title: str) -> str:
    """The sentences under the headline: ties, the leader's score with its interval, its verdict.

    Args:
        ranking: The record.
        title: The name of the score that orders the ranking, as a reader meets it.
    """
    rows = ranked(ranking)
    if not rows:
        return f"No source has a value of {title}, which orders this ranking; the reasons are given below."
    sentences = [
        ties(ranking),
        dissent(ranking),
        _lead(rows, ranking.sort, title),
        _verdict(rows[0]),
        *outlook(ranking),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _lead(rows: Sequence[RankedSource], sort: str, title: str) -> str | None:
    """The leader's value, its interval and its chance of being best."""
    best = rows[0]
    if sort not in best.scores:
        return None
    places = places_for(rows, sort)
    bounds = interval(best.scores[sort], places)
    sentence = f"By {title}, {isolated(best.source)} reaches {number(best.scores[sort].value, places)}"
    sentence += f" (95 % interval {bounds})" if bounds else ""
    if len(rows) > 1 and best.probability_best is not None:
        chance = typeset(probability(best.probability_best))
        sentence += f"; it is the best of {spelled(len(rows))} with probability {chance}"
    return sentence + "."


def _verdict(best: RankedSource) -> str | None:
    """The leader's verdict as a sentence (the record holds a phrase, such as "no better than guessing")."""
    return f"It is {best.verdict.rstrip('.')}." if best.verdict else None
