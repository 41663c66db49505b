"""Every method: starts as the source, trains what it says, freezes the rest, edits nobody's model."""

import numpy as np
import pytest
import torch
from tests.transfers.tiny import ON_IMAGES, ON_TEXTS, network, planned, source, text_source

from headstart.errors import InputError
from headstart.runner.progress import silent
from headstart.sources.source import Source
from headstart.tasks import task_of
from headstart.train.batches import TensorBatches
from headstart.train.groups import Group, has_batch_statistics
from headstart.train.loop import _Loop, fit
from headstart.train.objectives import Labels
from headstart.train.training import Training
from headstart.transfers import METHODS
from headstart.transfers.methods.gradual import thaws
from headstart.transfers.methods.lora import merge, target_layers
from headstart.transfers.network import Transferable, count, draw_anew, transferable
from headstart.transfers.setting import refuse_without_effect
from headstart.transfers.taps import at_layer, output_modules

LOOPED = [name for name in ON_IMAGES if METHODS[name].trains]
ANEW = ("scratch", "prefix", "prompt", "residual")  # they do not start as the source does
IMAGE, TEXT = source(), text_source()


def trained(model: Transferable, groups: tuple[Group, ...]) -> set[str]:
    return {name for group in groups if group.rate > 0 for name in group.parameters}


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
    moving = trained(model, groups)
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


def rates(name: str, **options: object) -> list[float]:
    model, groups = planned(name, IMAGE, **options)
    by_block = {group.block: group.rate for group in groups}
    return [by_block[block.name] for block in model.blocks]


def test_rates_by_hand() -> None:
    assert rates("fine-tune", rate=0.1, ratio=100) == pytest.approx([0.001] * 4 + [0.1])
    assert rates("partial", rate=0.1, top=1) == pytest.approx([0, 0, 0, 0.01, 0.1])
    assert rates("partial", rate=0.1, top=0.5) == pytest.approx([0, 0, 0.01, 0.01, 0.1])
    assert rates("layer-decay", rate=0.1, decay=0.5) == pytest.approx([0.1 / 16, 0.1 / 8, 0.1 / 4, 0.1 / 2, 0.1])
    assert rates("gradual", rate=0.1) == pytest.approx([0.1 / 2.6**k for k in (4, 3, 2, 1, 0)])  # ULMFiT's
    assert rates("gradual", rate=0.1, decay=0.5) == pytest.approx([0.1 / 2**k for k in (4, 3, 2, 1, 0)])
    assert rates("scratch", rate=0.1) == pytest.approx([0.1] * 5)


def test_layer_decay_keeps_its_rates_under_every_schedule() -> None:
    """timm's own only marks the groups, and a torch scheduler then trains all of them at one rate."""
    model, groups = planned("layer-decay", IMAGE)
    data = TensorBatches(torch.randn(6, 3, 8, 8), np.arange(6) % 3)
    place, task = torch.device("cpu"), "classification"
    loop = _Loop(
        *(model.network, groups, data, None, Training(epochs=1), task_of(task), place, Labels(task), {}),
        *(None, "", 60.0, silent),
    )
    loop.run()
    assert len({group["peak"] for group in loop.optimizer.param_groups}) == 5
    assert len({round(group["lr"], 12) for group in loop.optimizer.param_groups}) == 5


