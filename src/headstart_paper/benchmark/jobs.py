"""The steps of building the benchmark, each a function of names and a folder: run anywhere, in any order, once."""

import io
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load, save

from headstart.evaluation.benchmark import Pair, quantised
from headstart.ranking import estimate
from headstart.records import write_atomically
from headstart.scores import SCORES, evaluate
from headstart.sources import TinyResNet
from headstart.stats import jackknife_groups
from headstart.train import fit_head
from headstart_paper.benchmark import networks
from headstart_paper.benchmark.collect import collection
from headstart_paper.benchmark.recipes import UNTRAINED, Plan, Recipe
from headstart_paper.benchmark.samples import Labelled, draw, halves, held_out, pictures_of

UNTRAINED_CLASSES = 10
DEAR = ("parc",)  # its standard error costs as much as all the other scores together: values only
GROUPS = 20  # of the jackknife
LEFT_OUT = {
    "source_accuracy": "it reads ImageNet accuracy, which these sources do not have; see the row `source accuracy`",
    "random": "see the row `random order`",
}
Row = dict[str, Any]


def train_source(name: str, plan: Plan, folder: Path) -> Row:
    """Train one source and keep its weights; what is known about it."""
    started = time.process_time()
    if name == UNTRAINED:
        network, accuracy = networks.untrained(UNTRAINED_CLASSES, plan.seed), None
    else:
        recipe = plan.source(name)
        pictures, aside = held_out(_pictures(recipe, folder, "train", plan.seed), plan.seed)
        network = networks.pretrain(pictures, shown=plan.shown, mirrored=recipe.mirrored, seed=plan.seed)
        accuracy = networks.accuracy_of(network, aside)
    write_atomically(_weights_file(name, folder), save(network.state_dict()))
    return {
        "accuracy": accuracy,
        "classes": network.classifier.out_features,
        "seconds": time.process_time() - started,
    }


def prepare_target(name: str, plan: Plan, folder: Path) -> Row:
    """Draw a target's pictures and keep them."""
    pool, test = halves(_pictures(plan.target(name), folder, "test", plan.seed), plan.test, plan.seed)
    content = io.BytesIO()
    np.savez(
        content,
        images=np.concatenate([pool.images, test.images]),
        labels=np.concatenate([pool.labels, test.labels]),
        pool=len(pool.labels),
        classes=np.array(pool.classes),
    )
    write_atomically(_target_file(name, folder), content.getvalue())
    return {"classes": len(pool.classes), "pool": len(pool.labels), "test": len(test.labels)}


def head_outcomes(target: str, source: str, plan: Plan, folder: Path) -> Row:
    """Accuracy of a linear head, solved to its optimum on the source's features, for each seed."""
    started = time.process_time()
    pool, test = target_parts(target, folder)
    network = source_network(source, folder)
    features = networks.features_of(network, test.images)
    accuracies = []
    for seed in plan.seeds:
        drawn = draw(pool, plan.train, seed)
        head = fit_head(
            networks.features_of(network, drawn.images), drawn.labels, classes=len(drawn.classes), seed=seed
        )
        accuracies.append(float((head.outputs(features).argmax(axis=1) == test.labels).mean()))
    return {"accuracy": accuracies, "seconds": time.process_time() - started}


def tuned_outcome(target: str, source: str, seed: int, plan: Plan, folder: Path) -> Row:
    """Accuracy after fine-tuning the whole network."""
    started = time.process_time()
    pool, test = target_parts(target, folder)
    network = networks.fine_tune(
        source_network(source, folder), draw(pool, plan.train, seed), epochs=plan.epochs, seed=seed
    )
    return {"accuracy": networks.accuracy_of(network, test), "seconds": time.process_time() - started}


def pair_scores(target: str, source: str, plan: Plan, folder: Path) -> Row:
    """Every score of the table on the very arrays that are stored: {score: [value, standard error, seconds]}."""
    started = time.process_time()
    pair = pair_of(target, source, plan, folder)
    measure = partial(evaluate, labels=pair.labels, logits=pair.logits, features=pair.features)
    groups = jackknife_groups(len(pair.labels), GROUPS, seed=plan.seed)
    found, missing = measure([name for name in SCORES if name not in {*LEFT_OUT, *DEAR}], groups=groups)
    found |= measure(DEAR)[0]
    rows = {}
    for name, one in found.items():
        around = estimate(one)
        rows[name] = [one.value, around.standard_error if around else None, one.seconds]
    return {"scores": rows, "left_out": missing | LEFT_OUT, "seconds": time.process_time() - started}


def pair_of(target: str, source: str, plan: Plan, folder: Path) -> Pair:
    """The arrays of one pair, as they come back from 8 bits."""
    steps, scale, labels = pair_arrays(target, source, plan, folder)
    network = source_network(source, folder)
    weight, bias = (value.detach().numpy() for value in (network.classifier.weight, network.classifier.bias))
    return Pair(source, target, steps * scale, labels, weight, bias)


def pair_arrays(target: str, source: str, plan: Plan, folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features in steps (n, 64), the size of each column's step (64,), labels (n,)."""
    drawn = draw(target_parts(target, folder)[0], plan.train, plan.seed)
    return *quantised(networks.features_of(source_network(source, folder), drawn.images)), drawn.labels


def target_parts(name: str, folder: Path) -> tuple[Labelled, Labelled]:
    """The pool of training pictures and the test pictures that `prepare_target` kept."""
    with np.load(_target_file(name, folder), allow_pickle=False) as file:
        images, labels, pool, classes = (file[key] for key in ("images", "labels", "pool", "classes"))
    names = tuple(classes.tolist())
    return Labelled(images[:pool], labels[:pool], names), Labelled(images[pool:], labels[pool:], names)


def source_network(name: str, folder: Path) -> TinyResNet:
    """The network that `train_source` kept."""
    state = load(_weights_file(name, folder).read_bytes())
    network = TinyResNet(networks.WIDTHS, len(state["classifier.bias"]))
    network.load_state_dict(state, strict=True)
    return network.eval()


def _pictures(recipe: Recipe, folder: Path, part: str, seed: int) -> Labelled:
    photos = None
    if recipe.look == "on photos":
        grounds = collection("cifar10", folder / "pictures")
        photos = grounds.images[grounds.parts == part]
    return pictures_of(recipe, collection(recipe.data, folder / "pictures"), seed, photos)


def _weights_file(name: str, folder: Path) -> Path:
    return folder / "sources" / f"{name}.safetensors"


def _target_file(name: str, folder: Path) -> Path:
    return folder / "targets" / f"{name}.npz"
