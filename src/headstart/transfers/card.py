"""The model card of a transfer, in Markdown."""

from headstart.records import Outcome


def model_card(outcome: Outcome, weights: str) -> str:
    """What the model is, what it was trained on, how well it does, and how to use it."""
    lines = [
        f"# {outcome.method} of {outcome.source} on {outcome.target}",
        "",
        f"Made by headstart {outcome.provenance.versions.get('headstart', '')} on {outcome.provenance.created}.",
        "",
        f"- Task: {outcome.task}",
        *([f"- Classes: {', '.join(_plain(name) for name in outcome.classes)}"] if outcome.classes else []),
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
        f"    {outcome.provenance.command}",
        "",
        *([*("## Notes", ""), *(f"- {_plain(note)}" for note in outcome.notes), ""] if outcome.notes else []),
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """No line of someone's class name can become a heading, a link or a tag."""
    shown = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|!" else c for c in shown)
