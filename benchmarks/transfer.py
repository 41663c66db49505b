"""Speed of transfers: heads on cached features, the order of images in memory, our training loop beside a bare one.

    python benchmarks/transfer.py            # about four minutes on 2 quiet cores; writes benchmarks/RESULTS.md

Rivals run side by side in one process and take turns, so that a busy machine slows both alike. Wall and processor time
are both given: on a machine that is shared, the second says more.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from _results import write_section
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from headstart.train.batches import TensorBatches, epoch_order
from headstart.train.groups import Group
from headstart.train.head import fit_head
from headstart.train.head_sgd import fit_heads_sgd
from headstart.train.loop import fit
from headstart.train.training import Training
from headstart.transfers.network import transferable
from headstart_paper.networks import open_source

N, D, CLASSES = 250, 512, 5
Result = TypeVar("Result")


def task(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features as a rectified layer gives them: positive, correlated, of very different spread."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, N)
    centres = rng.normal(size=(CLASSES, D)) * 0.4
    mix = rng.normal(size=(D, D)) * np.logspace(0, -2, D)
    return np.maximum((centres[labels] + rng.normal(size=(N, D))) @ mix, 0) + 0.5, labels


def timed(work: Callable[[], Result]) -> tuple[float, float, Result]:
    """Wall seconds, processor seconds, result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - processor, result


def heads(tasks: int) -> list[str]:
    drawn = [task(seed) for seed in range(tasks)]
    x, y = np.stack([t[0] for t in drawn]), np.stack([t[1] for t in drawn])
    lines = [f"Heads for {tasks} tasks of {N} examples x {D} features, {CLASSES} classes:", ""]
    lines += ["| way | wall s | processor s |", "|---|---|---|"]
    for name, work in (
        ("to the optimum, penalty by leave-one-out", lambda: [fit_head(*one, classes=CLASSES) for one in drawn]),
        ("to the optimum, penalty given", lambda: [fit_head(*one, classes=CLASSES, penalty=1e-2) for one in drawn]),
        ("SGD of the LEEP paper, 100 epochs", lambda: fit_heads_sgd(x, y, classes=CLASSES)),
    ):
        wall, processor, _ = timed(work)
        lines.append(f"| {name} | {wall:.1f} | {processor:.1f} |")
    return [*lines, "", f"Goal: 200 tasks under 20 s in all on 2 cores; {tasks} were run.", ""]


def objective(weight: np.ndarray, bias: np.ndarray, x: np.ndarray, y: np.ndarray, penalty: float) -> float:
    logits = x @ weight.T + bias
    losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
    return float(losses.mean() + penalty / 2 * (weight**2).sum())


def against_scikit_learn(repeats: int) -> list[str]:
    lines = ["One head against scikit-learn's `LogisticRegression` (L-BFGS, tol 1e-8), medians:", ""]
    lines += ["| penalty | our objective - theirs | ours, processor s | theirs | ratio |", "|---|---|---|---|---|"]
    for penalty in (1e-1, 1e-2, 1e-3):
        ours, theirs, gaps = [], [], []
        for seed in range(repeats):
            x, y = task(seed)
            model = LogisticRegression(C=1 / (N * penalty), tol=1e-8, max_iter=100_000)
            _, mine, head = timed(partial(fit_head, x, y, penalty=penalty))
            _, other, _ = timed(partial(model.fit, x, y))
            ours.append(mine)
            theirs.append(other)
            gaps.append(head.objective - objective(model.coef_, model.intercept_, x, y, penalty))
        worst = max(gaps, key=abs)
        mine, other = statistics.median(ours), statistics.median(theirs)
        lines.append(f"| {penalty:g} | {worst:+.1e} | {mine:.3f} | {other:.3f} | {other / mine:.1f} |")
    return [*lines, "", "Goal: the same objective to 1e-6, and faster.", ""]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for width, wider in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(width, wider, 3, padding=1), nn.BatchNorm2d(wider), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def overhead(repeats: int) -> list[str]:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(640, 3, 32, 32)), dtype=torch.float32)
    y = torch.as_tensor(rng.integers(0, 10, 640))
    training = Training(epochs=2, batch_size=32, optimizer="sgd", schedule="constant", warmup=0.0, weight_decay=0.0)
    start = network()
    names = tuple(name for name, _ in start.named_parameters())
    group = Group("all", names, tuple(name for name, _ in start.named_modules()), 0.01)

    def ours() -> nn.Module:
        net = copy.deepcopy(start)
        fit(net, [group], TensorBatches(x, y), None, training)
        return net

    def bare() -> nn.Module:
        net = copy.deepcopy(start).train()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        for epoch in range(training.epochs):
            for indices in epoch_order(len(y), 32, 0, epoch):
                optimizer.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(net(x[indices]), y[indices]))
                optimizer.step()
        return net

    same = all(
        torch.equal(a, b) for a, b in zip(ours().state_dict().values(), bare().state_dict().values(), strict=True)
    )
    pairs = [(timed(ours)[:2], timed(bare)[:2]) for _ in range(repeats)]
    wall = statistics.median(a[0] / b[0] for a, b in pairs)
    processor = statistics.median(a[1] / b[1] for a, b in pairs)
    return [
        "Our training loop against a bare one with the same steps (small network, 32 px, 40 steps of 32):",
        "",
        f"- weights afterwards: {'the same, bit for bit' if same else 'DIFFERENT'}",
        f"- wall time {wall - 1:+.1%}, processor time {processor - 1:+.1%} (medians over {repeats} pairs)",
        "",
        "Goal: at most 5 % more.",
        "",
    ]


def orders(repeats: int) -> list[str]:
    lines = ["A step of fine-tuning with the images' channels last in memory, as headstart lays them out, against the"]
    lines += ["usual order (forward and backward pass, medians):", ""]
    lines += ["| source | batch | channels last, processor ms | usual order | ratio |", "|---|---|---|---|---|"]
    for name, size in (("zoo/tiny_emoji", 10), ("zoo/efficientnet_lite0", 10)):
        model = transferable(open_source(name), CLASSES, seed=0)
        network, shape = model.network.train(), model.probe.shape[1:]
        usual, labels = torch.randn(size, *shape), torch.arange(size) % CLASSES
        batches = (usual.contiguous(memory_format=torch.channels_last), usual)

        def step(batch: Tensor, network: nn.Module = network, labels: Tensor = labels) -> None:
            network.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(network(batch), labels))

        step(usual)
        times = [[timed(partial(step, batch))[1] * 1e3 for batch in batches] for _ in range(repeats)]
        last, other = (statistics.median(column) for column in zip(*times, strict=True))
        lines.append(f"| {name}, {shape[-1]} px | {size} | {last:.1f} | {other:.1f} | {other / last:.2f} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dry-run", action="store_true", help="print only; leave RESULTS.md alone")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    lines = [f"Command: `python benchmarks/transfer.py --tasks {args.tasks}`; {args.threads} threads.", ""]
    lines += overhead(args.repeats) + orders(min(args.repeats, 9))
    lines += against_scikit_learn(args.repeats) + heads(args.tasks)
    print("\n".join(lines))
    if not args.dry_run:
        write_section("Transfer", lines)


if __name__ == "__main__":
    main()
