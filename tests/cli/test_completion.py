"""Shell completion: the names of commands, models, scores and methods, as a shell asks for them."""

import pytest
from typer.testing import CliRunner

from headstart.cli import app
from headstart.cli._options import complete_methods, complete_models, complete_scores


def completed(line: str) -> list[str]:
    """What a bash user is offered at the end of `line`."""
    asked = {"_HEADSTART_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = CliRunner().invoke(app, [], env=asked, prog_name="headstart")
    assert "Traceback" not in done.output, done.output
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("headstart ra", "rank"),
        ("headstart rank photos --models zoo/tiny_d", "zoo/tiny_digits"),
        ("headstart rank photos --models zoo/tiny_letters zoo/tiny_d", "zoo/tiny_digits"),
        ("headstart rank photos --scores leep_l", "leep_loo"),
        ("headstart rank photos --sort kn", "knn"),
        ("headstart transfer photos --model zoo/a --method lay", "layer-decay"),
        ("headstart transfer photos --model zoo/a --bottl", "--bottleneck"),
        ("headstart rank photos --label", "--label-column"),
    ],
)
def test_a_shell_is_offered_names(line: str, expected: str) -> None:
    assert expected in completed(line)


def test_names_are_completed_after_a_comma() -> None:
    assert "leep,knn" in complete_scores("leep,k")
    assert "head,lora" in complete_methods("head,lo")
    assert complete_scores("no_such") == []


def test_families_of_models_come_first_and_their_names_after_the_slash() -> None:
    assert complete_models("t") == ["timm/", "torchvision/"]
    assert "zoo/tiny_emoji" in complete_models("zoo/tiny")
    assert complete_models("zoo/nothing_of_that_name") == []
