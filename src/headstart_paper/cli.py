"""`headstart reproduce`: the paper's table and figures, on the data and the models at hand."""

from collections.abc import Collection
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headstart.cli import VariadicCommand, check_places, guarded, on_stdout, present
from headstart.errors import InputError, require
from headstart.records import check_destination
from headstart.wording import listing

if TYPE_CHECKING:
    from headstart_paper.bench import Bench
    from headstart_paper.paper import TableRow
    from headstart_paper.reproduce import Request
    from headstart_paper.results import Results

SCALE, DATA, RESULT = "How much", "Data and models", "Result"
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


LIBRARIES = ("torch", "timm", "torchvision", "matplotlib", "filelock")  # asked for before anything is computed
OF_THE_BENCHMARK = ("name", "data", "out", "workers")
OF_A_RUN = (
    *("tasks", "epochs", "pool", "each", "test_each", "seed", "seeds", "seeded", "episodes"),
    *("models", "data", "stand_in", "meta_data", "root", "cache", "device", "workers"),
)
OF_THE_TABLE = (
    "tasks",
    "each",
    "rows",
    "seeds",
    "seeded",
    "paper_only",
    "meta_data",
    "episodes",
)  # of its rows and tasks


def refuse_given(context: typer.Context, names: Collection[str], where: str, why: str, instead: str = "") -> None:
    """Refuse options that were typed but have no effect.

    Args:
        context: Of the command.
        names: Its parameters that have no effect.
        where: The option or the row beside which they have none: "`--show`".
        why: The reason, to follow "it".
        instead: What else the user may do than leave them out.

    Raises:
        InputError: One of them was typed.
    """
    typed = [
        f"`{parameter.opts[0]}`"
        for parameter in context.command.params
        if parameter.name in names and _is_typed(context, parameter.name)
    ]
    if typed:
        verb, them = ("has", "it") if len(typed) == 1 else ("have", "them")
        raise InputError(f"{listing(typed)} {verb} no effect with {where}: it {why}. Leave {them} out{instead}.")


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def reproduce(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="table1, figure1 to figure9, benchmark, or list.")],
    tasks: Annotated[
        int, typer.Option(min=1, metavar="N", help="Tasks of each row; the paper has 200.", rich_help_panel=SCALE)
    ] = 200,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="At most N epochs of training; the paper has 20 to 100.", rich_help_panel=SCALE
        ),
    ] = None,
    pool: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draw tasks from N training examples a class.", rich_help_panel=SCALE),
    ] = None,
    each: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="N examples a class in a large task.", rich_help_panel=SCALE),
    ] = None,
    test_each: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Test on N examples a class.", rich_help_panel=SCALE)
    ] = None,
    rows: Annotated[
        str, typer.Option(metavar="GLOB", help="Only these rows: TARGET/SOURCE/SETTING/METHOD.", rich_help_panel=SCALE)
    ] = "*",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the tasks.", rich_help_panel=SCALE)] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Seeds of the outcome, for `--seeded`.", rich_help_panel=SCALE)
    ] = 1,
    seeded: Annotated[
        int, typer.Option(min=0, metavar="N", help="Tasks that get all the seeds.", rich_help_panel=SCALE)
    ] = 20,
    episodes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Tasks that CNAPs learns to adapt from.", rich_help_panel=SCALE)
    ] = 2000,
    paper_only: Annotated[
        bool, typer.Option("--paper-only", help="Leave out rows that are not in the paper.", rich_help_panel=SCALE)
    ] = False,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models", "-m", metavar="[SLOT=]PATH...", help="imagenet=..., cifar10=...", rich_help_panel=DATA
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME=PATH...", help="Where data sets lie.", rich_help_panel=DATA),
    ] = None,
    stand_in: Annotated[
        list[str] | None,
        typer.Option("--stand-in", metavar="TARGET=NAME", help="Use NAME for a target; said so.", rich_help_panel=DATA),
    ] = None,
    meta_data: Annotated[
        list[str] | None,
        typer.Option(
            "--meta-data", metavar="NAME...", help="Data sets that CNAPs learns to adapt from.", rich_help_panel=DATA
        ),
    ] = None,
    root: Annotated[str, typer.Option(metavar="DIR", help="torchvision's data sets.", rich_help_panel=DATA)] = "data",
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where forward passes are kept.", rich_help_panel=DATA)
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, mps.", rich_help_panel=DATA)] = "cpu",
    workers: Annotated[
        int, typer.Option("--workers", "--jobs", min=1, metavar="N", help="Worker processes.", rich_help_panel=RESULT)
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="One row a task; the same command resumes. Default: reproduce.jsonl, or the folder benchmark.",
            rich_help_panel=RESULT,
        ),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="FILE...", help="Show these results files too.", rich_help_panel=RESULT),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Run nothing; show what the results hold.", rich_help_panel=RESULT)
    ] = False,
    rescore: Annotated[
        bool,
        typer.Option("--rescore", help="Train nothing; add scores that finished rows lack.", rich_help_panel=RESULT),
    ] = False,
    figures: Annotated[
        Path, typer.Option(metavar="DIR", help="Where figures are written.", rich_help_panel=RESULT)
    ] = Path("figures"),
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables in Markdown; or -.", rich_help_panel=RESULT)
    ] = None,
) -> None:
    """Reproduce a table or figure of the LEEP paper; every finished task is kept, and the same command goes on."""
    from headstart_paper import reproduce as room
    from headstart_paper.plan import BUDGETS, Meta, Order, Scale

    room.check_name(name)
    if name == room.LIST:
        _list()
        return
    _check_installed()
    if name == room.BENCHMARK:
        _make_benchmark(context, out or Path("benchmark"), data or [], workers)
        return
    out = out or Path("reproduce.jsonl")
    if show and rescore:
        raise InputError("`--show` computes nothing and `--rescore` computes scores; give one of them.")
    _refuse_unused(context, name, show=show, rescore=rescore)
    if not meta_data:
        refuse_given(context, ("episodes",), "a run without `--meta-data`", "learns from no episodes")
    check_places(markdown=markdown)
    for place, folder in ((out, False), (figures, True)):
        check_destination(place, folder=folder)
    if markdown is not None and not (name == room.TABLE or room.is_selection(name)):
        raise InputError(f"`--markdown` writes tables, and {name} is a drawing alone; leave it out.")
    room.check_distinct([out, *(also or [])])  # before hours of training, not after
    room.open_results(also or [])
    full = Scale()
    budgets = {name: min(getattr(full, name), epochs or 10**9) for name in BUDGETS}
    scale = Scale(**budgets, pool=pool, large_each=each, test_each=test_each, seed=seed)
    request = room.Request(
        name=name,
        order=Order(tasks, seeds, seeded),
        scale=scale,
        models=tuple(models or ()),
        data=tuple(data or ()),
        stand_ins=tuple(stand_in or ()),
        rows=rows,
        beyond=not paper_only,
        meta=Meta(tuple(meta_data), episodes) if meta_data else None,
        root=root,
    )
    wanted = room.wanted_rows(request) if show and name == room.TABLE else None
    if not show:
        from headstart.extract import pick_device
        from headstart_paper.bench import Bench

        chosen = str(pick_device(device))
        bench = Bench(scale, tuple(request.places.items()), root, None if cache is None else str(cache), chosen)
        (_rescore if rescore else _run)(request, out, workers, bench)
    _show(name, [out, *(also or [])], figures, markdown, wanted)


