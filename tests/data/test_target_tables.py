"""CSV, TSV, Parquet and data frames: columns named or guessed, splits honoured, nothing read wrongly in silence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest

from headstart.data import Target, open_target
from headstart.errors import ExampleError, TargetError

Write = Callable[..., Path]

REVIEWS = "text,label\nvery good film,pos\nbad,neg\nnot my cup of tea,neg\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str | bytes, name: str = "reviews.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def named_labels(target: Target) -> list[str]:
    return [target.classes[code] for code in target.labels]


def texts(target: Target) -> list[object]:
    return [target.examples.load(index) for index in range(len(target))]


def test_columns_are_guessed_and_the_guess_is_said(write: Write) -> None:
    target = open_target(write(REVIEWS))
    assert (target.name, target.kind, target.task) == ("reviews", "text", "classification")
    assert named_labels(target) == ["pos", "neg", "neg"]
    assert texts(target) == ["very good film", "bad", "not my cup of tea"]
    assert target.ids == ("row 1", "row 2", "row 3")
    assert target.notes[0] == "columns guessed: `text` is the text, `label` is the label (of `text`, `label`)"


def test_named_columns_are_taken_and_nothing_is_said_to_be_guessed(write: Write) -> None:
    path = write("a,b,text,label\nx,1,one,p\ny,2,two,q\n")
    target = open_target(path, text_column="a", label_column="b")
    assert (texts(target), named_labels(target), target.notes) == (["x", "y"], ["1", "2"], (
        "2 classes have a single example each (`1`, `2`): too few both to train and to validate on",
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("header", "example", "label"),
    [
        ("Sentence,Sentiment", "Sentence", "Sentiment"),
        ("id,review,stars", "review", "stars"),
        ("label,words", "words", "label"),
        ("text,whatever", "text", "whatever"),
        ("stars,text,label", "text", "label"),
    ],
)
def test_usual_names_are_recognised(write: Write, header: str, example: str, label: str) -> None:
    columns = header.split(",")
    rows = "\n".join(",".join(f"{name}{row}" for name in columns) for row in (1, 2))
    target = open_target(write(f"{header}\n{rows}\n"))
    assert texts(target)[0] == f"{example}1"
    assert named_labels(target) == [f"{label}1", f"{label}2"]


def test_the_column_of_sentences_is_told_from_columns_of_words(write: Write) -> None:
    path = write(
        "city,saying,label\nRome,the quick brown fox jumps over it,a\nBonn,and the lazy dog lay still there,b\n"
    )
    assert texts(open_target(path))[0] == "the quick brown fox jumps over it"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "a,b,c\n1,2,3\n4,5,6\n",
            {},
            r"which column holds the examples\? It has `a`, `b`, `c`; name one with `image_column`",
        ),
        (
            "text,b,c\n1,2,3\n4,5,6\n",
            {},
            r"which column is the label\? It has `text`, `b`, `c`; name one with `label_column`",
        ),
        (REVIEWS, {"label_column": "lable"}, r"has no column `lable`; it has `text`, `label`. Did you mean `label`\?"),
        (REVIEWS, {"text_column": "txt"}, r"has no column `txt`; .* Did you mean `text`\?"),
        (REVIEWS, {"text_column": "text", "image_column": "text"}, "either `text_column` or `image_column`, not both"),
        (REVIEWS, {"split": "train"}, r"has no splits, so `split='train'` has no effect"),
        (
            "text,label\na,x\nb,\nc, \n",
            {},
            r"column `label` of .*: 2 of 3 examples have no label \(first: row 2\); give them",
        ),
        ("text,label\na,x\nb,x\n", {}, r"all 2 examples are of the one class `x`"),
        ("text,label\na,x\nb\n", {}, r"row 2 below the header has 1 fields, but the header has 2"),
        ("text,label\na,x,y\nb,z\n", {}, r"row 1 below the header has 3 fields, but the header has 2"),
        (
            'text,label\n"a "quoted" word",x\nb,y\n',
            {},
            r"is not a well-formed CSV file: .*quote inside a quoted field twice",
        ),
        ("text,text\na,b\n", {}, r"several columns named `text`; give each its own name"),
        ("text,label\n", {}, r"has no rows below its header"),
        ("", {}, r"is empty; expected a header and rows"),
    ],
)
def test_tables_that_cannot_be_used_end_in_a_sentence(
    write: Write, text: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        open_target(write(text), **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_latin_1_is_an_error_that_says_what_to_run_and_running_it_helps(write: Write) -> None:
    text = "text,label\nein Käse,x\nein Brot,y\n"
    path = write(text.encode("latin-1"))
    with pytest.raises(
        TargetError, match=r"not UTF-8: line 2 holds the byte 0xe4, which is 'ä' in Latin-1; .* `iconv -f"
    ):
        open_target(path)
    path.write_bytes(path.read_bytes().decode("latin-1").encode())
    assert texts(open_target(path)) == ["ein Käse", "ein Brot"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_with_and_without_its_mark_is_read(write: Write, encoding: str) -> None:
    target = open_target(write("text,label\nein Käse,x\nein Brot,y\n".encode(encoding)))
    assert texts(target) == ["ein Käse", "ein Brot"]


def test_fields_are_kept_as_they_are(write: Write) -> None:
    path = write('text,label\n"a, b\nc ""d""",NA\nNone,null\n1e3,01\n  spaced  ,NA\n')
    target = open_target(path)
    assert texts(target) == ['a, b\nc "d"', "None", "1e3", "  spaced  "]
    assert named_labels(target) == ["NA", "null", "01", "NA"]  # missing to some readers, labels to us


