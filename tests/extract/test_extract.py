"""The forward pass: right rows in the right order, whatever the cache held, the batches were or the files are."""

import copy
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.extract.toys import Net, Texts, pictures, plainly, source, to_tensor
from torch import nn

from headstart.data.skips import allowed
from headstart.data.target import Target
from headstart.errors import InputError, ModelError, TargetError
from headstart.extract import extract, feed
from headstart.runner import Event
from headstart.sources import from_module


@pytest.fixture(params=["cached", "not cached"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "cached" else None


@pytest.mark.parametrize("classifier", [True, False])
def test_the_rows_are_those_of_a_plain_loop(cache: Path | None, classifier: bool):
    target, one = pictures(range(70)), source(Net(classifier=classifier))
    found = extract(target, one, cache=cache)
    features, logits = plainly(target, one, range(70))
    np.testing.assert_allclose(found.features, features, rtol=1e-4, atol=1e-6)
    if logits is None:
        assert found.logits is None
    else:
        np.testing.assert_allclose(found.logits, logits, rtol=1e-4, atol=1e-6)
    assert found.labels.tolist() == target.labels.tolist()
    assert found.ids == target.ids
    assert (found.computed, found.engine, found.layer) == (70, "eager", "input of head")
    assert found.seconds > 0


def test_a_second_run_computes_nothing_and_gives_the_same_bits(tmp_path: Path):
    target = pictures(range(40))
    first = extract(target, source(Net()), cache=tmp_path)
    second = extract(target, source(Fails()), cache=str(tmp_path))  # the network is not even called
    assert (second.computed, second.seconds, second.engine) == (0, 0.0, "")
    assert np.array_equal(first.features, second.features)
    assert np.array_equal(first.logits, second.logits)
    assert isinstance(second.features, np.memmap)


def test_a_growing_subset_computes_only_what_is_new(tmp_path: Path):
    order = np.random.default_rng(0).permutation(60)
    one = source(Net())
    computed = [extract(pictures(order[:n]), one, cache=tmp_path).computed for n in (10, 30, 60)]
    whole = extract(pictures(range(60)), one, cache=tmp_path)
    assert [*computed, whole.computed] == [10, 20, 30, 0]
    np.testing.assert_allclose(whole.features, plainly(pictures(range(60)), one, range(60))[0], rtol=1e-4, atol=1e-6)


def test_equal_examples_are_computed_once(tmp_path: Path):
    target, one = pictures([5, 7, 5, 5, 9, 7]), source(Net())
    found = extract(target, one, cache=tmp_path)
    assert found.computed == 3
    assert found.labels.tolist() == [2, 1, 2, 2, 0, 1]
    np.testing.assert_allclose(found.features, plainly(target, one, range(6))[0], rtol=1e-4, atol=1e-6)


def test_another_preprocessing_makes_other_rows(tmp_path: Path):
    target = pictures(range(10))
    light = extract(target, source(Net(), fingerprint="aaaa"), cache=tmp_path)
    dark = extract(target, source(Net(), fingerprint="bbbb", prepare=lambda i: to_tensor(i) / 2), cache=tmp_path)
    assert dark.computed == 10
    assert not np.allclose(light.features, dark.features)


def test_unreadable_examples_are_skipped_and_listed(cache: Path | None):
    target = pictures(range(30), undecodable=frozenset({4}), unreadable=frozenset({20}))
    one = source(Net())
    found = extract(target, one, cache=cache, max_bad=0.1)
    assert found.skipped == {"p4": "picture 4 is cut short.", "p20": found.skipped["p20"]}
    kept = [i for i in range(30) if i not in (4, 20)]
    assert found.ids == tuple(f"p{i}" for i in kept)
    assert found.labels.tolist() == [i % 3 for i in kept]
    np.testing.assert_allclose(found.features, plainly(target, one, kept)[0], rtol=1e-4, atol=1e-6)


def test_copies_of_an_unreadable_example_are_skipped_with_it(tmp_path: Path):
    target = pictures([1, 2, 3, 2], undecodable=frozenset({2}))
    found = extract(target, source(Net()), cache=tmp_path, max_bad=0.5)
    assert found.labels.tolist() == [1, 0]
    assert found.computed == 2


def test_too_many_unreadable_examples_are_an_error_that_names_the_first(cache: Path | None):
    target = pictures(range(100), undecodable=frozenset(range(50, 60)))
    with pytest.raises(
        TargetError, match=r"more than 2 of the 100 examples .* p50: picture 50 is cut short; p51: .*--max-bad"
    ):
        extract(target, source(Net()), cache=cache, max_bad=0.02)


@pytest.mark.parametrize(
    ("examples", "max_bad", "expected"), [(50, 0.01, 1), (100, 0.01, 1), (300, 0.01, 3), (50, 0.0, 0), (10, 1.0, 10)]
)
def test_how_many_may_be_unreadable(examples: int, max_bad: float, expected: int):
    assert allowed(examples, max_bad) == expected


def test_max_bad_of_zero_allows_none():
    with pytest.raises(TargetError, match="more than 0 of the 50 examples"):
        extract(pictures(range(50), undecodable=frozenset({7})), source(Net()), max_bad=0)


def test_a_target_without_a_readable_example_is_an_error(cache: Path | None):
    with pytest.raises(TargetError, match="none of the 3 examples of pictures can be read"):
        extract(pictures(range(3), undecodable=frozenset(range(3))), source(Net()), cache=cache, max_bad=1)


class Fails(Net):
    """Fails on every batch."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        raise RuntimeError("expected 4 channels")


class Odd(Net):
    """Gives NaN where the sum of the first pixels is odd."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        features, logits = super().forward(batch)
        odd = (batch[:, :, 0, 0].sum(dim=1) * 255).round() % 2 == 1
        return features, torch.where(odd[:, None], torch.nan, logits)


def test_nan_from_a_model_is_an_error_that_says_where(tmp_path: Path):
    target = pictures(range(30))
    with pytest.raises(ModelError, match=r"toy: it gives NaN or infinity in its logits for .* first for p\d+"):
        extract(target, source(Odd()), cache=tmp_path)
    sound = extract(target, source(Net()), cache=tmp_path)  # same hash: whatever the first run kept is here
    assert np.isfinite(sound.logits).all()


def test_a_model_that_fails_says_how():
    with pytest.raises(ModelError, match="toy: it fails in a forward pass: RuntimeError: expected 4 channels"):
        extract(pictures(range(3)), source(Fails()))


def test_a_preprocessing_that_fails_is_the_models_fault():
    with pytest.raises(ModelError, match="preprocessing fails on p0: ZeroDivisionError"):
        extract(pictures(range(3)), source(Net(), prepare=lambda image: 1 / 0))


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (lambda f, z: f, r"must return \(features, logits\), got Tensor"),
        (lambda f, z: (f[0], z), "toy: its features must be a matrix"),
        (lambda f, z: (f, z[:, :, None]), "toy: its logits must be a matrix"),
    ],
)
def test_a_model_that_returns_something_else_is_refused(outputs, message: str):
    class Strange(Net):
        def forward(self, batch: torch.Tensor):
            return outputs(*super().forward(batch))

    with pytest.raises(ModelError, match=message):
        extract(pictures(range(3)), source(Strange()))