def test_gradual_thaws_from_the_top_one_block_an_epoch() -> None:
    model, groups = planned("gradual", IMAGE)
    assert [group.block for group in groups] == [block.name for block in model.blocks]
    assert [group.thaw for group in groups] == [4, 3, 2, 1, 0]
    assert thaws(4, 1) == [0] * 5  # a single epoch trains all
    assert max(thaws(30, 8)) == 6


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_merged_updates_give_the_same_outputs_and_equal_pefts_own_merge(name: str) -> None:
    import peft

    model, _ = planned(name, IMAGE, rank=2, alpha=6)
    with torch.no_grad():
        for key, parameter in model.network.named_parameters():
            if ".lora_B" in key:
                parameter.normal_()
    x = torch.randn(4, 3, 8, 8)
    theirs_base = transferable(IMAGE, 3, seed=0)
    with torch.inference_mode():
        expected = model.network.features(x)
        assert not torch.allclose(expected, theirs_base.network.features(x), atol=1e-2)
    config = peft.LoraConfig(
        r=2, lora_alpha=6, target_modules=target_layers(theirs_base), use_dora=name == "dora", lora_dropout=0.0
    )
    theirs = peft.get_peft_model(theirs_base.network, config)
    ours = dict(model.network.named_parameters())
    with torch.no_grad():
        for key, parameter in theirs.base_model.model.named_parameters():
            parameter.copy_(ours[key])
    whole = theirs.merge_and_unload()
    merge(model.network)
    assert not [key for key, _ in model.network.named_parameters() if "lora" in key]
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, model.network.state_dict()[key], atol=1e-6), key
    with torch.inference_mode():
        assert torch.allclose(model.network.features(x), expected, atol=1e-4)


def test_lora_finds_its_layers_by_type_and_leaves_grouped_convolutions_out() -> None:
    targets = target_layers(transferable(IMAGE, 3, seed=0))
    assert targets == [
        "body.model.stem.0",
        *(f"body.model.stages.{i}.{n}" for i in (0, 1) for n in ("first", "second")),
    ]


def test_lora_counts_what_trains() -> None:
    model, groups = planned("lora", IMAGE, rank=2)
    added = 2 * (27 + 8) + 2 * (2 * (72 + 8) + 2 * (8 + 8))  # rank * (inputs + outputs) of each layer
    head = 8 * 3 + 3
    assert count(model.network, sorted(trained(model, groups))) == added + head


@pytest.mark.parametrize(
    ("name", "ending"), [("bitfit", ("bias",)), ("norm", ("norm.weight", "norm.bias", "stem.1.weight", "stem.1.bias"))]
)
def test_bitfit_and_norm_tuning_train_what_they_say(name: str, ending: tuple[str, ...]) -> None:
    model, groups = planned(name, IMAGE)
    names = trained(model, groups) - {"head.weight", "head.bias"}
    assert names
    assert all(n.endswith(ending) for n in names)
    every = [n for block in model.body for n in block.parameters]
    assert names == {n for n in every if n.endswith(ending)}


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


def test_a_visual_prompt_touches_the_frame_only() -> None:
    model, _ = planned("visual-prompt", IMAGE, prompt=2)
    with torch.no_grad():
        model.network.frame.pixels.fill_(7.0)
    x = torch.zeros(1, 3, 8, 8)
    framed = model.network.frame(x)
    assert framed[..., 2:6, 2:6].abs().max() == 0
    assert (framed[..., :2, :] == 7).all()
    assert not torch.equal(model.network(x), transferable(IMAGE, 3, seed=0).network(x))


def test_scratch_draws_every_weight_anew_and_by_its_seed() -> None:
    pretrained = transferable(IMAGE, 3, seed=0).network.state_dict()
    one, again, other = (transferable(IMAGE, 3, seed=s, scratch=True).network.state_dict() for s in (1, 1, 2))
    for name, value in one.items():
        assert torch.equal(value, again[name])
        if name.endswith("weight") and value.ndim > 1:
            assert not torch.equal(value, pretrained[name]), name
            assert not torch.equal(value, other[name]), name
            assert value.std() > 0
    assert torch.equal(one["body.model.stem.1.running_mean"], torch.zeros(8))


def test_scratch_draws_parameters_that_no_layer_resets() -> None:
    module = torch.nn.Module()
    module.token, module.gamma = torch.nn.Parameter(torch.full((1, 4), 9.0)), torch.nn.Parameter(torch.full((4,), 9.0))
    module.bias = torch.nn.Parameter(torch.full((4,), 9.0))
    draw_anew(module)
    assert 0 < module.token.abs().max() < 0.1
    assert module.gamma.tolist() == [1.0] * 4
    assert module.bias.tolist() == [0.0] * 4


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