def test_a_text_longer_than_the_limit_of_the_csv_module_is_read_and_the_limit_stays(write: Write) -> None:
    import csv

    before = csv.field_size_limit()
    target = open_target(write(f"text,label\n{'x' * 200_000},a\ny,b\n"))
    assert len(str(texts(target)[0])) == 200_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("blank", ["", " \t"])
def test_an_empty_text_is_a_bad_row(write: Write, blank: str) -> None:
    target = open_target(write(f'text,label\ngood,a\n"{blank}",b\nbad,b\n'))
    assert (target.kind, target.ids[1]) == ("text", "row 2")
    for call in (target.examples.load, target.examples.digest):
        with pytest.raises(ExampleError, match="there is no text in this row"):
            call(1)


def test_other_delimiters_are_seen_and_said(write: Write) -> None:
    target = open_target(write("text;label\na, b;x\nc;y\n"))
    assert texts(target) == ["a, b", "c"]
    assert "reviews.csv is split at semicolons" in target.notes


def test_quotes_that_quote_nothing_in_a_tsv_swallow_no_rows(write: Write) -> None:
    target = open_target(write('text\tlabel\n"Quiet\tx\nhe said "no"\ty\n"all\tx\n', "reviews.tsv"))
    assert texts(target) == ['"Quiet', 'he said "no"', '"all']
    assert any("quotes in reviews.tsv are taken as plain characters" in note for note in target.notes)
    paired = open_target(write('text\tlabel\n"Quiet\tx\nthey said loud"\ty\nno\tx\n', "paired.tsv"))
    assert texts(paired) == ['"Quiet', 'they said loud"', "no"]  # well-formed if quotes quoted, but then rows are lost
    quoted = open_target(write('text\tlabel\n"a\tb"\tx\nc\ty\n', "quoted.tsv"))
    assert texts(quoted) == ["a\tb", "c"]


SPLIT = "text,label,split\na,x,train\nb,y,train\nc,x,test\nd,y,dev\ne,z,test\n"


def test_only_the_training_rows_are_scored(write: Write) -> None:
    target = open_target(write(SPLIT))
    assert (texts(target), target.split, target.classes) == (["a", "b"], "train", ("x", "y"))
    assert any(
        "only the split `train` (2 examples) is used; set aside: `test` (2), `dev` (1)" in n for n in target.notes
    )
    assert target.ids == ("row 1", "row 2")


def test_another_split_is_scored_when_named(write: Write) -> None:
    target = open_target(write(SPLIT), split="test")
    assert (texts(target), target.ids) == (["c", "e"], ("row 3", "row 5"))


def test_a_split_column_with_unknown_names_is_never_merged(write: Write) -> None:
    path = write("text,label,split\na,x,one\nb,y,one\nc,x,two\nd,y,two\n")
    with pytest.raises(TargetError, match=r"no training split among `one`, `two`; choose one with `split=`"):
        open_target(path)
    assert texts(open_target(path, split="two")) == ["c", "d"]


