"""Exit 70 is for bugs: every command is fed the mistakes that people make, and says in one sentence what is wrong."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer.main
from tests.cli.conftest import Run
from tests.ranking.toys import folder_of_classes
from typer.testing import Result

from headstart.cli import app
from headstart.transfers import transfer

TINY = "zoo/tiny_digits"
DEEP = "[" * 100_000
RECORDS = ("ranking.json", "outcome.json", "model.json")


def places(root: Path) -> Iterator[tuple[str, Path | str]]:
    """Each mistake with its name: paths that are no data set, no ranking and no run."""
    made = {name: root / name for name in ("empty folder", "folder.csv", "folder.npz")}
    for place in made.values():
        place.mkdir()
    contents: dict[str, bytes] = {
        "empty.csv": b"",
        "empty.json": b"",
        "binary.csv": bytes(range(256)) * 20,
        "no_label.csv": b"text,stars\ngood,\nbad,\n",
        "nul.csv": b"text,label\n\0,1\n",
        "one_column.csv": b"a\nb\n",
        "junk.npz": b"PK\x03\x04 not an archive",
        "junk.parquet": b"PAR1 junk PAR1",
        "junk.zip": b"PK\x03\x04" + b"\0" * 50,
        "junk.json": b'{"rows": [',
        "junk.png": b"\x89PNG\r\n\x1a\n",
        "list.json": b"[1, 2, 3]",
        "deep.json": DEEP.encode(),
        "latin.json": '{"é": 1}'.encode("latin-1"),
        "unknown.foo": b"?",
        "idx3-ubyte": b"\0\0\x08\x03\xff\xff\xff\xff",
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
        made[name] = root / name
    np.savez(root / "objects.npz", labels=np.array([{}, None], dtype=object), allow_pickle=True)
    np.savez(root / "one_row.npz", labels=np.array([0]), features=np.ones((1, 3)))
    with zipfile.ZipFile(root / "bomb.zip", "w") as archive:
        archive.writestr("../../escape/a.png", b"x")
        archive.writestr("b/b.png", b"x")
    (root / "itself").symlink_to(root / "itself")
    (root / "dangling").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe")
    for name in ("objects.npz", "one_row.npz", "bomb.zip", "itself", "dangling", "pipe"):
        made[name] = root / name
    for record in RECORDS:
        for kind, text in (("cut", '{"format": 1, "rows'), ("typed", '{"rows": 3, "metrics": "x", "format": "y"}')):
            place = root / f"{kind} {record}"
            place.mkdir()
            (place / record).write_text(text)
            made[place.name] = place
        (root / f"folder {record}" / record).mkdir(parents=True)
        made[f"folder {record}"] = root / f"folder {record}"
    yield from made.items()
    yield from {"missing": root / "nowhere", "long": "x" * 5000, "nothing": "", "dash": "-", "home": "~nobody"}.items()
    yield "not utf-8", os.fsdecode(bytes(root) + b"/caf\xe9")
    yield "device", "/dev/null"


GROUP = typer.main.get_command(app)
COMMANDS = GROUP.list_commands(None)  # those of other packages too
NAMING = ("rank", "run", "few-shot", "zero-shot", "cluster", "adapt")  # commands with `--models`
OPTIONS = {
    "rank": [
        *("--models zoo/tiny_digit", "--models hf/https://x/y", "--models st//abs/path", "--models local-dir:DATA/red"),
        *("--models x/y/z", "--models [", "--models local-dir:", "--scores lepe", "--scores ,", "--sort nope"),
        *("--search fast", "--time-budget soon", "--time-budget -1", "--limit 0", "--limit many", "--seed -1"),
        *("--device gpu0", "--device mps:9", "--batch-size 0", "--workers 0", "--split nope", "--task guess"),
        *(
            "--label-column x",
            "--max-bad nan",
            "--out DATA/red/001.png",
            "--report DATA",
            "--json DATA",
            "--csv /dev/full",
        ),
        *("--out /dev/null/x", "--cache DATA/red/001.png --no-cache", "--nonsense", "--report /dev/full"),
    ],
    "transfer": [
        *(
            "--method nope",
            "--method ,",
            "--rate nan",
            "--rate -1",
            "--epochs 0",
            "--epochs x",
            "--seeds 0",
            "--limit 1",
        ),
        *(
            "--from RECORDS",
            "--test nowhere",
            "--via nowhere",
            "--source-data nowhere",
            "--via-method head",
            "--margin -1",
        ),
        *("--device tpu", "--out DATA/red/001.png", "--json DATA", "--epochs 3 --method head", "--split nope"),
    ],
    "benchmark": [
        *("--scores lepe", "--scores ,", "--results nowhere", "--results DATA", "--weights mine", "--level 2"),
        *("--level nan", "--json DATA", "--markdown DATA/x/y", "--json - --markdown -"),
    ],
    "run": [
        *("--models x/y/z", "--models zoo/tiny_digit", "--budget soon", "--budget -1", "--metric nope", "--limit 1"),
        *("--test nowhere", "--json DATA", "--split nope", "--max-bad nan", "--device tpu"),
    ],
    "few-shot": [
        *("--models x/y/z", "--ways 1", "--ways 99", "--ways x", "--shots 0", "--shots ,", "--episodes 0"),
        *("--queries 0", "--method nope", "--limit 1", "--json DATA", "--csv DATA", "--out DATA/red/001.png"),
    ],
    "zero-shot": [
        *("--models zoo/tiny_digits", "--models x/y/z", "--class-names nowhere", "--class-names DATA", "--json DATA"),
        *("--templates nope", "--templates ,", "--limit 0", "--csv DATA", "--batch-size 0"),
    ],
    "cluster": [
        *("--models x/y/z", "--k 1", "--k 99", "--k x", "--algorithm nope", "--select nope", "--map nope"),
        *("--limit 1", "--report DATA", "--json DATA", "--csv DATA", "--out DATA/red/001.png"),
    ],
    "adapt": [
        *("--method nope", "--method ,", "--select nope", "--seeds 0", "--rate nan", "--penalty -1", "--test nowhere"),
        *("--limit 1", "--layer nope", "--workers 0", "--margin -1", "--json DATA", "--out DATA/red/001.png"),
    ],
    "evaluate": ["--metric nope", "--margin -1", "--margin x", "--level 2", "--json DATA", "--report DATA", "nowhere"],
    "predict": [
        *("--out DATA", "--out /dev/full", "--json DATA", "--batch-size 0", "--split nope", "--white-level 0"),
        *("--text-column x", "--root nowhere", "nowhere"),
    ],
    "report": ["--out DATA", "--out /dev/full", "--out /dev/null/x", "nowhere"],
    "export": ["--onnx DATA", "--weights DATA", "--out DATA/red/001.png", "--onnx /dev/null/x --overwrite", "--nope"],
    "push": ["nobody", "a/b/c", "'' --dry-run", "a/b --dry-run --private --nope", "../x/y --dry-run"],
    "cache": [
        "--cache nowhere",
        "--cache DATA/red/001.png",
        "--max-size big",
        "--max-size -1",
        "--move DATA/red/001.png",
    ],
    "models": ["[", "hf/https://x", "timm/[!", "st/x"],
    "scores": ["lepe", "--x"],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path | str]:
    """The mistakes, some good pictures under "photos", and what was learnt of them under "run"."""
    root = tmp_path_factory.mktemp("world")
    photos = folder_of_classes(root / "photos", 12)
    transfer(photos, TINY, method="head", cache=False, out=root / "run")
    return dict(places(root)) | {"photos": photos, "run": root / "run"}


def check(result: Result, what: str, *, codes: tuple[int, ...] = (1, 2, 3)) -> None:
    """A mistake ends with its own exit code and a sentence, never as a bug and never with a traceback."""
    assert result.exit_code in codes, f"{what}: {result.exit_code}\n{result.output[-600:]}"
    assert "Traceback" not in result.output, what
    assert result.output.strip(), what
    result.output.encode()  # a name that is not UTF-8 is shown escaped


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("models", "scores", "reproduce")])
def test_no_argument_that_is_a_mistake_is_called_a_bug(
    run: Run, world: dict[str, Path | str], command: str, tmp_path: Path
) -> None:
    made = GROUP.get_command(None, command)
    flags = {flag for one in made.params for flag in one.opts}
    count = sum(one.param_type_name == "argument" for one in made.params)
    needed = {"--model": TINY, "--models": TINY, "--onnx": tmp_path / "x.onnx"}
    words = [word for flag, value in needed.items() if flag in flags for word in (flag, value)]
    for name, place in world.items() if count else ():
        if name not in ("photos", "run"):
            check(run(command, *[place] * count, *words), f"{command} {name}")


@pytest.mark.parametrize("command", OPTIONS)
def test_no_option_that_is_a_mistake_is_called_a_bug(run: Run, world: dict[str, Path | str], command: str) -> None:
    data = world["photos"]
    for words in OPTIONS[command]:
        given = [
            word.replace("DATA", str(data)).replace("RECORDS", str(world["cut ranking.json"])) for word in words.split()
        ]
        pair = "zoo/tiny_clip" if command == "zero-shot" else TINY
        models = ["--models", pair] * ("--models" not in words and command in NAMING)
        needed = {
            "rank": [data, "--scores", "leep"],
            "transfer": [data, "--model", TINY],
            "adapt": [data, data],
            "benchmark": [] if "--scores" in words else ["--scores", "leep"],
            "predict": [world["run"], data],
            **{key: [world["run"]] for key in ("evaluate", "report", "export", "push")},
        }
        given = [*needed.get(command, [data] * (command in NAMING)), *models, *given]
        check(run(command, *given), f"{command} {words}", codes=(0, 1, 2, 3))  # 0: of no effect here


def test_a_name_that_is_not_utf_8_is_escaped_everywhere(run: Run, tmp_path: Path) -> None:
    photos = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder_of_classes(photos, 12)
    (photos / "red").rename(photos / os.fsdecode(b"r\xe9d"))
    out = tmp_path / "run"
    done = run(
        "rank", photos, "--models", TINY, "--scores", "leep", "--out", out, "--report", out / "r.html", "--csv", "-"
    )
    assert done.exit_code == 0, done.output
    assert "caf\\xe9" in (out / "ranking.json").read_text().replace("\\\\", "\\")
    assert run("report", out).exit_code == 0
