"""Images of more than 8 bits: 8, 10 or 12 bits in files of 16 are read on the scale of the data set."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from headstart.data import open_target, open_unlabelled
from headstart.errors import ExampleError, InputError, TargetError

GREY = np.arange(6 * 8, dtype=np.uint16).reshape(6, 8) * 5  # 0 to 235


def colour_png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads and does not write."""
    height, width, channels = values.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def colour_tiff(values: np.ndarray, order: str) -> bytes:
    """An uncompressed TIFF of 16 bits a channel, in either order of bytes."""
    height, width, channels = values.shape
    pixels, mark = values.astype(f"{order}u2").tobytes(), b"II*\0" if order == "<" else b"MM\0*"
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8 + len(pixels)), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 8), (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(pixels))]
    start = 8 + len(pixels) + 6
    entries = b"".join(
        struct.pack(order + "HHI", tag, kind, count) + struct.pack(order + ("I" if kind == 4 or count > 1 else "HH"), *(
            (value,) if kind == 4 or count > 1 else (value, 0)
        ))
        for tag, kind, count, value in tags
    )  # fmt: skip
    head = mark + struct.pack(order + "I", start)
    return (
        head + pixels + struct.pack(order + "3H", 16, 16, 16) + struct.pack(order + "H", len(tags)) + entries + bytes(4)
    )