def test_a_full_disk_costs_the_cache_and_not_the_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("headstart.store.writer.FLUSH_SECONDS", 0.0)
    target, one = pictures(range(40)), source(Net())
    right = plainly(target, one, range(40))[0]
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", Full(after=4))
        found = extract(target, one, cache=tmp_path, batch_size=8)
    np.testing.assert_allclose(found.features, right, rtol=1e-4, atol=1e-6)
    (note,) = (note for note in found.notes if "no room left for the cache" in note)
    assert "`--cache FOLDER`" in note
    found = extract(target, one, cache=tmp_path, batch_size=8)
    assert 0 < found.computed < 40
    np.testing.assert_allclose(found.features, right, rtol=1e-4, atol=1e-6)


class Full:
    """A disk that is full after some writes."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, handle: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")


def test_an_altered_segment_is_computed_again_and_noted(tmp_path: Path):
    target, one = pictures(range(20)), source(Net())
    first = extract(target, one, cache=tmp_path)
    kept = np.array(first.features)
    (file,) = tmp_path.rglob("*.features")
    content = bytearray(file.read_bytes())
    content[-3] ^= 0x40
    file.write_bytes(content)
    again = extract(target, one, cache=tmp_path)
    assert again.computed == 20
    assert "set aside because its checksum differs" in again.notes[0]
    np.testing.assert_allclose(again.features, kept, rtol=1e-5, atol=1e-6)


def test_ctrl_c_keeps_the_batches_that_are_done(tmp_path: Path):
    def interrupt(event: Event) -> None:
        if event.done >= 17:
            raise KeyboardInterrupt

    target, one = pictures(range(40)), source(Net())
    with pytest.raises(KeyboardInterrupt):
        extract(target, one, cache=tmp_path, batch_size=8, progress=interrupt)
    assert extract(target, one, cache=tmp_path).computed == 40 - 17  # one to measure, then two batches of 8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("headstart-decode")]


def test_nothing_is_decoded_any_more_once_a_pass_has_ended():
    def interrupt(event: Event) -> None:
        if event.done >= 9:
            raise KeyboardInterrupt

    target = pictures(range(200), seconds=0.005)
    with pytest.raises(KeyboardInterrupt):
        extract(target, source(Net()), batch_size=8, progress=interrupt)
    decoded = len(target.examples.loaded)
    time.sleep(0.1)
    assert len(target.examples.loaded) == decoded < 200


def test_progress_counts_from_what_is_cached_to_all(tmp_path: Path):
    one, steps = source(Net()), []
    extract(pictures(range(10)), one, cache=tmp_path)
    target = pictures(range(30), undecodable=frozenset({12}))
    extract(target, one, cache=tmp_path, batch_size=4, progress=lambda event: steps.append((event.done, event.total)))
    assert steps[0] == (10, 30)
    assert steps[-1] == (30, 30)
    assert steps == sorted(steps)
    assert len(steps) > 4


def test_batches_keep_to_the_limit(cache: Path | None):
    sizes: list[int] = []

    class Sized(Net):
        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
            sizes.append(len(batch))
            return super().forward(batch)

    extract(pictures(range(40)), source(Sized()), cache=cache, batch_size=6)
    assert max(sizes) == 6
    sizes.clear()
    extract(pictures(range(40)), source(Sized(), fingerprint="other"), cache=cache)
    assert max(sizes) == 32


def test_an_example_that_makes_large_activations_gets_small_slices():
    sizes: list[int] = []

    class Wide(Net):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Upsample(scale_factor=40)  # 3 x 640 x 640 floats: 4.9 MB

        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
            sizes.append(len(batch))
            return super().forward(self.wide(batch)[:, :, ::40, ::40])

    target, one = pictures(range(11)), source(Wide())
    found = extract(target, one)
    assert (sizes.count(2), max(sizes)) == (5, 2)  # and one example alone, to measure and to fold
    np.testing.assert_allclose(found.features, plainly(target, one, range(11))[0], rtol=1e-4, atol=1e-6)


class Hungry(Net):
    """Finds no memory for more than `most` rows."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(batch)


