"""Every kind of picture comes out upright, RGB, 8 bits; what cannot be read is an `ExampleError` in words."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from headstart.data.pixels import decode, upright_rgb
from headstart.errors import ExampleError

# What each EXIF orientation does to an upright image, written down from the EXIF standard: a stored picture with tag t
# is upright(t)^-1 of what should be seen.
STORED_AS = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.swapaxes(0, 1),
    6: lambda seen: np.rot90(seen, 1),  # "rotate 90 clockwise to see it", so it is stored turned the other way
    7: lambda seen: np.rot90(seen, 2).swapaxes(0, 1),
    8: lambda seen: np.rot90(seen, -1),
}


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, format=form, **options)
    return content.getvalue()


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand, for kinds that Pillow cannot write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("tag", STORED_AS)
def test_the_exif_orientation_is_carried_out(tag: int) -> None:
    seen = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10
    exif = Image.Exif()
    exif[0x0112] = tag
    stored = Image.fromarray(np.ascontiguousarray(STORED_AS[tag](seen)))
    np.testing.assert_array_equal(np.asarray(decode(saved(stored, "PNG", exif=exif))), seen)


def test_damaged_exif_does_not_lose_the_picture() -> None:
    content = saved(Image.new("RGB", (3, 2), (9, 9, 9)), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode(content).getpixel((0, 0)) == (9, 9, 9)


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped() -> None:
    values = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    expected = np.round(values / 257).astype(np.uint8)  # 65535 = 255 * 257
    for content in (saved(Image.fromarray(values), "PNG"), saved(Image.fromarray(values), "TIFF")):
        image = decode(content)
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image)[..., 0], expected)


def test_sixteen_bits_of_colour_are_scaled_and_not_clipped() -> None:
    content = raw_png(2, 1, 16, 2, b"\0" + struct.pack(">6H", 65535, 32768, 0, 257, 0, 65535))
    np.testing.assert_allclose(np.asarray(decode(content)), [[[255, 128, 0], [1, 0, 255]]], atol=1)


def test_floats_are_taken_from_0_to_1() -> None:
    content = saved(Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)), "TIFF")
    assert np.asarray(decode(content))[0, :, 1].tolist() == [0, 128, 255]


@pytest.mark.parametrize("values", [[[0.0, 200.0]], [[-1.0, 1.0]], [[np.nan, 1.0]]])
def test_floats_of_another_range_are_refused(values: list[list[float]]) -> None:
    with pytest.raises(ExampleError, match=r"grey values run from .* use 0 to 1; save it with 8 bits"):
        upright_rgb(Image.fromarray(np.array(values, dtype=np.float32)))


def test_32_bits_of_0_to_255_are_refused_and_not_turned_black() -> None:
    grey = np.array([[0, 128, 255]], dtype=np.int32)
    with pytest.raises(ExampleError, match=r"run from 0 to 255, .* mode I should use 0 to 65535"):
        decode(saved(Image.fromarray(grey), "TIFF"))
    assert np.asarray(decode(saved(Image.fromarray(grey * 257), "TIFF")))[0, :, 0].tolist() == [0, 128, 255]
    assert np.asarray(decode(saved(Image.fromarray(grey * 0), "TIFF"))).max() == 0  # a black picture is black
    dark = b"P5\n3 1\n65535\n" + np.array([0, 120, 250], dtype=">u2").tobytes()  # a PGM says what white is
    assert np.asarray(decode(dark))[0, :, 0].tolist() == [0, 0, 1]


def test_grey_palette_and_bilevel_keep_their_colours() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    assert decode(saved(palette, "PNG")).getpixel((1, 0)) == (200, 100, 50)
    assert decode(saved(Image.new("L", (1, 1), 77), "PNG")).getpixel((0, 0)) == (77, 77, 77)
    assert decode(saved(Image.new("1", (1, 1), 1), "PNG")).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (0, 0, 0, 128), (127, 127, 127)),  # 255 * (1 - 128/255)
        ("LA", (0, 0), (255, 255, 255)),
        ("LA", (40, 255), (40, 40, 40)),
    ],
)
def test_transparency_is_laid_over_white(mode: str, colour: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert decode(saved(Image.new(mode, (1, 1), colour), "PNG")).getpixel((0, 0)) == expected


def test_a_transparent_palette_colour_is_laid_over_white() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    image = decode(saved(palette, "PNG", transparency=0))
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (200, 100, 50)]


def test_cmyk_is_ink_on_white() -> None:
    content = saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", quality=100)  # cyan takes away all red
    np.testing.assert_allclose(decode(content).getpixel((4, 4)), (0, 255, 255), atol=6)
    white = decode(saved(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG", quality=100))
    np.testing.assert_allclose(white.getpixel((4, 4)), (255, 255, 255), atol=3)


def test_of_several_frames_the_first_is_taken() -> None:
    frames = [Image.new("P", (2, 2), 0), Image.new("P", (2, 2), 1)]
    for frame in frames:
        frame.putpalette([1, 2, 3, 250, 250, 250])
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(content).getpixel((0, 0)) == (1, 2, 3)


def test_the_given_image_is_not_edited() -> None:
    image = Image.new("RGBA", (2, 3), (1, 2, 3, 4))
    exif = image.getexif()
    exif[0x0112] = 6
    before = image.tobytes()
    assert upright_rgb(image).size == (3, 2)
    assert (image.mode, image.size, image.tobytes(), image.getexif()[0x0112]) == ("RGBA", (2, 3), before, 6)


def test_a_truncated_jpeg_is_said_to_be_damaged() -> None:
    rng = np.random.default_rng(0)
    content = saved(Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")
    with pytest.raises(ExampleError, match=r"the image is damaged: .*truncated"):
        decode(content[: len(content) // 2])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
def test_an_image_cut_anywhere_is_an_example_error_and_nothing_else(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    content = saved(Image.fromarray(noise), form)
    for keep in range(1, len(content) * 3 // 4, 37):
        with pytest.raises(ExampleError):
            decode(content[:keep])


def test_what_is_no_image_is_said_to_be_none() -> None:
    with pytest.raises(ExampleError, match="not an image: it starts with b'hello'"):
        decode(b"hello")
    with pytest.raises(ExampleError, match="the file is empty"):
        decode(b"")


@pytest.mark.parametrize("side", [10_000, 30_000])  # below and above where Pillow itself refuses
@pytest.mark.parametrize("action", ["error", "ignore"])
def test_a_decompression_bomb_is_refused_before_its_pixels_are_made(side: int, action: str) -> None:
    bomb = raw_png(side, side, 8, 2, b"\0")
    with warnings.catch_warnings():
        warnings.simplefilter(action)  # type: ignore[arg-type]
        with pytest.raises(ExampleError, match=r"pixels.*shrink the image|size.*shrink the image"):
            decode(bomb)


def test_a_format_that_runs_a_program_is_refused() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n"
    with pytest.raises(ExampleError, match="not an image"):
        decode(postscript)
