"""What changes a fingerprint, and what must not."""

import copy
import warnings

import numpy as np
import pytest
import timm
import torch
from tests.sources.tiny_models import plain, resize_to
from torch import nn

from headstart.errors import InputError
from headstart.sources import from_module
from headstart.sources.fingerprint import architecture, weights_hash


def print_of(module, **options):
    return from_module(module, **{"prepare": resize_to(16), **options}).fingerprint


def test_two_names_for_the_same_weights():
    module = plain()
    twin = copy.deepcopy(module)
    assert print_of(module, name="one") == print_of(twin, name="two", classes=list("abcde"))


def test_mode_and_memory_layout_do_not_count():
    module = plain()
    turned = copy.deepcopy(module).train().to(memory_format=torch.channels_last)
    assert print_of(module) == print_of(turned)


def test_everything_that_changes_the_numbers_counts():
    module = plain()
    changed = copy.deepcopy(module)
    with torch.no_grad():
        changed[0].bias[3] += 1e-7
    wider = nn.Sequential(*copy.deepcopy(module)[:2], nn.AdaptiveMaxPool2d(1), *copy.deepcopy(module)[3:])
    prints = [
        print_of(module),
        print_of(changed),
        print_of(wider),  # same weights, another pooling
        print_of(module, prepare=resize_to(17)),
        print_of(module, prepare=lambda image: resize_to(16)(image) / 2),
        print_of(module, head=None),
    ]
    assert len(set(prints)) == len(prints)


def test_a_setting_that_repr_does_not_show_counts():
    token = timm.create_model("test_vit", num_classes=5, global_pool="token")
    mean = timm.create_model("test_vit", num_classes=5, global_pool="avg", fc_norm=False)
    mean.load_state_dict(token.state_dict())
    assert weights_hash(token) == weights_hash(mean)
    assert architecture(token) != architecture(mean)


def test_bfloat16_and_empty_state_are_hashed():
    half = plain().to(torch.bfloat16)
    assert weights_hash(half) != weights_hash(plain())
    assert weights_hash(nn.Flatten()) == weights_hash(nn.ReLU())


def test_random_preprocessing_is_refused():
    def prepare(image):
        return resize_to(16)(image) + torch.rand(3, 16, 16)

    with pytest.raises(InputError, match="two results for the same example"):
        from_module(plain(), prepare=prepare)


def test_timm_preprocessing_counts_without_being_given():
    small = timm.create_model("test_efficientnet", num_classes=5)
    large = copy.deepcopy(small)
    large.pretrained_cfg = {**large.pretrained_cfg, "input_size": (3, 96, 96)}
    assert from_module(small).fingerprint != from_module(large).fingerprint
    np.testing.assert_array_equal(from_module(large).card.input_size, (3, 96, 96))


class Acting(nn.Module):
    """A network with what a state dict does not hold: a buffer left out, a plain tensor, a function."""

    def __init__(self, act=torch.relu, scale=1.0, shift=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.act, self.shift = act, torch.tensor(shift)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.fc = nn.Linear(3, 5)

    def forward(self, x):
        return self.fc(self.act(x.mean(dim=(2, 3))) * self.scale + self.shift)


class Steeper(Acting):
    def forward(self, x):
        return self.fc(self.act(x.mean(dim=(2, 3))) * self.scale * 2 + self.shift)


def test_what_a_state_dict_does_not_hold_counts():
    edited, before = type("Edited", (Acting,), {"forward": Steeper.forward}), type("Edited", (Acting,), {})
    prints = [
        print_of(Acting()),
        print_of(Acting(scale=2.0)),
        print_of(Acting(shift=1.0)),
        print_of(Acting(torch.sin)),
        print_of(Acting(lambda x: x + 1)),
        print_of(Acting(lambda x: x + 2)),
        print_of(before()),
        print_of(edited()),  # of one name, as after a change in a notebook
    ]
    assert len(set(prints)) == len(prints)
    assert print_of(Acting()) == prints[0]
    assert print_of(Acting(lambda x: x + 1)) == prints[4]


def test_what_a_module_computes_itself_does_not_count():
    def normed(seed):
        module = plain()
        torch.manual_seed(seed)
        nn.init.normal_(module[0].weight)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            nn.utils.weight_norm(module[0])
        return module

    first, other, used = normed(1), normed(2), normed(3)
    other.load_state_dict(first.state_dict())
    used.load_state_dict(first.state_dict())
    used(torch.rand(2, 3, 16, 16))
    assert weights_hash(first) == weights_hash(other) == weights_hash(used)


def test_tensors_of_every_kind_are_hashed():
    def holding(tensor):
        module = plain()
        module.held = tensor
        return module

    dense = torch.eye(3)
    complex_ = torch.complex(dense, 2 * dense)
    held = [dense, 2 * dense, dense.to_sparse(), complex_, complex_.conj(), complex_.conj().imag]
    assert len({weights_hash(holding(one)) for one in held}) == len(held) - 1  # sparse or dense, the numbers are one
    assert print_of(holding((2 * dense).to_sparse())) == print_of(holding(2 * dense))


def test_a_preprocessing_for_short_texts_alone_is_taken():
    def filled(text):
        codes = torch.zeros(100)
        codes[: len(text)] = torch.tensor([float(ord(letter)) for letter in text])
        return codes

    assert from_module(nn.Linear(100, 5), prepare=filled, kind="text").head == ""


def test_how_examples_are_joined_counts():
    def padded(most):
        return lambda rows: nn.utils.rnn.pad_sequence([row[:most] for row in rows], batch_first=True)

    def codes(text):
        return torch.tensor([len(word) for word in text.split()])

    module = nn.Sequential(nn.EmbeddingBag(100, 8), nn.Linear(8, 5))
    options = {"kind": "text", "prepare": codes, "head": "1"}
    prints = [print_of(module, collate=padded(most), **options) for most in (2, 64, 512, 100_000)]
    assert len(set(prints)) == 4


def test_preprocessing_in_half_width_is_hashed():
    prepares = [lambda image, by=by: (resize_to(16)(image) * by).bfloat16() for by in (1, 2)]
    assert len({print_of(plain().bfloat16(), prepare=prepare) for prepare in prepares}) == 2
