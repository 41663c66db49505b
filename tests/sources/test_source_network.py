"""Features and logits of one tapped pass, against the modules themselves."""

import copy

import pytest
import timm
import torch
from tests.sources.tiny_models import LINEAR_HEADS, pictures, plain, resize_to
from torch import nn
from torchvision import models as torchvision_models

from headstart.errors import InputError, ModelError
from headstart.sources import from_module


@pytest.mark.parametrize("name", LINEAR_HEADS)
def test_features_times_the_classifier_are_the_logits(name):
    make, side = LINEAR_HEADS[name]
    module = make()
    source = from_module(module, prepare=resize_to(side))
    features, logits = source.forward(pictures(side))

    heads = [module.get_submodule(part) for part in source.layer.removeprefix("input of ").split(" and ")]
    widths = [head.in_features for head in heads]
    parts = features.split(widths, dim=1)
    with torch.inference_mode():
        by_hand = sum(head(part) for head, part in zip(heads, parts, strict=True)) / len(heads)
        whole = module.eval()(pictures(side))
    torch.testing.assert_close(logits, whole)
    torch.testing.assert_close(by_hand, whole, rtol=1e-4, atol=1e-5)
    assert source.card.num_classes == 5
    assert source.card.parameters == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("name", ["timm mobilenetv3_small_050", "timm vgg"])
def test_the_width_is_that_of_the_heads_input(name):
    make, side = LINEAR_HEADS[name]
    module = make()
    features, _ = from_module(module, prepare=resize_to(side)).forward(pictures(side))
    assert features.shape[1] == module.head_hidden_size != module.num_features


def test_both_heads_of_a_distilled_transformer_are_seen():
    make, side = LINEAR_HEADS["timm deit distilled"]
    source = from_module(make(), prepare=resize_to(side))
    assert source.layer == "input of head and head_dist"
    assert source.forward(pictures(side))[0].shape[1] == 2 * 24


def test_two_heads_are_found_without_a_librarys_help():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.a, self.b = nn.Flatten(), nn.Linear(192, 3), nn.Linear(192, 3)

        def forward(self, x):
            x = self.body(x)
            return (self.a(x) + self.b(x)) / 2

    source = from_module(Twice(), prepare=resize_to(8))
    assert source.layer == "input of a and b"
    assert source.forward(pictures(8))[0].shape == (3, 192)  # both see the same input, which counts once


def test_a_convolution_as_head_is_pooled_over_space():
    module = torchvision_models.squeezenet1_1(num_classes=7).eval()
    source = from_module(module, prepare=resize_to(64))
    features, logits = source.forward(pictures(64))
    assert source.head == "classifier.1"
    with torch.inference_mode():
        spatial = module.features(pictures(64))  # dropout does nothing in eval mode
        torch.testing.assert_close(logits, module(pictures(64)))
    torch.testing.assert_close(features, spatial.mean(dim=(2, 3)))


