"""Texts that a model does not read whole: a note with their share, also when all rows are cached."""

import tracemalloc
from pathlib import Path

import pytest

import headstart as hs
from headstart.data import open_target
from headstart.extract import extract
from headstart.sources import candidates
from headstart.sources.source import Source

MODEL = "st/all-MiniLM-L6-v2"
ANSWERS = ["yes", "no"] * 3


@pytest.fixture(scope="module")
def source() -> Source:
    return candidates(MODEL)[0].load(False)


def notes_of(texts: list[str], source: Source, cache: Path | None = None) -> tuple[str, ...]:
    return extract(open_target((texts, ANSWERS[: len(texts)])), source, cache=cache).notes


def test_texts_beyond_the_limit_are_counted(source: Source, tmp_path: Path) -> None:
    longest = source.module.max_seq_length
    fits = "word " * (longest - 2)  # and the two special tokens
    texts = [fits + "end", fits, f"{fits} a b c", "short"]
    said = f"2 of 4 texts are longer than the {longest} tokens it reads; the rest of them is cut"
    assert notes_of(texts, source) == (said,)
    assert said in notes_of(texts, source, tmp_path)
    assert said in notes_of(texts, source, tmp_path)  # from the cache
    assert notes_of(["short", fits], source) == ()


def test_the_note_reaches_a_ranking_and_a_pair_counts_as_one_text() -> None:
    pairs = [("word " * 200 + end, "word " * 200) for end in ("good", "bad", "so")] * 2
    ranking = hs.rank((pairs, ANSWERS), models=[MODEL], scores="logme", cache=False)
    assert "6 of 6 texts are longer than the" in str(ranking)


def test_words_outside_the_vocabulary_are_counted(source: Source) -> None:
    notes = notes_of([f"{word} ሰላም ለዓለም እንዴት" for word in ("ነው", "ናቸው", "ነኝ", "ናት")], source)
    assert any("of the tokens are unknown to its tokenizer" in note for note in notes)
    assert notes_of(["a plain sentence", "another one"], source) == ()


def test_a_text_of_many_megabytes_is_cut_before_it_is_tokenized(source: Source) -> None:
    huge = "word and " * 1_500_000  # 13 MB
    source.join([source.prepare("warm")])
    tracemalloc.start()
    batch = source.join([source.prepare(huge)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batch["input_ids"].tolist() == source.join([source.prepare(huge[:20_000])])["input_ids"].tolist()
    assert batch.counts[0].tolist() == [1, 0, source.module.max_seq_length]
    assert peak < 5_000_000
