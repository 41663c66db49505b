"""`headstart reproduce`: the paper's table and figures, with the data and models that the user has."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from headstart.cli import VariadicCommand, Workers, check_places, guarded, named, on_stdout, present
from headstart.errors import InputError, require
from headstart.records import check_destination
from headstart.wording import listing

if TYPE_CHECKING:
    from headstart_paper.bench import Bench
    from headstart_paper.reproduce import Request
    from headstart_paper.results import Results

_scale = partial(named, panel="How much")
_given = partial(named, panel="Data and models")
_result = partial(named, panel="Result")
EPILOG = (
    "Examples:\n\n"
    "headstart reproduce list\n\n"
    "headstart reproduce table1 --models cifar10=resnet20.safetensors --out table1.jsonl\n\n"
    "headstart reproduce table1 --rows 'fashion-mnist/*/small/head' --tasks 20 --pool 200 --test-each 100\n\n"
    "headstart reproduce figure6 --models cifar10=resnet20.safetensors --out table1.jsonl --figures figures/\n\n"
    "headstart reproduce table1 --show --out table1.jsonl\n\n"
    "headstart reproduce benchmark --out benchmark/ --data cifar10=cifar10.parquet --workers 2\n\n"
    "headstart reproduce table1 --rescore --models cifar10=resnet20.safetensors --out table1.jsonl"
)
LIBRARIES = ("torch", "timm", "torchvision", "matplotlib", "filelock")  # checked before anything is computed
OF_THE_BENCHMARK = ("name", "data", "out", "workers")
OF_A_RUN = (
    *("tasks", "epochs", "pool", "each", "test_each", "seed", "seeds", "seeded", "episodes"),
    *("models", "data", "stand_in", "meta_data", "root", "cache", "device", "precision", "workers"),
)
OF_THE_TABLE = ("tasks", "each", "rows", "seeds", "seeded", "paper_only", "meta_data", "episodes")


def reproduce(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="table1, a figure, benchmark, or list to see all.")],
    tasks: Annotated[int, _scale(metavar="N", min=1, help="Tasks of each row; the paper has 200.")] = 200,
    epochs: Annotated[
        int | None, _scale(metavar="N", min=1, help="Train for at most N epochs; the paper has 20 to 100.")
    ] = None,
    pool: Annotated[int | None, _scale(metavar="N", min=1, help="Use N training examples of each class.")] = None,
    each: Annotated[int | None, _scale(metavar="N", min=1, help="Examples per class in a large task.")] = None,
    test_each: Annotated[int | None, _scale(metavar="N", min=1, help="Test on N examples of each class.")] = None,
    rows: Annotated[str, _scale(metavar="GLOB", help="Only these rows: TARGET/SOURCE/SETTING/METHOD.")] = "*",
    seed: Annotated[int, _scale(metavar="N", min=0, help="Seed of the tasks.")] = 0,
    seeds: Annotated[int, _scale(metavar="N", min=1, help="Seeds of the outcome; see `--seeded`.")] = 1,
    seeded: Annotated[int, _scale(metavar="N", min=0, help="Run this many tasks with all the seeds.")] = 20,
    episodes: Annotated[int, _scale(metavar="N", min=1, help="Tasks that CNAPs learns to adapt from.")] = 2000,
    paper_only: Annotated[bool, _scale("--paper-only", help="Leave out rows that are not in the paper.")] = False,
    models: Annotated[
        list[str] | None, _given("--models", "-m", metavar="[SLOT=]PATH...", help="imagenet=..., cifar10=...")
    ] = None,
    data: Annotated[list[str] | None, _given("--data", metavar="NAME=PATH...", help="Where data sets are.")] = None,
    stand_in: Annotated[
        list[str] | None,
        _given("--stand-in", metavar="TARGET=NAME", help="Use data set NAME in place of a target; tables say so."),
    ] = None,
    meta_data: Annotated[
        list[str] | None, _given("--meta-data", metavar="NAME...", help="Data sets that CNAPs learns to adapt from.")
    ] = None,
    root: Annotated[str, _given(metavar="DIR", help="Folder of torchvision's data sets.")] = "data",
    cache: Annotated[Path | None, _given(metavar="DIR", help="Where forward passes are kept.")] = None,
    device: Annotated[str, _given(metavar="NAME", help="auto, cpu, cuda or mps.")] = "cpu",
    precision: Annotated[
        Literal["fp32", "bf16"],
        _given(metavar="NAME", help="Of fine-tuning: fp32, or bf16, which some processors compute twice as fast."),
    ] = "fp32",
    workers: Workers = "1",
    out: Annotated[
        Path | None,
        _result(
            metavar="FILE",
            help="One row per task; the same command resumes. Default: reproduce.jsonl, or the folder benchmark.",
        ),
    ] = None,
    also: Annotated[
        list[Path] | None, _result("--with", metavar="FILE...", help="Show these results files too.")
    ] = None,
    show: Annotated[bool, _result("--show", help="Run nothing; show what the results hold.")] = False,
    rescore: Annotated[bool, _result("--rescore", help="Train nothing; add scores that finished rows lack.")] = False,
    figures: Annotated[Path, _result(metavar="DIR", help="Where figures are written.")] = Path("figures"),
    markdown: Annotated[Path | None, _result(metavar="FILE", help="Write the tables as Markdown; or -.")] = None,
) -> None:
    """Reproduce a table or figure of the LEEP paper. Every finished task is kept; the same command resumes."""
    from headstart_paper import reproduce as room
    from headstart_paper.data_sets import parse_places
    from headstart_paper.plan import Meta, Order, Scale

    room.check_name(name)
    if name == room.LIST:
        _list()
        return
    for library in LIBRARIES:
        if find_spec(library) is None:
            require(library, "`headstart reproduce`", "reproduce")
    if name == room.BENCHMARK:
        _make_benchmark(context, out or Path("benchmark"), data or [], workers)
        return
    request = room.Request(
        name=name,
        order=Order(tasks, seeds, seeded),
        scale=Scale(epochs, pool=pool, large_each=each, test_each=test_each, seed=seed, precision=precision),
        models=tuple(models or ()),
        data=tuple(data or ()),
        stand_ins=tuple(stand_in or ()),
        rows=rows,
        beyond=not paper_only,
        meta=Meta(tuple(meta_data), episodes) if meta_data else None,
        root=root,
    )
    _refuse_unused(context, request, show=show, rescore=rescore)
    out, also = out or Path("reproduce.jsonl"), also or []
    check_places(markdown=markdown)
    for place, folder in ((out, False), (figures, True)):
        check_destination(place, folder=folder)
    if markdown is not None and not request.has_table:
        raise InputError(f"`--markdown` writes tables, and {name} is a drawing alone. Leave it out.")
    room.open_results([out, *also] if show or out.exists() else also)  # before hours of training, not after
    if not show:
        from headstart.extract import pick_device
        from headstart_paper.bench import Bench

        places = tuple(parse_places(request.data).items())
        bench = Bench(request.scale, places, root, None if cache is None else str(cache), str(pick_device(device)))
        (_rescore if rescore else _run)(request, out, workers, bench)
    _show(request, [out, *also], figures, markdown, everything=not show)


def _refuse_unused(context: typer.Context, request: "Request", *, show: bool, rescore: bool) -> None:
    from headstart_paper import reproduce as room

    name = request.name
    if show and rescore:
        raise InputError("`--show` computes nothing and `--rescore` computes scores. Give one of them.")
    if show:
        refuse_given(context, OF_A_RUN, "`--show`", "runs nothing")
        if request.figure is not None:
            refuse_given(context, ("rows", "paper_only"), f"`{name} --show`", "draws all its rows")
    elif request.is_selection:
        refuse_given(context, OF_THE_TABLE, name, "has every source on every target")
    elif name == "figure3":
        refuse_given(context, ("epochs", "each", "seeds", "seeded"), name, "trains on none of its tasks")
    if not room.trains_networks(request):
        refuse_given(context, ("precision",), "these rows", "is that of fine-tuning, and they are heads")
    if request.meta is None:
        refuse_given(context, ("episodes",), "a run without `--meta-data`", "learns from no episodes")


def refuse_given(context: typer.Context, names: Collection[str], where: str, why: str) -> None:
    """Raises InputError where one of these parameters was typed: it has no effect there, and `why` not."""
    typed = [
        f"`{parameter.opts[0]}`"
        for parameter in context.command.params
        if parameter.name in names
        and (source := context.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if typed:
        verb, them = ("has", "it") if len(typed) == 1 else ("have", "them")
        raise InputError(f"{listing(typed)} {verb} no effect with {where}: it {why}. Leave {them} out.")


def _run(request: "Request", out: Path, workers: str, bench: "Bench") -> None:
    from headstart.wording import plural
    from headstart_paper import reproduce as room
    from headstart_paper.results import Results
    from headstart_paper.run import run, settings_of

    setup = room.prepare(request, _tell)
    for reason in setup.missing:
        _tell(f"not run: {reason}")
    if not setup.pieces:
        raise InputError("nothing can be run with the data and the models given; the lines above say why.")
    results = Results(out, settings_of(request.scale))
    for note in results.notes:
        _tell(note)
    done = run(setup.pieces, bench, results, workers=workers, announce=_tell)
    _tell(f"{plural(done, 'task')} done now, {len(results.rows)} in {out}")
    _tell_lacking(results, "the same command with `--rescore` adds it without training")


def _rescore(request: "Request", out: Path, workers: str, bench: "Bench") -> None:
    from headstart_paper import reproduce as room
    from headstart_paper.rescore import rescore, unscored
    from headstart_paper.results import Results
    from headstart_paper.table import scale_of

    (stored,) = room.open_results([out])  # a file that does not exist is refused, not created
    scale = scale_of(stored)  # the file's own, whatever this version's defaults are
    request, bench = replace(request, scale=scale), replace(bench, scale=scale)
    results = Results(out, stored.settings)
    setup = room.prepare(request, _tell)
    there = {str(row.get("row")) for row in results.rows}
    for reason in setup.missing:
        if reason.partition(":")[0] in there:
            _tell(f"not rescored: {reason}")
    count = rescore(unscored(setup.pieces, results, bench), bench, results, workers=workers, announce=_tell)
    _tell(f"{count} of {len(results.rows)} rows in {out} rescored")
    _tell_lacking(results, "name the models and the data that they were made with")


def _tell_lacking(results: "Results", next_step: str) -> None:
    from headstart_paper.rescore import lacking

    for score, count in lacking(results.rows).items():
        _tell(f"{count} of {len(results.rows)} rows in {results.path} lack `{score}`: {next_step}")


def _show(request: "Request", paths: list[Path], folder: Path, markdown: Path | None, *, everything: bool) -> None:
    from headstart_paper import reproduce as room

    stored = room.open_results(paths)
    for note in (note for file in stored for note in file.notes):
        _tell(note)
    errors = on_stdout(markdown)
    if request.figure is None:
        wanted = room.wanted_rows(room.Request(room.TABLE) if everything else request)
        present(room.table_views(stored, wanted), markdown, errors=errors)
        return
    from headstart_paper.figures import draw

    written, words = draw(request.figure, stored, folder)
    for line in (*words, *(f"Wrote {place}" for place in written)):
        typer.echo(line, err=errors)
    if request.is_selection:
        from headstart_paper.selection import choices, selection_tables

        chosen = [choice for file in stored for choice in choices(file, request.figure.method)]
        present(selection_tables(chosen), markdown, errors=errors)
    elif request.has_table:
        from headstart_paper.epochs import course_table, courses

        present(course_table(courses(request.figure, stored)), markdown, errors=errors)


def _list() -> None:
    from headstart_paper import reproduce as room

    for title, entries in room.listing().items():
        if title:
            typer.echo(f"\n{title}")
        width = max(map(len, entries))
        for name, about in entries.items():
            typer.echo(f"{name:<{width}}  {about}")


def _tell(text: str) -> None:
    typer.echo(text, err=True)


def _make_benchmark(context: typer.Context, out: Path, data: list[str], workers: str) -> None:
    from headstart_paper.benchmark.build import build
    from headstart_paper.data_sets import parse_places

    others = [parameter.name for parameter in context.command.params if parameter.name not in OF_THE_BENCHMARK]
    refuse_given(context, [name for name in others if name], "benchmark", "has one fixed plan")
    check_destination(out, folder=True)
    build(
        out,
        places=parse_places(data),
        workers=workers,
        progress=lambda done, total, what: _tell(f"[{done}/{total}] {what}"),
    )
    _tell(f"`headstart benchmark --results {out}` shows the result")


app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
app.command(cls=VariadicCommand, no_args_is_help=True, epilog=EPILOG)(guarded(reproduce, resumes=True))