def test_batches_are_halved_when_memory_runs_out():
    target, one = pictures(range(50)), source(Hungry(most=5))
    found = extract(target, one)
    np.testing.assert_allclose(found.features, plainly(target, one, range(50))[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.logits, plainly(target, one, range(50))[1], rtol=1e-4, atol=1e-6)


def test_a_source_too_large_for_one_example_says_so():
    with pytest.raises(ModelError, match=r"toy: it needs more memory than there is in a forward pass .*smaller source"):
        extract(pictures(range(5)), source(Hungry(most=0)))


def test_the_callers_module_is_left_as_it_is():
    network = Net()
    network.conv.weight.requires_grad_(True)
    network.train()  # as a caller may have it: the pass itself must be in eval mode, on a copy
    before = state_of(network)
    target = pictures(range(40))
    found = extract(target, source(network), batch_size=8)
    assert state_of(network) == before
    network.eval()
    np.testing.assert_allclose(found.features, plainly(target, source(network), range(40))[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("examples", [1, 6, 7])
def test_a_handful_of_examples_gives_the_same_rows(examples: int):
    network = Net()
    before = state_of(network)
    target = pictures(range(examples))
    found = extract(target, source(network))
    assert state_of(network) == before
    np.testing.assert_allclose(
        found.features, plainly(target, source(network), range(examples))[0], rtol=1e-4, atol=1e-6
    )


def state_of(network: nn.Module) -> list[object]:
    state: list[object] = []
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        state += [name, id(tensor), tensor.data_ptr(), tensor.stride(), tensor.device, tensor.requires_grad]
        state += [tensor.detach().numpy().tobytes(), tensor.grad]
    for name, part in network.named_modules():
        state += [name, part.training, len(part._forward_hooks), len(part._forward_pre_hooks), sorted(vars(part))]
    return state


def pad(texts: list) -> dict[str, torch.Tensor]:
    longest = max(map(len, texts))
    codes = torch.tensor([[ord(letter) for letter in text.ljust(longest, "\0")] for text in texts])
    return {"codes": codes, "mask": (codes > 0).long()}


def test_texts_go_by_length_and_come_back_in_order(cache: Path | None):
    shapes: list[tuple[int, ...]] = []

    class Reader(nn.Module):
        def forward(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, None]:
            return (batch["codes"] * batch["mask"]).float().sum(dim=1, keepdim=True), None

    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abc"), rng.integers(1, 100))) + str(i) for i in range(50)]
    target = Target(
        "t", "text", "classification", Texts(texts), np.arange(50) % 2, ("a", "b"), tuple(map(str, range(50)))
    )

    def collate(items: list) -> dict[str, torch.Tensor]:
        batch = pad(items)
        shapes.append(tuple(batch["codes"].shape))
        return batch

    one = source(Reader(), prepare=lambda text: text, collate=collate, kind="text")
    found = extract(target, one, cache=cache, batch_size=10)
    assert found.features[:, 0].tolist() == [sum(map(ord, text)) for text in texts]
    lengths = [shape[1] for shape in shapes]
    assert lengths == sorted(lengths, reverse=True)
    assert sum(shape[0] * shape[1] for shape in shapes) < 1.2 * sum(map(len, texts))


@pytest.mark.parametrize("threads", [1, 3])
def test_decoding_uses_one_thread_per_core(threads: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("headstart.extract.feed.decoders", lambda: threads)
    names: set[str] = set()
    inner: set[int] = set()
    meet = threading.Barrier(threads)

    def prepare(image: object) -> torch.Tensor:
        if len(names) < threads:
            names.add(threading.current_thread().name)
            inner.add(torch.get_num_threads())
            meet.wait(timeout=30)
        return to_tensor(image)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        extract(pictures(range(12)), source(Net(), prepare=prepare))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert len(names) == threads
    assert inner == {1}  # torch starts no threads of its own inside them


def test_decoding_goes_ahead_of_the_network_but_only_so_far():
    ahead: list[int] = []
    target = pictures(range(400))

    class Slow(Net):
        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
            threading.Event().wait(0.02)
            ahead.append(len(target.examples.loaded) - sum(done))
            done.append(len(batch))
            return super().forward(batch)

    done: list[int] = []
    extract(target, source(Slow()), batch_size=8)
    lanes = min(torch.get_num_threads(), 8)
    assert 8 < max(ahead) <= feed.AHEAD + 8 * (lanes + 2)


def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="`device` must be one of auto, cpu, cuda, mps; got 'tpu'"):
        extract(pictures(range(3)), source(Net()), device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match=r"`device` is 'cuda', but torch finds none here .*`--device auto`"):
            extract(pictures(range(3)), source(Net()), device="cuda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"max_bad": 1.5}, "`max_bad` must be a share between 0 and 1, got 1.5"),
        ({"engine": "warp"}, "`engine` must be one of auto, eager, onnxruntime; got 'warp'"),
    ],
)
def test_options_that_do_not_fit_are_errors(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        extract(pictures(range(3)), source(Net()), **options)


def test_a_text_source_is_not_given_pictures():
    with pytest.raises(InputError, match="toy reads text data, but pictures holds image data"):
        extract(pictures(range(3)), source(Net(), kind="text"))


def test_a_target_without_examples_is_an_error():
    with pytest.raises(InputError, match="`target` pictures has no examples"):
        extract(pictures([]), source(Net()))


def trained(module):
    for part in module.modules():
        if isinstance(part, nn.Linear):
            with torch.no_grad():
                part.bias.add_(1.0)


def replaced(module):
    module.load_state_dict({name: value + 1 for name, value in module.state_dict().items()})


def moved(module):
    module.double()
    module.float()


def through_a_pass(module):
    module.train()(torch.rand(2, 3, 16, 16))  # moves the statistics of the norm


def small(image):
    return to_tensor(image.resize((16, 16)))


def a_source_of_its_own():
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return from_module(nn.Sequential(*body, nn.Linear(6, 5)), prepare=small)


@pytest.mark.parametrize("change", [trained, replaced, through_a_pass])
def test_a_module_that_was_trained_since_is_no_source_any_more(change, tmp_path):
    one, target = a_source_of_its_own(), pictures(range(12))
    extract(target, one, cache=tmp_path)
    change(one.module)
    with pytest.raises(ModelError, match=r"module/Sequential: its weights have changed.*`headstart.from_module"):
        extract(target, one, cache=tmp_path)
    again = from_module(one.module.eval(), prepare=small)
    assert extract(target, again, cache=tmp_path).computed == 12


def test_weights_that_were_only_moved_have_not_changed(tmp_path):
    one, target = a_source_of_its_own(), pictures(range(12))
    extract(target, one, cache=tmp_path)
    moved(one.module)
    assert extract(target, one, cache=tmp_path).computed == 0
    assert extract(target, copy.deepcopy(one), cache=tmp_path).computed == 0