def test_a_column_named_set_that_holds_no_splits_is_ordinary(write: Write) -> None:
    assert len(open_target(write("text,label,set\na,x,chess\nb,y,tennis\n"))) == 2


def test_labels_without_a_name_in_the_unscored_split_do_no_harm(write: Write) -> None:
    assert len(open_target(write("text,label,split\na,x,train\nb,y,train\nc,,test\n"))) == 2


def test_numbers_with_a_fraction_are_regression_and_it_is_said(write: Write) -> None:
    path = write("text,label\na,1.5\nb,2\nc,-3e1\n")
    target = open_target(path)
    assert (target.task, target.labels.tolist(), target.classes) == ("regression", [1.5, 2.0, -30.0], ())
    assert any("read as regression" in note for note in target.notes)
    assert open_target(path, task="classification").classes == ("-3e1", "1.5", "2")
    whole = open_target(write("text,stars\na,5\nb,1\nc,5\n"))
    assert (whole.task, whole.classes) == ("classification", ("1", "5"))
    asked = open_target(write("text,stars\na,5\nb,1\nc,5\n"), task="regression")
    assert (asked.task, asked.labels.tolist()) == ("regression", [5.0, 1.0, 5.0])


def test_regression_on_words_names_the_row(write: Write) -> None:
    with pytest.raises(TargetError, match=r"regression needs finite numbers; row 2 has 'many'; correct it or leave it"):
        open_target(write("text,label\na,1\nb,many\n"), task="regression")


@pytest.mark.parametrize("cells", [["1,5", "2", "3,25"], ["10%", "20 %", "5%"], ["1,000", "1,234,567.5", "500"]])
def test_amounts_in_another_notation_are_classes_under_protest(write: Write, cells: list[str]) -> None:
    path = write("text;label\n" + "".join(f"text;{cell}\n" for cell in cells))
    target = open_target(path)
    assert len(target.classes) == 3
    assert any(
        f"such as `{cells[0]}`, read as class names; if they are amounts, write 1.5 for 1,5" in note
        for note in target.notes
    )
    assert not any("amounts" in note for note in open_target(path, task="classification").notes)
    with pytest.raises(TargetError, match=rf"row 1 has '{cells[0]}'; write 1.5 for 1,5, 1000 for 1,000 and 10 for 10%"):
        open_target(path, task="regression")


@pytest.mark.parametrize("mark", ["|", ";"])
def test_labels_that_hold_separators_are_classes_under_protest(write: Write, mark: str) -> None:
    target = open_target(write(f"text,label\na,sun{mark}sea\nb,sea\nc,sun\n"))
    assert any(f"`sun{mark}sea`, each read as one class; if `{mark}` separates" in note for note in target.notes)


def test_classes_that_are_equal_as_numbers_are_said(write: Write) -> None:
    target = open_target(write("text,label\na,1\nb,1.0\nc,x\n"))
    assert target.classes == ("1", "1.0", "x")
    assert "classes that are equal as numbers stay separate: `1` and `1.0`" in target.notes


@pytest.mark.parametrize("cells", [["a,b", "c, d"], ["1", "2"], ["100% wool", "silk"], ["sun|sea", "p", "q", "r", "s"]])
def test_plain_names_of_classes_are_not_doubted(write: Write, cells: list[str]) -> None:
    target = open_target(write("text\tlabel\n" + "".join(f"text\t{cell}\n" for cell in cells * 2), "plain.tsv"))
    assert not any("read as" in note or "equal" in note for note in target.notes)


def test_several_labels_in_one_column(write: Write) -> None:
    path = write("text,label\na,sun|sea\nb,sea\nc,\n")
    target = open_target(path, task="multi-label")
    assert (target.task, target.classes, target.labels.tolist()) == (
        "multi-label",
        ("sea", "sun"),
        [[1, 1], [1, 0], [0, 0]],
    )
    assert any("split at `|`" in note for note in target.notes)
    with pytest.raises(TargetError, match=r"no example has several labels; put one of \| ; , between them"):
        open_target(write(REVIEWS), task="multi-label")


