"""CNAPs as one more row: the network adapts to each episode, which takes forward passes of its own."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from headstart.data.target import Target
from headstart.fewshot.episodes import Episodes, right
from headstart.runner import Event, Progress

if TYPE_CHECKING:
    from headstart.meta import Cnaps

NAME = "cnaps"


def right_answers(
    learner: "Cnaps", target: Target, drawn: Episodes, shots: tuple[int, ...], tell: Progress
) -> dict[tuple[str, int], Int[np.ndarray, "e w q"]]:
    """Which query examples of each episode are given their class, by number of shots."""
    import torch

    from headstart.train.batches import batches_of

    batches = batches_of(target, learner.source)
    ways = drawn.classes.shape[1]
    found = {(NAME, few): np.empty(drawn.query.shape, dtype=int) for few in shots}
    for episode, query in enumerate(drawn.query):
        tell(Event(NAME, episode, len(drawn.query)))
        asked = batches.load(np.maximum(query.ravel(), 0), None)  # padding is answered too and counts for nothing
        for few in shots:
            support = drawn.support[episode, :, :few].ravel()
            with torch.inference_mode():
                adapted = learner.adapt_to(
                    batches.load(support, None),  # type: ignore[arg-type]  # images
                    torch.arange(ways).repeat_interleave(few),
                    ways,
                )
                predicted = adapted(asked).argmax(dim=1).numpy()  # type: ignore[arg-type]  # images
            found[NAME, few][episode] = right(predicted[None], query[None])[0]
    return found