def _refuse_unused(context: typer.Context, name: str, *, show: bool, rescore: bool) -> None:
    from headstart_paper import reproduce as room

    if show:
        refuse_given(context, OF_A_RUN, "`--show`", "runs nothing")
        if name != room.TABLE:
            refuse_given(context, ("rows", "paper_only"), f"`{name} --show`", "draws all its rows")
    elif room.is_meta(name):
        refuse_given(context, ("epochs", "each", "seeds", "seeded"), name, "trains on none of its tasks")
    elif room.is_selection(name):
        unused = (*OF_THE_TABLE, *(() if rescore else ("workers",)))
        refuse_given(context, unused, name, "has every source on every target, one after the other")


def _run(request: "Request", out: Path, workers: int, bench: "Bench") -> None:
    from headstart.wording import plural
    from headstart_paper import reproduce as room
    from headstart_paper.run import run

    if room.is_selection(request.name):
        from headstart_paper.selection import choose

        data, chosen = room.selection_request(request, request.models, _tell)
        results = _started(out, request)
        choose(data, chosen, bench, results, _tell)
        _tell_lacking(results, "the same command with `--rescore` adds it without training")
        return
    setup = room.prepare(request)
    for reason in setup.missing:
        _tell(f"not run: {reason}")
    if not setup.parts:
        raise InputError("nothing of it can be run with the data and the models at hand; the lines above say why.")
    results = _started(out, request)
    done = run(setup.parts, request.order, bench, results, workers=workers, announce=_tell)
    _tell(f"{plural(done, 'task')} done now, {len(results.rows)} in {out}")
    _tell_lacking(results, "the same command with `--rescore` adds it without training")


