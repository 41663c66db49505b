"""The model card of a transfer, in Markdown."""

from headstart.records import Outcome
from headstart.wording import in_markdown, printable


def model_card(outcome: Outcome, weights: str) -> str:
    """What the model is, what it was trained on, how well it does, and how to use it."""
    lines = [
        f"# {in_markdown(f'{outcome.method} of {outcome.source} on {outcome.target}')}",
        "",
        f"Made by headstart {outcome.provenance.versions.get('headstart', '')} on {outcome.provenance.created}.",
        "",
        f"- Task: {outcome.task}",
        *([f"- Classes: {', '.join(in_markdown(name) for name in outcome.classes)}"] if outcome.classes else []),
        f"- Examples: {outcome.n_train} to train on, {outcome.n_valid} to validate, {outcome.n_test} to test",
        f"- Parameters: {outcome.parameters:,}, of which {outcome.trained:,} trained; weights kept: {weights}",
        f"- Seed: {outcome.seed}; epochs: {outcome.epochs}; {outcome.stopped}",
        "",
        "## On the test part",
        "",
        *([f"- {name}: {value:.4f}" for name, value in outcome.metrics.items()] or ["There was none."]),
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
