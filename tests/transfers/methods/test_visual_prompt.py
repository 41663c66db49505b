"""A visual prompt is a frame of pixels around the image."""

import torch
from tests.transfers.tiny import planned, source

from headstart.transfers.network import transferable

IMAGE = source()


def test_a_visual_prompt_touches_the_frame_only() -> None:
    model, _ = planned("visual-prompt", IMAGE, prompt=2)
    with torch.no_grad():
        model.network.frame.pixels.fill_(7.0)
    x = torch.zeros(1, 3, 8, 8)
    framed = model.network.frame(x)
    assert framed[..., 2:6, 2:6].abs().max() == 0
    assert (framed[..., :2, :] == 7).all()
    assert not torch.equal(model.network(x), transferable(IMAGE, 3, seed=0).network(x))