@pytest.mark.parametrize("columns", [["sun", "sea"], "sun,sea"])
def test_several_columns_of_0_and_1_are_several_labels(write: Write, columns: str | list[str]) -> None:
    target = open_target(write("text,sun,sea\na,1,1\nb,0,1\nc,0,0\n"), label_column=columns)
    assert (target.task, target.classes, target.labels.tolist()) == (
        "multi-label",
        ("sun", "sea"),
        [[1, 1], [0, 1], [0, 0]],
    )


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_among_amounts_is_named_and_makes_them_no_classes(write: Write, cell: str) -> None:
    with pytest.raises(TargetError, match=rf"column `stars` of .*: regression needs .*; row 2 has '{cell}'"):
        open_target(write(f"text,stars\na,1.5\nb,{cell}\nc,2\n"))
    assert open_target(write("text,bound\na,inf\nb,sup\nc,inf\n")).classes == ("inf", "sup")


def test_several_columns_of_amounts_are_regression(write: Write) -> None:
    target = open_target(write("text,x,y\na,1.5,1\nb,0,2\n"), label_column=["x", "y"], task="regression")
    assert (target.task, target.labels.tolist()) == ("regression", [[1.5, 1.0], [0.0, 2.0]])


def test_several_columns_of_words_are_an_error(write: Write) -> None:
    with pytest.raises(TargetError, match=r"columns `x`, `y` of .* must hold numbers \(0 or 1 for several labels\)"):
        open_target(write("text,x,y\na,p,1\nb,q,2\n"), label_column=["x", "y"])


def test_image_paths_are_relative_to_the_table(folder: Callable, tmp_path: Path) -> None:
    root = folder(["a/1.png", "b/2.png"])
    (root / "index.csv").write_text("path,label\na/1.png,cat\nb/2.png,dog\n")
    target = open_target(root / "index.csv")
    assert (target.kind, target.ids, named_labels(target)) == ("image", ("a/1.png", "b/2.png"), ["cat", "dog"])
    assert target.examples.load(1).mode == "RGB"  # type: ignore[attr-defined]
    (root / "twice.csv").write_text("path,label\na/1.png,cat\na/1.png,dog\n")
    twice = open_target(root / "twice.csv")
    assert twice.ids == ("row 1", "row 2")  # ids stay unique
    assert twice.examples.digest(0) == twice.examples.digest(1)


def test_missing_files_are_counted_and_the_first_is_named(folder: Callable) -> None:
    root = folder(["a/1.png"])
    (root / "index.csv").write_text("image,label\na/1.png,cat\nb/2.png,dog\nc/3.png,dog\n")
    with pytest.raises(
        TargetError, match=r"2 of 3 files in column `image` .* do not exist \(first: 'b/2.png' in row 2\)"
    ):
        open_target(root / "index.csv")
    (root / "web.csv").write_text("image,label\nhttps://x.org/1.png,cat\nhttps://x.org/2.png,dog\n")
    with pytest.raises(TargetError, match="download the images first"):
        open_target(root / "web.csv")


@pytest.mark.parametrize(("cell", "name"), [("", "row 2"), ("b/2.pngx", "b/2.pngx")])
def test_a_cell_without_an_image_is_a_bad_row_of_a_column_of_images(folder: Callable, cell: str, name: str) -> None:
    root = folder(["a/1.png", "a/3.png", "b/4.png"])
    (root / "index.csv").write_text(f'image,label\na/1.png,a\n"{cell}",b\na/3.png,a\nb/4.png,b\n')
    target = open_target(root / "index.csv")
    assert (target.kind, target.ids) == ("image", ("a/1.png", name, "a/3.png", "b/4.png"))
    for call in (target.examples.load, target.examples.digest):
        with pytest.raises(ExampleError, match="there is no image in this row" if not cell else "No such file"):
            call(1)
    assert target.examples.digest(2)


def test_a_column_with_images_in_half_of_its_cells_is_a_column_of_texts(folder: Callable) -> None:
    root = folder(["a/1.png"])
    (root / "index.csv").write_text("thing,label\na/1.png,a\n,b\nhow it looks,a\n")
    assert open_target(root / "index.csv").kind == "text"


def test_text_beside_images_is_read_when_named(folder: Callable) -> None:
    root = folder(["a/1.png", "b/2.png"])
    (root / "index.csv").write_text("path,caption,label\na/1.png,one,cat\nb/2.png,two,dog\n")
    assert open_target(root / "index.csv").kind == "image"
    assert texts(open_target(root / "index.csv", text_column="caption")) == ["one", "two"]


