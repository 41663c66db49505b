"""`transfer`: adapt a source to a target by one method, measure it once on the test part, and keep the result."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Unpack

from filelock import FileLock, Timeout

from headstart.data import Reading
from headstart.errors import InputError
from headstart.records import History, Outcome, PlanRow, check_destination
from headstart.records.results import plan
from headstart.records.shown import Shown
from headstart.records.table import Prose, View
from headstart.runner.progress import Progress
from headstart.train.checkpoint import read_checkpoint
from headstart.train.training import Training
from headstart.transfers import saved
from headstart.transfers.carry_out import CHECKPOINT, carry_out, plan_rows, planned
from headstart.transfers.method import Method
from headstart.transfers.opening import Model, open_setting
from headstart.transfers.run import Run
from headstart.transfers.setting import identity_of
from headstart.transfers.tuning import forget, to_be_tuned
from headstart.transfers.typed import TransferOptions


@dataclass(frozen=True, repr=False)
class Preview(Shown):
    """What a transfer would do: the plan of `--dry-run`."""

    method: str
    reason: str
    source: str
    target: str
    n_train: int
    n_valid: int
    n_test: int
    rows: tuple[PlanRow, ...]
    training: Training | None  # None: the head is solved, nothing is trained by epochs
    notes: tuple[str, ...]

    def view(self) -> View:
        """The plan as a table, with one row per block, and sentences."""
        whole, trained = (sum(getattr(row, name) for row in self.rows) for name in ("parameters", "trained"))
        above = [f"{self.n_train} to train, {self.n_valid} to validate, {self.n_test} to test"]
        above += [f"Chosen because {self.reason}."] if self.reason else []
        below = [f"{trained:,} of {whole:,} parameters train ({trained / whole:.2%})."]
        if self.training is not None:
            t = self.training
            below.append(
                f"{t.epochs} epochs, batches of {t.batch_size}, {t.optimizer}, {t.schedule} rate, {t.precision}, "
                f"seed {t.seed}"
            )
        title = Prose(tuple(above), title=f"{self.method}: {self.source} on {self.target}")
        return [title, plan(self.rows, solved=self.training is None), Prose((*below, *self.notes))]


def transfer(
    target: object,
    model: Model,
    *,
    method: str | Method = "auto",
    seed: int = 0,
    test: object = None,
    via: object = None,
    via_method: str | None = None,
    source_data: object = None,
    limit: int | None = None,
    split_seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    device: str = "auto",
    cache: str | os.PathLike[str] | bool | None = True,
    trust_pickle: bool = False,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    command: str | None = None,
    history: str | os.PathLike[str] | None = None,
    against: Outcome | None = None,
    **options: Unpack[TransferOptions],
) -> Run:
    """Adapt a pretrained model to a target, measure it once on the test part, and return the finished run.

    Args:
        target: Whatever `open_target` reads; its own train, validation and test parts, else stratified hold-outs.
        model: A model's name, a module, a source, or a `Ranking` (its best) or the folder of a saved one. It is never
            edited.
        method: The name of a method, a method with its options (`FineTune(rate=0.01)`), or "auto": chosen by size and
            similarity, with the reason in the notes.
        seed: For the head's first weights, the order of examples, dropout and augmentation.
        test: A test part that lies elsewhere.
        via: Labelled data on which the source is adapted first (intermediate-task transfer).
        via_method: How; a method that trains the whole network, by default fine-tune.
        source_data: Labelled data on which the source's network is trained from random weights first: a source data set
            in place of a source model.
        limit: Train on so many examples, stratified.
        split_seed: Who is held out. Runs with one split seed may be compared.
        out: Folder for the result and the checkpoint. The same call with the same folder goes on where it was
            interrupted, and returns the finished run if there is one.
        overwrite: Replace another run in `out`, finished or not.
        device: "auto", "cpu", "cuda" or "mps".
        cache: True keeps forward passes in the usual place, False nowhere, a path there.
        trust_pickle: Load checkpoints that can run code.
        reading: Columns, split, task and so on as one object.
        progress: None shows how far the run is, in a terminal or notebook only; True shows it everywhere, False
            nowhere. A function is called with each `headstart.runner.Event` instead.
        command: What to record as the command.
        history: Keep the outcome in this folder, for `headstart calibrate`.
        against: The outcome of a training from scratch on the same parts: this one stops once its validation accuracy
            is surely below that.
        options: Options of the method (rate, ratio, top, ...), settings of the training (epochs, batch_size, augment,
            ...; see `Training`), and how data are read (label_column, task, ...; see `Reading`).

    Raises:
        InputError: Something does not fit; TargetError: the data; ModelError: the source; TrainingError: the training.
    """
    asked = dict(locals())
    kept_in = None if history is None else History(history)
    with only_one(out):
        run = _transferred(asked)
    if kept_in is not None:
        kept_in.keep(run.outcome)
    return run


def _transferred(asked: dict[str, Any]) -> Run:
    setting, overwrite = open_setting(transfer, asked), asked["overwrite"]
    identity = identity_of(setting)
    if setting.out is not None:
        there = saved.identity_of(setting.out)
        if there == identity:
            return saved.load(setting.out, source=setting.given, methods={setting.method.name: type(setting.method)})
        if there is not None and not overwrite:
            raise InputError(
                f"{setting.out} holds another run (other data, model, method or options). Choose another folder, or "
                "pass `overwrite=True`."
            )
        if overwrite:
            _make_room(setting.out / CHECKPOINT, identity)
    run = carry_out(setting, identity)
    if setting.out is not None:
        whole = run.source.adapted_from or not run.method.light
        run.save(setting.out, weights="whole" if whole else "adapter")
        (setting.out / CHECKPOINT).unlink(missing_ok=True)
        forget(setting.out)
    return run


@contextmanager
def only_one(out: str | os.PathLike[str] | None) -> Iterator[None]:
    """Hold a run's folder for this process.

    Raises:
        InputError: Another process is at work in it.
    """
    if out is None:
        yield
        return
    folder = Path(out)
    check_destination(folder, folder=True)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock, process = FileLock(folder / ".lock"), folder / ".process"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        by = f"process {process.read_text()}" if process.exists() else "another process"
        raise InputError(f"{folder} is in use by {by}. Wait until it ends, or choose another folder.") from None
    try:
        process.write_text(str(os.getpid()))
        yield
    finally:
        process.unlink(missing_ok=True)
        (folder / ".lock").unlink(missing_ok=True)
        lock.release()
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _make_room(checkpoint: Path, identity: str) -> None:
    """Remove an unfinished training that is damaged or another run's; this run's own goes on."""
    try:
        read_checkpoint(checkpoint, identity)
    except InputError:
        checkpoint.unlink()


def preview(target: object, model: Model, **arguments: Any) -> Preview:
    """The plan of `transfer` with the same arguments, without training: which blocks train, at which rates."""
    asked = signature(transfer).bind(target, model, **arguments)
    asked.apply_defaults()
    setting = open_setting(transfer, asked.arguments)
    network, recipe = planned(setting)
    parts = setting.parts
    return Preview(
        setting.method.name,
        setting.reason,
        setting.source.name,
        parts.train.name,
        len(parts.train),
        0 if parts.valid is None else len(parts.valid),
        0 if parts.test is None else len(parts.test),
        plan_rows(network, recipe.groups),
        setting.training if setting.method.trains else None,
        (*parts.notes, *to_be_tuned(setting)),
    )