def test_the_module_is_left_as_it_was():
    module = plain()
    module.train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    source = from_module(module, prepare=resize_to(16))
    source.forward(pictures(16))

    assert all(part.training for part in module.modules())
    assert not source.network.training
    assert all(not part._forward_pre_hooks and not part._forward_hooks for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    mine, theirs = dict(module.named_parameters()), dict(source.network.model.named_parameters())
    assert all(mine[name] is theirs[name] for name in mine)  # weights are shared, not copied


def test_old_style_weight_norm_can_be_wrapped():
    with pytest.warns(FutureWarning, match="weight_norm"):
        head = torch.nn.utils.weight_norm(nn.Linear(192, 3))
    module = nn.Sequential(nn.Flatten(), head).eval()
    source = from_module(module, prepare=resize_to(8))
    torch.testing.assert_close(source.forward(pictures(8))[1], module(pictures(8)).detach())


def test_a_model_that_ends_in_a_softmax_gives_logits_all_the_same():
    module = plain(5, nn.Softmax(dim=1))
    _, logits = from_module(module, prepare=resize_to(16)).forward(pictures(16))
    assert logits.min() < 0
    torch.testing.assert_close(logits.softmax(dim=1), module(pictures(16)).detach())


def test_a_named_head_in_front_of_a_softmax_gives_the_same_logits():
    module = plain(5, nn.Softmax(dim=1))
    found = from_module(module, prepare=resize_to(16)).forward(pictures(16))
    named = from_module(module, prepare=resize_to(16), head="4").forward(pictures(16))
    assert all(torch.equal(a, b) for a, b in zip(found, named, strict=True))


class Tagger(nn.Module):
    """Says of each class by itself whether it is there: a sigmoid of what its head returns."""

    def __init__(self, head):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.head = nn.Conv2d(3, 6, 4, stride=4), head

    def forward(self, x):
        x = self.patches(x)
        return torch.sigmoid(self.head(x).mean(dim=(2, 3)) if isinstance(self.head, nn.Conv2d) else self.tokens(x))

    def tokens(self, x):
        return self.head(x.flatten(2).transpose(1, 2))[:, 0]


@pytest.mark.parametrize("named", ["auto", "head"])
@pytest.mark.parametrize("head", [nn.Conv2d(6, 5, 1), nn.Linear(6, 5)])
def test_a_model_that_ends_in_a_sigmoid_gives_the_logits_before_it(head, named):
    module = Tagger(head)
    head.reset_parameters()  # seeded: rows that happen to be one-hot would pass for probabilities
    with torch.no_grad():
        head.weight.mul_(100)  # far out the sigmoid of two classes is one number
    source = from_module(module, prepare=resize_to(16), head=named)
    _, logits = source.forward(pictures(16))
    assert source.head == "head"
    torch.testing.assert_close(logits.sigmoid(), module(pictures(16)).detach(), rtol=0, atol=0.05)  # logits of hundreds
    assert len(set(logits.flatten().tolist())) == 15
    assert not source.network.results.seen
    with torch.inference_mode():
        torch.testing.assert_close(copy.deepcopy(source.network)(pictures(16))[1], logits)
        assert source.network.train()(pictures(16))[1] is None
    assert not source.network.results.seen


def test_an_embedding_has_no_logits():
    source = from_module(plain(), prepare=resize_to(16), head=None)
    features, logits = source.forward(pictures(16))
    assert features.shape == (3, 5)
    assert logits is None
    assert source.card.num_classes is None
    assert source.head is None


def test_one_output_is_a_regression_not_a_class():
    source = from_module(plain(1), prepare=resize_to(16))
    features, logits = source.forward(pictures(16))
    assert features.shape == (3, 6)
    assert logits is None


def test_head_changes_the_features():
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 4))
    last = from_module(module, prepare=resize_to(8))
    first = from_module(module, prepare=resize_to(8), head="1")
    assert last.head == "3"
    assert first.forward(pictures(8))[0].shape == (3, 192)
    assert first.fingerprint != last.fingerprint


def test_candidates_are_listed_where_the_head_cannot_be_told():
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(192, 3), nn.Linear(192, 3)

        def forward(self, x):
            return self.left(x.flatten(1)) * self.right(x.flatten(1))

    with pytest.raises(ModelError, match=r"none of the layers with 3 outputs.*`left`, `right`.*`head=`"):
        from_module(Both(), prepare=resize_to(8))


def test_a_model_without_a_linear_end_asks_for_its_head():
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.ReLU(), nn.Unflatten(1, (2, 3)), nn.Flatten(0, 1))
    with pytest.raises(ModelError, match=r"`1`.*`head="):
        from_module(module, prepare=resize_to(8))


@pytest.mark.parametrize("head", ["classifier", ""])
def test_a_head_that_is_not_there(head):
    with pytest.raises(ModelError, match=r"is not a layer of Sequential.*0, 4"):
        from_module(plain(), prepare=resize_to(16), head=head)


def test_a_head_that_runs_twice():
    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.square, self.out = nn.Linear(192, 192), nn.Linear(192, 3)

        def forward(self, x):
            return self.out(self.square(self.square(x.flatten(1))))

    with pytest.raises(ModelError, match="must run once in a forward pass; it ran 2 times"):
        from_module(Again(), prepare=resize_to(8), head="square")


