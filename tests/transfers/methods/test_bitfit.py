"""BitFit and norm tuning train biases and norms alone."""

import pytest
from tests.transfers.tiny import planned, source, trained

IMAGE = source()


@pytest.mark.parametrize(
    ("name", "ending"), [("bitfit", ("bias",)), ("norm", ("norm.weight", "norm.bias", "stem.1.weight", "stem.1.bias"))]
)
def test_bitfit_and_norm_tuning_train_what_they_say(name: str, ending: tuple[str, ...]) -> None:
    model, groups = planned(name, IMAGE)
    names = trained(groups) - {"head.weight", "head.bias"}
    assert names
    assert all(n.endswith(ending) for n in names)
    every = [n for block in model.body for n in block.parameters]
    assert names == {n for n in every if n.endswith(ending)}
