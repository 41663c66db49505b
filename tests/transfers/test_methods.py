"""Every method: starts as the source, trains what it says, freezes the rest, edits nobody's model."""

import numpy as np
import pytest
import torch
from tests.transfers.tiny import ON_IMAGES, ON_TEXTS, network, planned, source, text_source, trained

from headstart.errors import InputError
from headstart.sources.source import Source
from headstart.train.batches import TensorBatches
from headstart.train.groups import has_batch_statistics
from headstart.train.loop import fit
from headstart.train.training import Training
from headstart.transfers import METHODS
from headstart.transfers.network import transferable
from headstart.transfers.setting import refuse_without_effect
from headstart.transfers.taps import at_layer, output_modules

LOOPED = [name for name in ON_IMAGES if METHODS[name].trains]
ANEW = ("scratch", "prefix", "prompt", "residual")  # they do not start as the source does
IMAGE, TEXT = source(), text_source()


@pytest.mark.parametrize("name", LOOPED)
def test_every_live_parameter_is_in_exactly_one_group(name: str) -> None:
    model, groups = planned(name, IMAGE)
    grouped = [parameter for group in groups for parameter in group.parameters]
    assert len(grouped) == len(set(grouped))
    dead = set(dict(model.network.named_parameters())) - set(grouped)
    assert dead - {name for name in dead if name.startswith("body.encoder.")} == {
        "body.model.classifier.weight",
        "body.model.classifier.bias",
    }


@pytest.mark.parametrize(
    ("name", "of"), [(n, IMAGE) for n in LOOPED] + [(n, TEXT) for n in ON_TEXTS if METHODS[n].trains]
)
def test_the_table_says_which_weights_and_statistics_of_the_source_move(name: str, of: Source) -> None:
    model, groups = planned(name, of)
    assert any(group.rate > 0 and not group.new for group in groups) == METHODS[name].tunes
    if of is IMAGE:
        assert has_batch_statistics(model.network, groups) != METHODS[name].inserts


@pytest.mark.parametrize(
    ("name", "of"),
    [(n, IMAGE) for n in LOOPED if n not in ANEW]
    + [(n, TEXT) for n in ON_TEXTS if n not in ANEW and METHODS[n].trains],
)
def test_the_network_starts_as_the_source(name: str, of: Source) -> None:
    model, _ = planned(name, of)
    with torch.inference_mode():
        assert torch.allclose(model.network.features(model.probe), of.network(model.probe)[0], atol=1e-6)


@pytest.mark.parametrize("name", LOOPED)
def test_what_is_frozen_stays_bit_for_bit_and_what_trains_moves(name: str) -> None:
    model, groups = planned(name, IMAGE)
    moving = trained(groups)
    before = {n: v.clone() for n, v in model.network.state_dict().items()}
    rng = np.random.default_rng(0)
    data = TensorBatches(torch.tensor(rng.normal(size=(48, 3, 8, 8)), dtype=torch.float32), np.arange(48) % 3)
    fit(model.network, groups, data, None, Training(epochs=6, batch_size=16, warmup=0.0))
    after = model.network.state_dict()
    whole = {group.block for group in groups if group.rate > 0}
    parts = METHODS[name].inserts
    for key, value in before.items():
        same = torch.equal(value, after[key])
        if key in moving:
            assert not same or value.numel() == 0, key
        elif key in dict(model.network.named_parameters()) or parts:
            assert same, key  # parameters that are frozen, and every batch-norm statistic beside inserted parts
        elif not any(key.startswith((f"body.model.{block}", f"body.{block}")) for block in whole):
            assert same, key
    assert whole or parts


def test_the_callers_model_is_never_edited() -> None:
    module = network()
    from headstart.sources import from_module

    before = {n: v.clone() for n, v in module.state_dict().items()}
    of = from_module(module, head="classifier", prepare=IMAGE.prepare)
    for name in LOOPED:
        model, groups = planned(name, of)
        data = TensorBatches(torch.randn(6, 3, 8, 8), np.arange(6) % 3)
        fit(model.network, groups, data, None, Training(epochs=4, batch_size=3))
    after = module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert all(p.requires_grad for p in module.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    assert [type(m) for m in module.modules()] == [type(m) for m in network().modules()]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adapters", {"bottleneck": 3}),
        ("adapters", {"dropout": 0.5}),
        ("lora", {"rank": 3}),
        ("lora", {"alpha": 1.0}),
        ("lora", {"dropout": 0.5}),
        ("visual-prompt", {"prompt": 2}),
    ],
)
def test_every_option_of_inserted_parts_changes_the_result(name: str, options: dict) -> None:
    results = []
    for given in ({}, options):
        model, groups = planned(name, IMAGE, **given)
        data = TensorBatches(torch.linspace(-1, 1, 9 * 192).reshape(9, 3, 8, 8), np.arange(9) % 3)
        fit(model.network, groups, data, None, Training(epochs=3, batch_size=3, warmup=0.0))
        with torch.inference_mode():
            results.append(model.network(data.inputs))
    assert not torch.allclose(*results, atol=1e-7)


