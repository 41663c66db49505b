"""Train `zoo/tiny_clip`, a small image encoder whose outputs lie among the texts of a frozen sentence encoder.

Each emoji picture is drawn towards the embedding of its name ("grinning face") and away from those of all other names,
as in CLIP (Radford et al., ICML 2021) with a text side that is not trained. Names of kinds ("bird", "clothing") take no
part in it. It is judged zero-shot by kind on emoji that it never saw, and on all pictures of another vendor.

The pictures come from the npm packages emoji-datasource-google (trained on) and emoji-datasource-twitter (judged on),
unpacked into two folders; `npm pack emoji-datasource-google` downloads one. About 8 minutes of one free core:

    python scripts/train_tiny_clip.py --google FOLDER --twitter FOLDER
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from train_zoo import PREPROCESSING, WEIGHTS, emoji_kinds, vary_emoji

from headstart.sources import candidates
from headstart.sources.preparation import timm_preparation
from headstart.sources.tiny_resnet import TinyResNet

NAME, TEXT = "tiny_clip", "st/all-MiniLM-L6-v2"
WIDTHS, STEPS, BATCH, TEMPERATURE = (24, 48, 96, 128), 1800, 64, 0.07


def entries(folder: Path) -> list[dict[str, str]]:
    """The emoji that both vendors draw and whose kind has a name."""
    found = [e for e in json.loads((folder / "emoji.json").read_text()) if e["has_img_google"] and e["has_img_twitter"]]
    kinds = emoji_kinds(found)
    return [e | {"kind": str(kinds[e["subcategory"]])} for e in found if kinds[e["subcategory"]]]


def pictures(folder: Path, vendor: str, found: list[dict[str, str]]) -> list[Image.Image]:
    return [Image.open(folder / f"img/{vendor}/64" / e["image"]).convert("RGBA").resize((64, 64)) for e in found]


def on_white(picture: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def readable(kind: str) -> str:
    """ "animal-bird" -> "animal bird"."""
    return kind.replace("-", " ")


def embed(texts: list[str]) -> Tensor:
    """Unit embeddings of the frozen sentence encoder, through headstart's own source."""
    source = candidates(TEXT)[0].load(False)
    with torch.inference_mode():
        rows = [source.network(source.collate([source.prepare(text)]))[0] for text in texts]
    return F.normalize(torch.cat(rows), dim=1)


def train(rgba: Tensor, texts: Tensor, seed: int) -> TinyResNet:
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    model = TinyResNet(WIDTHS, texts.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=STEPS)
    started = time.monotonic()
    for step in range(STEPS):
        chosen = torch.randint(len(rgba), (BATCH,), generator=rng)
        x = (vary_emoji(rgba[chosen], rng) - 0.5) / 0.5
        loss = F.cross_entropy(F.normalize(model(x), dim=1) @ texts.T / TEMPERATURE, chosen)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} loss {loss.item():.3f} {time.monotonic() - started:.0f} s", flush=True)
    return model.eval()


def judged(model: TinyResNet, shown: list[Image.Image], labels: np.ndarray, prompts: Tensor) -> float:
    """Zero-shot accuracy through the preprocessing that ships."""
    preparation = timm_preparation(PREPROCESSING)
    with torch.inference_mode():
        parts = [shown[i : i + 256] for i in range(0, len(shown), 256)]
        rows = torch.cat(
            [model(preparation.collate([preparation.prepare(on_white(p)) for p in part])) for part in parts]
        )
    return float(((F.normalize(rows, dim=1) @ prompts.T).argmax(dim=1).numpy() == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--google", type=Path, required=True)
    parser.add_argument("--twitter", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = entries(options.google)
    kinds = sorted({e["kind"] for e in found})
    labels = np.array([kinds.index(e["kind"]) for e in found])
    rng = np.random.default_rng(options.seed)
    held = np.zeros(len(found), bool)
    for label in range(len(kinds)):
        members = np.flatnonzero(labels == label)
        held[rng.choice(members, size=len(members) // 6, replace=False)] = True
    google, twitter = pictures(options.google, "google", found), pictures(options.twitter, "twitter", found)
    rgba = torch.from_numpy(np.stack([np.array(p) for p in google])).permute(0, 3, 1, 2).float() / 255
    names = embed([e["name"].lower() for e in found])
    prompts = embed([f"a picture of {readable(kind)}." for kind in kinds])
    print(f"{int((~held).sum())} pictures to learn from, {int(held.sum())} held out, {len(kinds)} kinds", flush=True)
    started = time.monotonic()
    model = train(rgba[torch.from_numpy(~held)], names[torch.from_numpy(~held)], options.seed)
    seconds = time.monotonic() - started
    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    rows = np.flatnonzero(held)
    accuracy = {
        "google, emoji not seen": judged(model, [google[i] for i in rows], labels[rows], prompts),
        "twitter, emoji not seen": judged(model, [twitter[i] for i in rows], labels[rows], prompts),
        "twitter, all": judged(model, twitter, labels, prompts),
        "commonest kind": float(np.bincount(labels).max() / len(labels)),
    }
    save_file(state, WEIGHTS / f"{NAME}.safetensors")
    described = {
        "widths": WIDTHS,
        "preprocessing": PREPROCESSING,
        "text": TEXT,
        "width": names.shape[1],
        "scale": round(1 / TEMPERATURE, 4),
        "trained_on": f"{int((~held).sum())} emoji pictures (Google Noto) and their names in {TEXT}",
        "license": "Apache-2.0 (network and pictures)",
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out": {name: round(value, 4) for name, value in accuracy.items()},
        "trained": {"pictures": int((~held).sum()), "steps": STEPS, "seconds": round(seconds)},
    }
    (WEIGHTS / f"{NAME}.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(accuracy, indent=1))


if __name__ == "__main__":
    main()