def file_of(values: np.ndarray, form: str) -> bytes:
    if form == "png16 colour":
        return colour_png(np.stack([values, values // 2, values // 3], axis=2))
    if form.startswith("tiff16 colour"):
        return colour_tiff(np.stack([values, values // 2, values // 3], axis=2), form[-1])
    content = io.BytesIO()
    if form == "png16 opaque":
        return colour_png(np.stack([values, values // 2, values // 3, np.full_like(values, 65535)], axis=2))
    if form == "png16 grey opaque":
        return colour_png(np.stack([values, np.full_like(values, 65535)], axis=2))
    dtype = {"png16": np.uint16, "tiff16": np.uint16, "tiff32": np.int32, "tiff float": np.float32}[form]
    Image.fromarray(values.astype(dtype)).save(content, "PNG" if form == "png16" else "TIFF")
    return content.getvalue()


def folder(root: Path, values: np.ndarray, form: str) -> Path:
    """Two classes of two images; the last is the brightest, the first is dark."""
    for number, name in enumerate(("cat", "cat", "dog", "dog")):
        path = root / name / f"{number}.{'png' if form.startswith('png') else 'tif'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file_of(values // (4 - number), form))
    return root


FORMS = [
    "png16",
    "tiff16",
    "tiff32",
    "tiff float",
    "png16 colour",
    "png16 opaque",
    "png16 grey opaque",
    "tiff16 colour <",
    "tiff16 colour >",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("bits", "white"), [(8, 255), (10, 1023), (12, 4095)])
def test_the_bits_in_use_decide_what_is_white(tmp_path: Path, form: str, bits: int, white: int) -> None:
    values = (GREY.astype(np.float64) * white / 235).astype(np.uint16)  # 0 to white
    target = open_target(folder(tmp_path, values, form))
    assert target.white_level == white
    assert any(
        f"{white} is white in all of them (`white_level`)" in note and f"{white}:" in note for note in target.notes
    )
    brightest = np.asarray(target.examples.load(3))
    np.testing.assert_array_equal(brightest[..., 0], np.rint(values * (255 / white)))
    np.testing.assert_array_equal(np.asarray(target.examples.load(0))[..., 0], np.rint((values // 4) * (255 / white)))
    if "colour" in form or form == "png16 opaque":
        np.testing.assert_array_equal(brightest[..., 1], np.rint((values // 2) * (255 / white)))


def declaring(root: Path, *levels: int) -> Path:
    """Two classes of two TIFF files, each with a MaxSampleValue."""
    for number, level in enumerate(levels):
        path = root / ("cat", "dog")[number % 2] / f"{number}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GREY * (number + 1)).save(path, tiffinfo={281: level})  # at most 940
    return root


def test_the_level_that_all_files_declare_is_white(tmp_path: Path) -> None:
    target = open_target(declaring(tmp_path / "a", 4000, 4000, 4000, 4000))
    assert target.white_level == 4000
    assert any("4000 (declared in the files) is white in all" in note for note in target.notes)
    np.testing.assert_array_equal(np.asarray(target.examples.load(0))[..., 0], np.rint(GREY * (255 / 4000)))
    for number, levels in enumerate([(235, 470, 705, 940), (500,) * 4, (65535,) * 4]):  # of each, too low, of the type
        assert open_target(declaring(tmp_path / str(number), *levels)).white_level == 1023


def test_a_grey_tiff_whose_zero_is_white_is_turned_over(tmp_path: Path) -> None:
    root = folder(tmp_path, GREY * np.uint16(257), "tiff16")
    path = root / "cat" / "0.tif"
    black, tag = open_target(root).examples.load(0), struct.pack("<HHI", 262, 3, 1)
    content = path.read_bytes()
    assert content.count(tag + b"\1") == 1
    path.write_bytes(content.replace(tag + b"\1", tag + b"\0"))
    turned = np.asarray(open_target(root).examples.load(0))
    np.testing.assert_array_equal(turned, 255 - np.asarray(black))


def test_images_that_use_all_16_bits_are_read_as_before(tmp_path: Path) -> None:
    target = open_target(folder(tmp_path, GREY * np.uint16(257), "png16"))
    assert (target.white_level, target.notes) == (65535, ())
    np.testing.assert_array_equal(np.asarray(target.examples.load(3))[..., 0], GREY)


def test_images_of_8_bits_have_no_white_level(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / name / "1.png")
    assert open_target(tmp_path).white_level is None


def test_arrays_tables_zips_and_pictures_in_memory_are_scaled_alike(tmp_path: Path) -> None:
    values = np.stack([GREY, GREY * 2, GREY * 4, GREY * 17])  # at most 3995
    expected = np.rint(values[0] * (255 / 4095))
    np.savez(tmp_path / "all.npz", images=values, labels=[0, 0, 1, 1])
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file, image in zip(files, values, strict=True):
        Image.fromarray(image).save(file)
    columns = {"image": [file.read_bytes() for file in files], "label": [0, 0, 1, 1]}
    items = [(image, label) for image, label in zip(values, (0, 0, 1, 1), strict=True)]
    given: tuple[Any, ...] = (
        tmp_path / "all.npz", (values, [0, 0, 1, 1]), ([Image.fromarray(one) for one in values], [0, 0, 1, 1]),
        (files, [0, 0, 1, 1]), columns, items, [(Image.fromarray(image), label) for image, label in items],
    )  # fmt: skip
    for spec in given:
        target = open_target(spec)
        assert target.white_level == 4095, spec
        np.testing.assert_array_equal(np.asarray(target.examples.load(0))[..., 0], expected)


def test_the_level_can_be_set_and_an_image_beyond_it_is_no_silent_clip(tmp_path: Path) -> None:
    root = folder(tmp_path, GREY * np.uint16(4), "png16")
    asked = open_target(root, white_level=4095)
    np.testing.assert_array_equal(np.asarray(asked.examples.load(3))[..., 0], np.rint(GREY * 4 * (255 / 4095)))
    assert open_target(root).examples.digest(3) != asked.examples.digest(3)  # the cache keeps them apart
    with pytest.raises(ExampleError, match=r"0 to 940, but white is 500.*`white_level`"):
        open_target(root, white_level=500).examples.load(3)
    with pytest.raises(InputError, match="`white_level` must be above 0"):
        open_target(root, white_level=-1)
    with pytest.raises(TargetError, match=r"`white_level=255`, but the open target has 4095"):
        open_target(asked, white_level=255)


def test_a_saved_run_reads_a_dark_image_on_the_scale_it_was_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, top in (("dark", 300), ("light", 4000)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(6):
            image = rng.integers(0, top, (32, 32)).astype(np.uint16)
            Image.fromarray(image).save(tmp_path / "data" / name / f"{number}.png")
    run = hs.transfer(tmp_path / "data", model="zoo/tiny_letters", method="head", cache=None)
    assert run.outcome.white_level == 4095
    loaded = hs.load(run.save(tmp_path / "run"))
    dark = tmp_path / "data/dark/0.png"
    alone = loaded.predict([dark])
    together = loaded.predict(tmp_path / "data")
    assert alone.outputs[0] == pytest.approx(together.outputs[0], abs=1e-6)
    assert alone.labels == ("dark",)
    assert open_unlabelled(dark, "image", white_level=4095).notes != ()
