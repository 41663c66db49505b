"""What changes a fingerprint, and what must not."""

import copy
import functools
import os
import re
import subprocess
import sys
import types
import warnings

import numpy as np
import pytest
import timm
import torch
from tests.sources.tiny_models import plain, resize_to
from torch import nn
from torch.nn import functional
from torchvision import transforms

from headstart.errors import InputError
from headstart.sources import from_module
from headstart.sources.fingerprint import architecture, behaviour, weights_hash
from headstart.sources.own_code import own_code


def print_of(module, **options):
    return from_module(module, **{"prepare": resize_to(16), **options}).cache_key


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


def codes(text):
    return torch.tensor([ord(letter) % 50 for letter in text[:80].ljust(80)])


@pytest.mark.parametrize(
    "clean",
    [
        lambda text: re.sub(r"<[^>]+>", " ", text),
        lambda text: re.sub(r"https?://\S+", "", text),
        lambda text: re.sub(r"\s+", " ", text),
        lambda text: text.encode("ascii", "ignore").decode(),
        str.lstrip,
    ],
)
def test_how_texts_are_cleaned_counts(clean):
    module = nn.Sequential(nn.EmbeddingBag(50, 8), nn.Linear(8, 5))
    seen = {
        from_module(module, prepare=prepare, kind="text", head="1").cache_key
        for prepare in (codes, lambda text: codes(clean(text)))
    }
    behaves = {behaviour(prepare, "text", own=True) for prepare in (codes, lambda text: codes(clean(text)))}
    assert len(seen) == len(behaves) == 2


def thumbnail(side, image):
    image = image.copy()
    image.thumbnail((side, side))
    return resize_to(16)(image)


def test_what_is_done_to_large_images_alone_counts():
    prepares = [functools.partial(thumbnail, side) for side in (400, 1000)]
    assert len({print_of(plain(), prepare=prepare) for prepare in prepares}) == 2
    assert len({behaviour(prepare, "image", own=True) for prepare in prepares}) == 2


def test_a_preprocessing_that_a_library_wrote_is_known_by_what_it_does():
    prepare = transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()])
    again = transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()])
    own = transforms.Compose([transforms.Lambda(lambda image: image.resize((16, 16))), transforms.ToTensor()])
    assert print_of(plain(), prepare=prepare) == print_of(plain(), prepare=again)
    assert [bool(own_code(each)[0]) for each in (prepare, own)] == [False, True]


def by(factor):
    return lambda x: x * factor


class Times:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor


def helped(pool):
    """A class of one name whose helper method is `pool`, as after a change in a notebook."""

    def forward(self, x):
        return self.fc(self.encode(x))

    body = {"forward": forward, "encode": lambda self, x: pool(x), "__module__": __name__, "__qualname__": "Helped"}
    return type("Helped", (Acting,), body)()


def named_globally(pool):
    """A module whose `forward` names a function of its file."""
    home = {**globals(), "pool": pool}
    forward = types.FunctionType(CallsPool.forward.__code__, home, "forward")
    forward.__qualname__ = forward.__module__ = "edited"
    return type("CallsPool", (Acting,), {"forward": forward, "__module__": __name__})()


class CallsPool(Acting):
    def forward(self, x):
        return self.fc(pool(x))


def hooked(factor):
    module = plain()
    module[0].register_forward_hook(lambda part, inputs, output: output * factor)
    return module


def patched(factor):
    module = plain()
    before = module[0].forward
    module[0].forward = lambda x: before(x) * factor
    return module


def mean(x):
    return x.mean(dim=(2, 3))


def largest(x):
    return x.amax(dim=(2, 3))


OF_ONE_S_OWN = {
    "helper method": (helped, mean, largest),
    "function of the file": (named_globally, mean, largest),
    "partial": (lambda slope: Acting(functools.partial(functional.leaky_relu, negative_slope=slope)), 0.1, 0.9),
    "closure": (lambda factor: Acting(by(factor)), 1.0, 5.0),
    "object that is called": (lambda factor: Acting(Times(factor)), 1.0, 5.0),
    "method": (lambda factor: Acting(Times(factor).__call__), 1.0, 5.0),
    "default": (lambda factor: Acting(types.FunctionType(tied.__code__, globals(), "f", (factor,))), 1.0, 5.0),
    "hook": (hooked, 1.0, 7.0),
    "forward of an instance": (patched, 1.0, 7.0),
}


def tied(x, factor):
    return x * factor


@pytest.mark.parametrize("what", OF_ONE_S_OWN)
def test_what_one_s_own_code_does_counts(what):
    make, one, other = OF_ONE_S_OWN[what]
    prints = []
    for value in (one, other, one):
        torch.manual_seed(0)
        prints.append(print_of(make(value)))
    assert prints[0] == prints[2] != prints[1]


def test_code_that_leads_to_itself_is_searched():
    module = helped(mean)
    module.steps = [module]
    module.steps.append(module.steps)
    module.far = functools.reduce(lambda inner, _: lambda x: inner(x), range(2000), mean)
    assert print_of(module) == print_of(module)


def test_what_moves_while_a_network_runs_is_no_setting_of_it():
    count = types.SimpleNamespace(passes=0, images=0)

    class Counting(Acting):
        def forward(self, x):
            count.passes += 1
            return super().forward(x)

    def prepare(image):
        count.images += 1
        return resize_to(16)(image)

    assert print_of(Counting(), prepare=prepare) == print_of(Counting(), prepare=prepare)
    assert count.passes
    assert count.images


SCRIPT = """
import re
import numpy as np, torch
from torch import nn
from headstart.sources import from_module

WORDS = {"alpha", "beta", "gamma", "delta", "epsilon"}
TAGS = re.compile("<[^>]+>")
class Acts:
    def __init__(self): self.held = {"one": object(), frozenset(WORDS): {by(2), by(3)}}
    def __call__(self, x): return x if "alpha" in {"alpha", "beta", "gamma"} and WORDS else -x
def by(factor): return lambda x: x * factor
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self._cfg, self.fc = Acts(), {"b": 1, "a": [np.ones(2), Acts]}, nn.Linear(3, 5)
        self.fc.register_forward_hook(lambda part, inputs, output: output * len(WORDS))
    @torch.no_grad()
    def encode(self, x): return self.act(x).mean(dim=(2, 3))
    def forward(self, x): return self.fc(self.encode(x))
torch.manual_seed(0)
def prepare(image):
    TAGS.sub("", "")
    return torch.from_numpy(np.array(image.resize((8, 8)))).permute(2, 0, 1) / 255
print(from_module(Net(), prepare=prepare, collate=lambda rows: torch.stack(rows)).cache_key)
"""


RUN = "import runpy, sys; [runpy.run_path(script, run_name='__main__') for script in sys.argv[1:]]"


def test_every_process_gives_the_same_fingerprint_unless_code_has_no_source_text(tmp_path):
    noted = "print(from_module(Net(), prepare=prepare).notes)"
    texts = {"plain": SCRIPT, "edited": SCRIPT + "# edited\n", "hidden": f"exec({SCRIPT + noted!r}, globals())"}
    scripts = [tmp_path / f"{name}.py" for name in texts]
    for script, text in zip(scripts, texts.values(), strict=True):
        script.write_text(text)
    processes = [
        subprocess.run(
            [sys.executable, "-c", RUN, *scripts],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for seed in ("1", "2")
    ]
    (plain, edited, hidden, notes), other = processes
    assert [plain, edited] == other[:2]
    assert plain != edited
    assert len(plain) == 65
    assert hidden != other[2]  # so its cached rows are not shared
    assert "used by this process only" in notes
