"""The model card of a transfer, in Markdown."""

from math import sqrt

from headstart.records import Outcome
from headstart.tasks import task_of
from headstart.wording import in_markdown, printable


def model_card(outcome: Outcome, weights: str, license: str | None = None) -> str:
    """What the model is, what it was trained on, how well it does, and how to use it.

    Args:
        outcome: The run's record.
        weights: Which weights are kept.
        license: Of the base model.
    """
    lines = [
        f"# {in_markdown(f'{outcome.method} of {outcome.source} on {outcome.target}')}",
        "",
        f"Made by headstart {outcome.provenance.versions.get('headstart', '')} on {outcome.provenance.created}.",
        "",
        f"- Base model: {in_markdown(outcome.network)}; licence: {in_markdown(license or 'not stated')}",
        f"- Task: {outcome.task}",
        *([f"- Classes: {', '.join(in_markdown(name) for name in outcome.classes)}"] if outcome.classes else []),
        f"- Examples: {outcome.n_train} to train on, {outcome.n_valid} to validate, {outcome.n_test} to test",
        f"- Parameters: {outcome.parameters:,}, of which {outcome.trained:,} trained; weights kept: {weights}",
        f"- Seed: {outcome.seed}; epochs: {outcome.epochs}; {outcome.stopped}",
        "",
        "## Options",
        "",
        *(f"- {name}: {in_markdown(str(value))}" for name, value in outcome.options.items() if value is not None),
        "",
        "## On the test part",
        "",
        *([_metric(outcome, name) for name in outcome.metrics] or ["There was none."]),
        "",
        "## Use",
        "",
        "    headstart predict FOLDER new_inputs/",
        "",
        "## Made by",
        "",
        f"    {printable(' '.join(outcome.provenance.command.split()))}",
        "",
        *([*("## Notes", ""), *(f"- {in_markdown(note)}" for note in outcome.notes), ""] if outcome.notes else []),
    ]
    return "\n".join(lines)


def _metric(outcome: Outcome, name: str) -> str:
    """A metric, with Wilson's 95 % interval for a plain share of the test examples."""
    value, n, z = outcome.metrics[name], outcome.n_test, 1.96
    if name != "accuracy" or not task_of(outcome.task).single_class:
        return f"- {name}: {value:.4f}"
    middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    return f"- {name}: {value:.4f} (95 % interval {max(0.0, middle - half):.3f} to {min(1.0, middle + half):.3f})"
