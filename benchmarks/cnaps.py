"""Does CNAPs adapt to the set it is shown, or has it learnt one change of the network for all sets?

    python benchmarks/cnaps.py SOURCE EPISODES CHECKPOINT DATA...

Adaptation networks learn from two thirds of the classes of each data set and are tested on tasks of the other classes.
Printed for each data set: accuracy of the nearest class mean on the source's own features, of CNAPs, of CNAPs with the
code of another set in place of the task's own, and with one code for all (the mean). One that adapts loses by those.
The training writes its state to CHECKPOINT every minute; the same command resumes it.
"""

import sys
from dataclasses import replace

import numpy as np
import torch

from headstart.data import Target, open_target
from headstart.meta import Cnaps, MetaTraining, meta_train
from headstart.meta.episodes import Episode, draw_episode
from headstart.train import batches_of

MOST, TASKS = 150, 30  # images of a class; test tasks of a data set
TEST = MetaTraining(ways=(3, 5), shots=(5, 10), queries=6, seed=77)


def of_classes(target: Target, codes: np.ndarray) -> Target:
    """At most `MOST` examples of each of these classes."""
    rows = np.sort(np.concatenate([np.flatnonzero(target.labels == code)[:MOST] for code in codes]))
    labels = np.searchsorted(codes, target.labels[rows])
    return replace(target.subset(rows), labels=labels, classes=tuple(target.classes[code] for code in codes))


def split(place: str) -> tuple[Target, Target]:
    """The classes to learn from and those to test on."""
    target = open_target(place)
    codes = np.random.default_rng(0).permutation(len(target.classes))
    held = max(3, len(codes) // 3)
    return of_classes(target, np.sort(codes[held:])), of_classes(target, np.sort(codes[:held]))


def tensors(learner: Cnaps, target: Target) -> list[tuple[torch.Tensor, ...]]:
    """Images and labels to adapt to, and to ask about, of each test task."""
    batches = batches_of(target, learner.source)

    def of(task: Episode) -> tuple[torch.Tensor, ...]:
        images = (batches.load(part, None) for part in (task.support, task.query))
        labels = (torch.as_tensor(part) for part in (task.support_labels, task.query_labels))
        return (*images, *labels)  # type: ignore[arg-type]  # images are tensors

    return [of(draw_episode([target.labels], number, TEST)) for number in range(TASKS)]


def nearest_mean(learner: Cnaps, task: tuple[torch.Tensor, ...]) -> float:
    """Accuracy of the nearest class mean on the features of the source as it is."""
    features, asked = ((learner.plain(images) - learner.center) / learner.spread for images in task[:2])
    means = torch.stack([features[task[2] == code].mean(dim=0) for code in range(int(task[2].max()) + 1)])
    return float((torch.cdist(asked, means).argmin(dim=1) == task[3]).float().mean())


def main(source: str, episodes: int, checkpoint: str, places: list[str]) -> None:
    """Train, test and print."""
    parts = [split(place) for place in places]
    learner = meta_train(source, [part for part, _ in parts], MetaTraining(episodes=episodes), checkpoint=checkpoint)
    with torch.no_grad():
        tasks = [tensors(learner, held) for _, held in parts]
        codes = torch.stack([torch.stack([learner.code_of(task[0]) for task in of_set]) for of_set in tasks])
        mean = codes.mean(dim=(0, 1))
        spread = (codes - mean).norm(dim=2).mean()
        print(f"norm of a set's code {codes.norm(dim=2).mean():.3f}, distance to their mean {spread:.3f}")
        rows = []
        for place, of_set in enumerate(tasks):
            row = []
            for number, task in enumerate(of_set):
                found = [nearest_mean(learner, task)]
                for code in (codes[place, number], codes[(place + 1) % len(tasks), number], mean):
                    adapted = learner.adapt_to(task[0], task[2], int(task[2].max()) + 1, code=code)
                    found.append(float((adapted(task[1]).argmax(dim=1) == task[3]).float().mean()))
                row.append(found)
            rows.append(np.mean(row, axis=0))
            print(places[place].rpartition("/")[2], np.round(rows[-1], 3))
        print("mean: nearest mean, CNAPs, another set's code, one code:", np.round(np.mean(rows, axis=0), 3))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