def test_an_earlier_layer_gives_the_mean_of_its_output() -> None:
    of = at_layer(IMAGE, "stages.0")
    model = transferable(IMAGE, 3, seed=0)
    x = torch.randn(2, 3, 8, 8)
    net = network()
    with torch.inference_mode():
        expected = net.stages[0](net.stem(x)).mean(dim=(2, 3))
        assert torch.allclose(of.network(x)[0], expected, atol=1e-6)
    assert of.fingerprint != IMAGE.fingerprint
    assert list(output_modules(model)) == ["stem", "stages.0", "stages.1", "depthwise"]
    with pytest.raises(InputError, match=r"no 'stages.9'. Did you mean .* From input to output: stem, stages.0"):
        at_layer(IMAGE, "stages.9")


def test_an_earlier_layer_of_a_text_model_leaves_padding_out() -> None:
    of = at_layer(
        TEXT, next(name for name in output_modules(transferable(TEXT, 2, seed=0)) if name.endswith("layer.0"))
    )
    short = TEXT.collate([[1, 2]])
    padded = TEXT.collate([[1, 2], [1, 2, 3, 4, 5]])
    with torch.inference_mode():
        assert torch.allclose(of.network(short)[0][0], of.network(padded)[0][0], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "of", "options", "message"),
    [
        ("partial", IMAGE, {"top": 9}, r"`top` must be a whole number of blocks from 1 to 4.*stem, stages.0"),
        ("partial", IMAGE, {"top": 1.5}, "`top` must be a whole number"),
        ("visual-prompt", IMAGE, {"prompt": 4}, "covers images of 8 x 8"),
        ("visual-prompt", TEXT, {}, "this source takes none"),
    ],
)
def test_what_does_not_fit_is_an_error(name: str, of: Source, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        planned(name, of, **options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fine-tune", {"rate": 0.0}, "`rate` must be a number greater than 0; got 0.0"),
        ("layer-decay", {"decay": 1.5}, r"`decay` must be a number in \(0, 1\]; got 1.5"),
        ("lora", {"rank": 0}, "`rank` must be a whole number of at least 1; got 0"),
        ("lora", {"rank": 2.0}, r"`rank` must be a whole number of at least 1; got 2.0 \(float\)"),
        ("lora", {"rank": "2"}, r"`rank` must be a whole number of at least 1; got '2' \(str\)"),
        ("lora", {"rank": True}, r"`rank` must be a whole number .*got True \(bool\)"),
        ("lora", {"dropout": 1.0}, r"`dropout` must be a number in \[0, 1\); got 1.0"),
        ("head", {"solver": "adam"}, "`solver` must be one of lbfgs, sgd; got 'adam'"),
        ("head", {"warm_start": 1}, r"`warm_start` must be True or False; got 1 \(int\)"),
        ("head", {"layer": 3}, r"`layer` must be text; got 3 \(int\)"),
        ("head", {"warm_start": True}, "`warm_start` has no effect with `solver='lbfgs'`; it needs `solver='sgd'`"),
        ("head", {"solver": "sgd", "penalty": 1.0}, "`penalty` has no effect with `solver='sgd'`"),
    ],
)
def test_options_of_the_wrong_type_or_range_and_without_effect_are_errors(
    name: str, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        METHODS[name](**options)


def test_an_option_that_changes_nothing_and_an_unknown_method_are_errors() -> None:
    with pytest.raises(
        InputError,
        match=r"`rank` has no effect with method `gradual`\. Options of `gradual`: augment, .*batch_size.*decay.*rate",
    ):
        refuse_without_effect({"rank": 2}, [METHODS["gradual"]])
    with pytest.raises(InputError, match=r"unknown method 'finetune'. Did you mean `fine-tune`"):
        METHODS.find("finetune")