def write_parquet(path: Path, columns: dict[str, object], metadata: dict[bytes, bytes] | None = None) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns).replace_schema_metadata(metadata), path, row_group_size=2)
    return path


def pictures(folder: Callable) -> list[bytes]:
    root = folder(["1.png", "2.png", "3.png"])
    return [(root / f"{i}.png").read_bytes() for i in (1, 2, 3)]


def test_parquet_with_bytes_in_a_column(folder: Callable, tmp_path: Path) -> None:
    content = pictures(folder)
    split = pyarrow.array(["train", "test", "train"]).dictionary_encode()
    path = write_parquet(tmp_path / "t.parquet", {"image": content, "label": [1, 0, 0], "split": split})
    target = open_target(path)
    assert (target.kind, target.labels.tolist(), target.ids, target.split) == (
        "image",
        [1, 0],
        ("row 1", "row 3"),
        "train",
    )
    loose = open_target(([content[0], content[2]], ["b", "a"]))
    for index in (0, 1):
        assert target.examples.digest(index) == loose.examples.digest(index)
        assert target.examples.load(index).tobytes() == loose.examples.load(index).tobytes()  # type: ignore[attr-defined]


def test_parquet_as_hugging_face_writes_it(folder: Callable, tmp_path: Path) -> None:
    content = pictures(folder)
    images = [
        {"bytes": content[0], "path": None},
        {"bytes": None, "path": "photos/2.png"},
        {"bytes": None, "path": None},
    ]
    names = b'{"info": {"features": {"label": {"names": ["cat", "dog", "emu"], "_type": "ClassLabel"}}}}'
    path = write_parquet(tmp_path / "t.parquet", {"image": images, "label": [2, 0, 0]}, {b"huggingface": names})
    target = open_target(path)
    assert (target.classes, target.labels.tolist()) == (("cat", "emu"), [1, 0, 0])
    assert any("1 of 3 classes have no example and are left out" in note for note in target.notes)
    assert target.examples.digest(1) == open_target(([content[1], content[2]], ["a", "b"])).examples.digest(0)
    from headstart.errors import ExampleError

    with pytest.raises(ExampleError, match="there is no image in this row"):
        target.examples.load(2)


def test_parquet_with_texts_floats_and_lists(tmp_path: Path) -> None:
    columns = {"text": ["a", "b"], "label": [0.5, 1.0], "tags": [["x", "y"], ["y"]], "code": [3, 7]}
    path = write_parquet(tmp_path / "t.parquet", columns)
    assert open_target(path).task == "regression"
    assert open_target(path, label_column="code").classes == ("3", "7")
    tagged = open_target(path, label_column="tags")
    assert (tagged.task, tagged.classes, tagged.labels.tolist()) == ("multi-label", ("x", "y"), [[1, 1], [0, 1]])


@pytest.mark.parametrize("values", [[1, None], [0.5, None], ["a", None], [["x"], None]])
def test_missing_labels_in_parquet_are_an_error(tmp_path: Path, values: list[object]) -> None:
    path = write_parquet(tmp_path / "t.parquet", {"text": ["a", "b"], "label": values})
    with pytest.raises(TargetError, match=r"1 of 2 examples have no label \(first: row 2\)"):
        open_target(path)


def test_parquet_cut_short_is_an_error(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "t.parquet", {"text": ["a", "b"], "label": [1, 2]})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TargetError, match=r"cannot read .*t\.parquet as Parquet"):
        open_target(path)


def test_a_folder_of_parquet_files_is_one_table_per_split(tmp_path: Path) -> None:
    data = tmp_path / "reviews/data"
    data.mkdir(parents=True)
    for name, rows in {"train-00000-of-00002": "ab", "train-00001-of-00002": "cd", "test-00000-of-00001": "ef"}.items():
        write_parquet(data / f"{name}.parquet", {"text": list(rows), "label": [0, 1]})
    target = open_target(tmp_path / "reviews")
    assert (texts(target), target.labels.tolist(), target.split) == (["a", "b", "c", "d"], [0, 1, 0, 1], "train")
    assert any("only the split `train` (4 examples) is used; set aside: `test` (2)" in note for note in target.notes)
    assert texts(open_target(tmp_path / "reviews", split="test")) == ["e", "f"]


def parquet_files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_parquet(folder / name, {"text": [f"{name} 1", f"{name} 2"], "label": [0, 1]})
    return folder