def test_a_record_without_logits():
    class Record(nn.Module):
        def forward(self, x):
            return {"boxes": x}

    with pytest.raises(ModelError, match=r"must return a tensor.*got dict"):
        from_module(Record(), prepare=resize_to(8))


def test_a_size_the_model_does_not_take():
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    with pytest.raises(ModelError, match=r"fails on the output of its own preprocessing \(batch \(2, 3, 9, 9\)\)"):
        from_module(module, prepare=resize_to(9))


def test_a_failed_pass_leaves_nothing_behind():
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.fail = nn.Linear(192, 3), False

        def forward(self, x):
            logits = self.head(x.flatten(1))
            if self.fail:
                raise RuntimeError("out of memory")
            return logits

    source = from_module(Moody(), prepare=resize_to(8))
    source.network.model.fail = True
    with pytest.raises(RuntimeError):
        source.forward(pictures(8))
    source.network.model.fail = False
    assert source.forward(pictures(8))[0].shape == (3, 192)


def test_a_copy_of_the_network_stands_alone():
    source = from_module(plain(), prepare=resize_to(16))
    twin = copy.deepcopy(source.network)
    with torch.inference_mode():
        features, logits = twin(pictures(16))
    assert not source.network.recorders[0].seen
    torch.testing.assert_close(features, source.forward(pictures(16))[0])
    torch.testing.assert_close(logits, source.forward(pictures(16))[1])


