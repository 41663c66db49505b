"""Run the code blocks of a documentation page and put what they print beneath them (an extension of Sphinx).

Blocks run in order, each page in an empty folder of its own with `demo/` and `reproductions/` in it:

    ```console            each line that starts with `$ ` runs; `headstart` runs in this process, which is quick
    ```python             runs in one namespace per page

A block that fails, or warns, fails the build. A comment before a block changes what happens to it:

    <!-- not run: REASON -->   shown as it is; it needs something that a test machine lacks
    <!-- hidden -->            runs, but neither it nor its output is shown
    <!-- first 9 lines -->     the output is cut there

Pictures and HTML pages that a page's blocks leave in their folder are moved to `docs/_made/PAGE/`; the page names them
`made:NAME`, as in `![A map](made:map.svg)`.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"(?:^<!-- (?P<comment>not run: [^>]+|hidden|first (?P<lines>\d+) lines) -->\n+)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$\n?",
    re.M | re.S,
)
WIDTH = 90  # columns of output
MADE = (".png", ".svg", ".html")


class BlockError(Exception):
    """A block of a page failed, or cannot be run and does not say why."""


def run_blocks(text: str, page: str, folder: Path) -> str:
    """The page with the output of its blocks, which run in `folder`.

    Raises:
        BlockError: A block fails, or is of a language that is not run and has no comment.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    with _inside(folder):
        return BLOCK.sub(lambda found: _replace(found, f"{page}, block {found['text'].strip()!r}", names), text)


def _replace(found: re.Match[str], where: str, names: dict[str, Any]) -> str:
    """One block and its output, as Markdown."""
    comment, language, text = found["comment"] or "", found["language"], found["text"]
    if comment.startswith("not run") or language == "text":
        return found[0].partition("-->\n")[2].lstrip("\n") if comment else found[0]
    if language == "console":
        made = _fence(language, "".join(_console(text, where, found["lines"])))
    elif language == "python":
        output = _cut(_python(text, where, names), found["lines"])
        made = _fence(language, text) + (f"\n{_fence('text', output)}" if output else "")
    else:
        raise BlockError(f"{where}: write ```console or ```python, or `<!-- not run: REASON -->` before it.")
    return "" if comment == "hidden" else made


def _console(text: str, where: str, lines: str | None) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            yield line + "\n"
            yield _cut(_command(shlex.split(line[2:]), line[2:], where), lines)


def _command(words: list[str], line: str, where: str) -> str:
    """What a command prints; `headstart` is called, anything else is left to the shell."""
    if words[0] != "headstart":
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        code, out, errors = done.returncode, done.stdout, done.stderr
    else:
        code, out, errors = _headstart(words[1:])
    if code:
        raise BlockError(f"{where}: `{line}` left with {code}.\n{out}{errors}")
    return out


def _headstart(words: list[str]) -> tuple[int, str, str]:
    import typer.main

    from headstart.cli import app

    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            typer.main.get_command(app)(words, prog_name="headstart")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return code, out.getvalue(), errors.getvalue()


def _python(text: str, where: str, names: dict[str, Any]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(text, where, "exec"), names)
        except Exception as error:
            raise BlockError(f"{where}: {type(error).__name__}: {error}") from error
    return out.getvalue()


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def _cut(output: str, lines: str | None) -> str:
    kept = [line.rstrip() for line in output.strip("\n").splitlines()]
    if lines is not None and len(kept) > int(lines):
        kept = [*kept[: int(lines)], "..."]
    return "".join(line + "\n" for line in kept)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """With `folder`, made anew, as the working directory, and every warning an error."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for shared in ("demo", "reproductions"):
        (folder / shared).symlink_to(ROOT / shared)
    surroundings = dict(os.environ)
    os.environ.update(
        HEADSTART_CACHE=str(folder.parent / "cache"),
        COLUMNS=str(WIDTH),
        HF_HUB_OFFLINE="1",
        MPLBACKEND="Agg",
        MATPLOTLIBRC=str(ROOT / "docs"),
    )
    try:
        with contextlib.chdir(folder), warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")  # the next page draws on an empty figure
        os.environ.clear()
        os.environ.update(surroundings)


def _read(app: Any, page: str, source: list[str]) -> None:
    """Sphinx has read a page: run it where it has blocks. A failure is a warning, so that all are seen."""
    from sphinx.util.logging import getLogger

    if not any(found["language"] in ("console", "python") for found in BLOCK.finditer(source[0])):
        return
    folder = ROOT / "build" / "docs-run" / page.replace("/", "-")
    up = "../" * page.count("/")
    try:
        text = run_blocks(source[0], page, folder)
    except BlockError as error:
        getLogger(__name__).warning(str(error), location=page)
        return
    text = re.sub(r"made:([\w-]+\.html)", rf"{up}{folder.name}/\1", text)
    source[0] = text.replace("made:", f"/_made/{folder.name}/")
    made = Path(app.srcdir) / "_made" / folder.name
    shutil.rmtree(made, ignore_errors=True)
    for path in sorted(folder.iterdir()):
        if path.suffix in MADE:
            made.mkdir(parents=True, exist_ok=True)
            shutil.move(path, made / path.name)


def setup(app: Any) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": False}