def _rescore(request: "Request", out: Path, workers: int, bench: "Bench") -> None:
    from headstart_paper import reproduce as room
    from headstart_paper.rescore import rescore, unscored, unscored_choices
    from headstart_paper.results import Results
    from headstart_paper.table import scale_of

    (stored,) = room.open_results([out])  # a file that does not exist is refused, not created
    scale = scale_of(stored)  # the file's own, whatever this version's defaults are
    request, bench = replace(request, scale=scale), replace(bench, scale=scale)
    results = Results(out, stored.settings)
    if room.is_selection(request.name):
        todo = unscored_choices(*room.selection_request(request, request.models, _tell), results)
    else:
        setup = room.prepare(request)
        there = {str(row.get("row")) for row in results.rows}
        for reason in setup.missing:
            if reason.partition(":")[0] in there:
                _tell(f"not rescored: {reason}")
        todo = unscored(setup.parts, results, bench)
    count = rescore(todo, bench, results, workers=workers, announce=_tell)
    _tell(f"{count} of {len(results.rows)} rows in {out} rescored")
    _tell_lacking(results, "name the models and the data that they were made with")


def _started(out: Path, request: "Request") -> "Results":
    """The results file; what was found wrong with it and mended is said."""
    from headstart_paper import reproduce as room

    results = room.start(out, request.scale)
    for note in results.notes:
        _tell(note)
    return results


def _tell_lacking(results: "Results", next_step: str) -> None:
    from headstart_paper.rescore import lacking

    for score, count in lacking(results.rows).items():
        _tell(f"{count} of {len(results.rows)} rows in {results.path} lack `{score}`: {next_step}")


def _show(
    name: str,
    paths: list[Path],
    folder: Path,
    markdown: Path | None,
    wanted: "list[TableRow] | None",
) -> None:
    from headstart_paper import reproduce as room
    from headstart_paper import table
    from headstart_paper.claims import claims_table

    stored = room.open_results(paths)
    for note in (note for file in stored for note in file.notes):
        _tell(note)
    errors = on_stdout(markdown)
    if name == room.TABLE:
        found = [line for line in table.lines(stored) if wanted is None or line.row in wanted]
        main = table.main_table(found, wanted)
        views = [
            main,
            table.published_table(found),
            claims_table(found),
            table.beyond_table(found),
            table.confound_table(found),
        ]
        present([part for view in views for part in view], markdown, errors=errors)
        return
    from headstart_paper.figures import NUMBERED, draw, find_figure

    written, words = draw(find_figure(name), stored, folder)
    for line in (*words, *(f"Wrote {place}" for place in written), NUMBERED):
        typer.echo(line, err=errors)
    if find_figure(name).kind == "selection":
        from headstart_paper.selection import choices, selection_tables

        chosen = [choice for file in stored for choice in choices(file)]
        present(selection_tables(chosen), markdown, errors=errors)


def _list() -> None:
    from headstart_paper import reproduce as room

    for title, entries in (
        ("", dict(room.names())),
        ("Rows of Table 1, for `--rows`:", room.known_rows()),
        ("Data sets, and what brings them:", room.known_data()),
    ):
        if title:
            typer.echo(f"\n{title}")
        width = max(map(len, entries))
        for name, about in entries.items():
            typer.echo(f"{name:<{width}}  {about}")


def _tell(text: str) -> None:
    typer.echo(text, err=True)


def _check_installed() -> None:
    """Raises MissingExtra where a library of the extra `reproduce` is not installed."""
    for library in LIBRARIES:
        if find_spec(library) is None:
            require(library, "`headstart reproduce`", "reproduce")


def _make_benchmark(context: typer.Context, out: Path, data: list[str], workers: int) -> None:
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