ENGINES = {
    "trace": torch.jit.trace,
    "export": lambda network, x: torch.export.export(network, (x,), strict=False).module(),
    "compile": lambda network, x: torch.compile(network, fullgraph=True, backend="eager"),
}


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"
)  # the tracer warns of itself
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["timm efficientnet", "timm deit distilled"])
def test_the_network_can_be_traced_exported_and_compiled(engine, name):
    make, side = LINEAR_HEADS[name]
    source = from_module(make(), prepare=resize_to(side))
    with torch.no_grad():
        fast = ENGINES[engine](source.network, pictures(side))
        other = pictures(side).flip(3)
        results = fast(other)
    for mine, theirs in zip(source.forward(other), results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_timm_model_without_classifier_is_an_embedding():
    module = timm.create_model("test_efficientnet", num_classes=0)
    source = from_module(module)
    assert source.head is None
    assert source.card.num_classes is None


def test_a_module_without_weights_is_refused():
    with pytest.raises(ModelError, match="meta device"):
        from_module(plain().to("meta"), prepare=resize_to(16))


def test_classes_must_match_the_outputs():
    with pytest.raises(InputError, match="`classes` names 2 classes, but module/Sequential has 5 outputs"):
        from_module(plain(), prepare=resize_to(16), classes=["a", "b"])


def test_preprocessing_that_makes_no_floats():
    with pytest.raises(ModelError, match=r"must turn a PIL image into a float tensor.*torch.uint8"):
        from_module(plain(), prepare=lambda image: torch.zeros(3, 8, 8, dtype=torch.uint8))


def test_preprocessing_that_fails_is_named():
    with pytest.raises(ModelError, match=r"failed on an example \(image\).*\[3, 9, 9\]"):
        from_module(plain(), prepare=lambda image: torch.zeros(3, 8, 8) if image.width < 200 else torch.zeros(3, 9, 9))


class Flattening(nn.Module):
    """Flattens its last map with `view`, which wants the channels first in memory, as many networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, stride=4, padding=1), nn.Linear(64, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).relu()
        return self.fc(x.view(len(x), -1))


def test_channels_lie_last_in_memory_where_the_network_takes_that():
    turned = from_module(plain(), prepare=resize_to(16))
    usual = from_module(Flattening(), prepare=resize_to(16))
    assert (turned.channels_last, usual.channels_last) == (True, False)
    examples = list(pictures(16))
    assert turned.join(examples).stride() == (3 * 16 * 16, 1, 3 * 16, 3)
    assert usual.join(examples).stride() == (3 * 16 * 16, 16 * 16, 16, 1)
    assert torch.equal(turned.join(examples), usual.join(examples))
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        usual.forward(pictures(16).contiguous(memory_format=torch.channels_last))


class Standardised(nn.Conv2d):
    """Weight standardisation as it was published: it views the weights, which wants the usual order too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        spread = weight.view(len(weight), -1).std(dim=1).view(-1, 1, 1, 1)
        return nn.functional.conv2d(x, weight / spread, self.bias)


def test_weights_stay_in_the_usual_order_where_the_network_views_them():
    net = nn.Sequential(Standardised(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    assert from_module(net, prepare=resize_to(16)).channels_last is False


class PerToken(nn.Module):
    """Its head reads every token, and the answer is that of one."""

    def __init__(self, token: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.head, self.token = nn.Conv2d(3, 16, 4, stride=4), nn.Linear(16, 5), token

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.patches(x).flatten(2).transpose(1, 2))[:, self.token]


@pytest.mark.parametrize("token", [0, -1])
@pytest.mark.parametrize("head", ["auto", "head"])
def test_features_are_those_of_the_token_that_answers(token, head):
    net = PerToken(token)
    features, logits = from_module(net, prepare=resize_to(16), head=head).forward(pictures(16))
    with torch.inference_mode():
        torch.testing.assert_close(net.head(features), logits)


class OldMnist(nn.Module):
    """The classic example: an early convolution has as many outputs as there are classes, the end is a log softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.fc = nn.Conv2d(3, 5, 3), nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv1(x).relu().mean(dim=(2, 3))).log_softmax(dim=1)


def test_a_log_softmax_after_the_head_is_seen_through():
    assert from_module(OldMnist(), prepare=resize_to(16)).head == "fc"


class Cosine(nn.Module):
    """A classifier that is no layer, behind a convolution that happens to have as many outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 32, 3)
        self.classes = nn.Parameter(torch.randn(16, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.second(self.first(x).relu()).mean(dim=(2, 3))
        return nn.functional.linear(nn.functional.normalize(features), nn.functional.normalize(self.classes))


def test_a_layer_that_does_not_order_the_classes_as_the_output_does_is_no_head():
    with pytest.raises(
        ModelError, match=r"cannot find the head.*none of the layers with 16 outputs.*`first`.*with `head=`"
    ):
        from_module(Cosine(), prepare=resize_to(16))


def test_a_network_of_another_width_inside_has_a_head_that_is_found():
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = plain().bfloat16()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x.bfloat16()).float()

    assert from_module(Half(), prepare=resize_to(16)).head == "net.4"


def test_a_network_that_does_not_run_and_one_of_no_kind_are_said():
    with pytest.raises(ModelError, match="fails on the output of its own preprocessing"):
        from_module(nn.Linear(7, 2), prepare=resize_to(16), head=None)
    with pytest.raises(ModelError, match=r"the preprocessing failed on an example \(image\).*ZeroDivisionError"):
        from_module(plain(), prepare=lambda image: 1 / 0)
    with pytest.raises(InputError, match=r"`kind` must be image or text; got 'images'"):
        from_module(plain(), prepare=resize_to(16), kind="images")


def test_a_head_that_writes_over_its_input_leaves_the_features_as_they_came():
    torch.manual_seed(0)
    head = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 5))
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    features, _ = from_module(net, prepare=resize_to(16), head="3").forward(pictures(16))
    assert (features < 0).any()


@pytest.mark.parametrize(
    "tail", [nn.BatchNorm1d(5), nn.Tanh(), nn.Softmax(dim=1), nn.LayerNorm(5, elementwise_affine=False)]
)
def test_what_follows_a_head_class_by_class_or_in_order_hides_it_not(tail):
    torch.manual_seed(1)
    if isinstance(tail, nn.BatchNorm1d):
        tail.running_mean, tail.weight.data = torch.randn(5), torch.randn(5)
    assert from_module(plain(5, tail).eval(), prepare=resize_to(16)).head == "4"