@pytest.mark.parametrize(
    ("train", "others"),
    [
        (["sst2_train.parquet"], ["sst2_test.parquet"]),
        (["my-data-train-0.parquet", "my-data-train-1.parquet"], ["my-data-dev.parquet"]),
        (["en/partial-train/0.parquet"], ["en/test/0.parquet"]),
        (["year=1/train-0.parquet", "year=2/train-0.parquet"], ["year=1/test-0.parquet"]),
        (["train/a/0.parquet", "train/b/0.parquet"], []),
        (["train-a.parquet", "train_test_split.parquet"], ["test-eval.parquet"]),
    ],
)
def test_the_split_is_found_in_the_names_of_parquet_files(tmp_path: Path, train: list[str], others: list[str]) -> None:
    target = open_target(parquet_files(tmp_path / "x", *train, *others))
    assert sorted(map(str, texts(target))) == [f"{name} {row}" for name in sorted(train) for row in (1, 2)]
    assert target.split is not None


@pytest.mark.parametrize(
    "names", [["my_test_part.parquet", "my_test_rest.parquet"], ["test_data/0.parquet"], ["a/0.parquet", "b/0.parquet"]]
)
def test_one_role_within_names_of_parquet_files_is_no_split(tmp_path: Path, names: list[str]) -> None:
    target = open_target(parquet_files(tmp_path / "x", *names))
    assert (len(target), target.split) == (2 * len(names), None)


@pytest.mark.parametrize(
    ("names", "owners"),
    [
        (["en/train-00000.parquet", "de/train-00000.parquet"], "`de`, `en`"),
        (["en/train-0-of-1.parquet", "train-0-of-2.parquet", "train-1-of-2.parquet"], "`x`, `en`"),
        (["en/train/0.parquet", "de/train/0.parquet", "de/train/1.parquet"], "`de`, `en`"),
        (["sst2_train.parquet", "mnli_train.parquet", "mnli_test.parquet"], "`mnli`, `sst2`"),
    ],
)
def test_configurations_of_parquet_files_are_not_merged(tmp_path: Path, names: list[str], owners: str) -> None:
    root = parquet_files(tmp_path / "x", *names)
    with pytest.raises(TargetError, match=rf"x holds the split `train` of 2 data sets: {owners}; pass the folder or"):
        open_target(root)
    if (root / "en").is_dir():
        assert open_target(root / "en").split == "train"


def test_a_column_of_numbers_called_split_is_never_merged(tmp_path: Path) -> None:
    columns = {"text": list("abcd"), "label": [0, 1, 0, 1], "split": [0, 0, 1, 1]}
    for spec in (write_parquet(tmp_path / "t.parquet", columns), pandas.DataFrame(columns)):
        with pytest.raises(TargetError, match=r"no training split among `0`, `1`; choose one with `split=`"):
            open_target(spec)
        assert texts(open_target(spec, split="1")) == ["c", "d"]


def test_class_folders_with_a_table_beside_them_are_still_class_folders(folder: Callable) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    write_parquet(root / "metadata.parquet", {"file_name": ["cat/1.png", "dog/1.png"], "label": ["x", "y"]})
    assert open_target(root).classes == ("cat", "dog")
    assert open_target(root / "metadata.parquet").classes == ("x", "y")


def test_without_pyarrow_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from headstart.errors import MissingExtra

    path = write_parquet(tmp_path / "t.parquet", {"text": ["a", "b"], "label": [1, 2]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[data\]'"):
        open_target(path)


def test_a_data_frame_and_a_mapping_are_tables() -> None:
    columns = {"text": ["a", "b", "c"], "label": ["x", "y", "x"], "split": ["train", "train", "test"]}
    for spec in (columns, pandas.DataFrame(columns)):
        target = open_target(spec)
        assert (texts(target), named_labels(target), target.split) == (["a", "b"], ["x", "y"], "train")
    numbers = open_target(pandas.DataFrame({"text": ["a", "b"], "label": np.array([0.5, 2.0])}))
    assert (numbers.task, numbers.labels.tolist()) == ("regression", [0.5, 2.0])
    with pytest.raises(TargetError, match=r"1 of 2 examples have no label \(first: row 2\)"):
        open_target(pandas.DataFrame({"text": ["a", "b"], "label": ["x", None]}))
