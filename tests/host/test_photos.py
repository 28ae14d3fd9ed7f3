"""Photos open whatever they are, as upright 8-bit sRGB, say what was converted, and hostile files do no harm."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.Image import Transpose

from studio.host.imagemeta import MAX_PIXELS
from studio.host.imagemeta.colour import from_16_bits
from studio.host.photos import (
    MAX_DECODED, Photo, PhotoTooLarge, PhotoUnreadable, open_photo, photo_of_bytes, smaller_size,
)  # fmt: skip

FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RGBA = np.random.default_rng(1).integers(0, 256, (12, 16, 4)).astype(np.uint8)
OPAQUE = np.dstack([RGBA[..., :3], np.full((12, 16), 255, np.uint8)])


def encoded(image: Image.Image | np.ndarray[Any, Any], format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **options)
    return buffer.getvalue()


def png(values: np.ndarray[Any, Any], colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG, which Pillow does not write in colour. values: uint16 [H, W, channels]."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def claiming(width: int, height: int) -> bytes:
    """The head of a PNG of any size, and nothing behind it."""
    data = bytearray(encoded(OPAQUE))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


# --- what comes back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})])
def test_lossless_pictures_come_to_the_bit_and_colours_under_transparency_too(format: str, options: dict[str, Any]) -> None:
    photo = photo_of_bytes(encoded(RGBA, format, **options))
    assert photo.notes == () and photo.size == (16, 12) and photo.pixels.dtype == np.uint8
    assert np.array_equal(photo.pixels, RGBA)


@pytest.mark.parametrize(
    ("format", "options", "off"),
    [("BMP", {}, 0), ("TIFF", {"compression": "tiff_lzw"}, 0), ("TIFF", {"compression": "tiff_adobe_deflate"}, 0), ("JPEG", {"quality": 100, "subsampling": 0}, 8)],
)
def test_pictures_without_alpha_are_opaque(format: str, options: dict[str, Any], off: int) -> None:
    photo = photo_of_bytes(encoded(RGBA[..., :3].copy(), format, **options))
    assert photo.notes == () and (photo.pixels[..., 3] == 255).all()
    assert np.abs(photo.pixels.astype(int) - OPAQUE).max() <= off


def test_one_pixel() -> None:
    for mode, colour in (("RGB", (1, 2, 3)), ("L", 7), ("1", 1), ("P", 0), ("CMYK", (0, 0, 0, 0)), ("LA", (5, 6))):
        for format in ("PNG", "TIFF", "GIF") if mode != "CMYK" else ("TIFF", "JPEG"):
            if (mode, format) != ("LA", "GIF"):
                assert photo_of_bytes(encoded(Image.new(mode, (1, 1), colour), format)).pixels.shape == (1, 1, 4)
    assert photo_of_bytes(encoded(Image.new("LA", (1, 1), (5, 6)))).pixels.tolist() == [[[5, 5, 5, 6]]]


def test_grey_palettes_and_single_bits() -> None:
    grey = RGBA[..., 0].copy()
    assert np.array_equal(photo_of_bytes(encoded(grey)).pixels[..., 1], grey)
    bits = Image.fromarray(grey).convert("1")
    assert set(np.unique(photo_of_bytes(encoded(bits)).pixels[..., :3])) == {0, 255}
    palette = Image.fromarray(OPAQUE[..., :3].copy()).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    for format in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(photo_of_bytes(encoded(palette, format)).pixels[..., :3], expected)
    clear = photo_of_bytes(encoded(palette, "PNG", transparency=3)).pixels
    assert np.array_equal(clear[..., 3] == 0, np.asarray(palette) == 3)


# --- depth ---------------------------------------------------------------------------------------------------------


def test_16_bits_are_rounded_as_the_exact_quotient_is() -> None:
    every = np.arange(65_536, dtype=np.uint16)
    assert np.array_equal(from_16_bits(every), np.floor(every / 257 + 0.5).astype(np.uint8))
    assert np.array_equal(from_16_bits(np.arange(256, dtype=np.uint16) * 257), np.arange(256))


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_16_bit_png(colour_type: int) -> None:
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    values = np.random.default_rng(2).integers(0, 65_536, (5, 7, channels)).astype(np.uint16)
    photo = photo_of_bytes(png(values, colour_type))
    exact = values / 257
    colours = exact[..., :1].repeat(3, 2) if channels < 3 else exact[..., :3]
    alpha = exact[..., -1:] if channels in (2, 4) else np.full((5, 7, 1), 255.0)
    assert np.abs(photo.pixels - np.dstack([colours, alpha])).max() < 1  # a level; Pillow cuts colour where grey is rounded
    assert photo.notes == (f"16 bits a {'pixel' if colour_type == 0 else 'channel'} were reduced to 8.",)


def test_16_bit_grey_with_a_colour_that_is_clear() -> None:
    values = np.array([[[0], [300], [301], [65_535]]], np.uint16)
    photo = photo_of_bytes(png(values, 0, (b"tRNS", struct.pack(">H", 300))))
    assert photo.pixels[0, :, 3].tolist() == [255, 0, 255, 255] and photo.pixels[0, :, 0].tolist() == [0, 1, 1, 255]
    deep = photo_of_bytes(png(np.zeros((2, 2, 3), np.uint16), 2, (b"tRNS", struct.pack(">HHH", 300, 300, 300))))
    assert deep.pixels.shape == (2, 2, 4)


def test_tiff_of_16_and_32_bits_and_of_floats() -> None:
    ramp = np.linspace(0, 65_535, 96).astype(np.uint16).reshape(8, 12)
    expected = np.round(ramp / 257).astype(np.uint8)
    assert np.array_equal(photo_of_bytes(encoded(ramp, "TIFF")).pixels[..., 0], expected)
    wide = photo_of_bytes(encoded(ramp.astype(np.int32), "TIFF"))
    assert np.array_equal(wide.pixels[..., 2], expected) and wide.notes == ("Its numbers were scaled: 0 became black and 65,535 white.",)
    for top in (1.0, 255.0, 65_535.0, 1e6):
        values = (ramp / 65_535 * top).astype(np.float32)
        photo = photo_of_bytes(encoded(values, "TIFF"))
        assert np.abs(photo.pixels[..., 0] - ramp / 257).max() <= 0.51 and f"{top:,g} white" in photo.notes[0]
    values[0, :3] = np.nan, np.inf, -5
    assert photo_of_bytes(encoded(values, "TIFF")).pixels[0, :3, 0].tolist() == [0, 0, 0]


def test_tiff_of_16_bit_colour() -> None:
    """Made by hand (TIFF 6.0, sections 2 and 6): Pillow does not write it."""
    values = np.random.default_rng(3).integers(0, 65_536, (4, 6, 3)).astype("<u2")
    pixels = values.tobytes()
    bits, start = 8, 8 + 6  # where the three bit depths lie, and behind them the pixels
    entries = (
        (256, 3, 1, 6), (257, 3, 1, 4), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, start), (277, 3, 1, 3),
        (278, 3, 1, 4), (279, 4, 1, len(pixels)),
    )  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + b"\0\0\0\0"
    data = b"II*\0" + struct.pack("<I", start + len(pixels)) + struct.pack("<HHH", 16, 16, 16) + pixels + directory
    photo = photo_of_bytes(data)
    assert np.abs(photo.pixels[..., :3] - values / 257).max() < 1 and photo.notes == ("16 bits a channel were reduced to 8.",)


# --- colours -------------------------------------------------------------------------------------------------------


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()  # type: ignore[arg-type]


def wide_gamut() -> bytes:
    """An RGB profile that is not sRGB: the one of sRGB with red and green exchanged."""
    data = bytearray(profile("sRGB"))
    red, green = data.index(b"rXYZ", 128), data.index(b"gXYZ", 128)
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


def test_srgb_pictures_are_not_touched() -> None:
    photo = photo_of_bytes(encoded(RGBA, icc_profile=profile("sRGB")))
    assert photo.notes == () and np.array_equal(photo.pixels, RGBA)


def test_another_profile_is_converted_and_named_and_alpha_is_kept() -> None:
    photo = photo_of_bytes(encoded(RGBA, icc_profile=wide_gamut()))
    assert np.array_equal(photo.pixels[..., 3], RGBA[..., 3])
    exchanged = RGBA[..., [1, 0, 2]].astype(int)  # in that profile the first number is the amount of green
    assert np.abs(photo.pixels[..., :3] - exchanged).max() <= 2
    assert photo.notes == ("Its colours were converted from “sRGB built-in” to sRGB.",)


def test_a_grey_picture_with_a_colour_profile_is_taken_for_grey_colours() -> None:
    grey = RGBA[..., 0].copy()
    photo = photo_of_bytes(encoded(grey, icc_profile=profile("sRGB")))
    assert photo.notes == () and np.array_equal(photo.pixels[..., 2], grey)
    photo = photo_of_bytes(encoded(grey, icc_profile=wide_gamut()))  # its greys are those of sRGB
    assert np.abs(photo.pixels[..., 0].astype(int) - grey).max() <= 2 and "converted" in photo.notes[0]


def test_lab_and_cmyk() -> None:
    lab = np.zeros((2, 3, 3), np.uint8)
    lab[..., 0] = [[0, 128, 255]] * 2
    photo = photo_of_bytes(encoded(Image.frombytes("LAB", (3, 2), lab.tobytes()), "TIFF"))  # a and b are signed there
    grey = photo.pixels[0, :, 0].astype(int)
    assert grey[0] <= 1 and grey[2] >= 254 and abs(int(grey[1]) - 119) <= 2  # L* = 50.2 is 119.5 in sRGB
    assert "Lab" in photo.notes[0]
    cmyk = Image.frombytes("CMYK", (2, 1), bytes([0, 0, 0, 0, 0, 255, 255, 0]))
    for format in ("TIFF", "JPEG"):
        photo = photo_of_bytes(encoded(cmyk, format, **({"quality": 100, "subsampling": 0} if format == "JPEG" else {})))
        assert np.abs(photo.pixels[0, :, :3].astype(int) - [[255, 255, 255], [255, 0, 0]]).max() <= 12
        assert "CMYK" in photo.notes[0] and "approximate" in photo.notes[0]


def test_profiles_that_are_damaged_or_of_another_kind_are_left_out_with_a_word() -> None:
    for data, word in ((b"x" * 200, "damaged"), (wide_gamut()[:150], "damaged"), (profile("LAB"), "another kind")):
        photo = photo_of_bytes(encoded(RGBA, icc_profile=data))
        assert word in photo.notes[0] and np.array_equal(photo.pixels, RGBA)


# --- orientation, animation, names -----------------------------------------------------------------------------------

TURNS = {
    1: None, 2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_270,
}  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_comes_upright(orientation: int, format: str) -> None:
    """Stored as the camera would for this orientation (the opposite turn), a picture comes back as it was."""
    turn = TURNS[orientation]
    stored = Image.fromarray(RGBA) if turn is None else Image.fromarray(RGBA).transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = photo_of_bytes(encoded(stored, format, exif=exif, **({"lossless": True, "exact": True} if format == "WEBP" else {})))
    assert np.array_equal(photo.pixels, RGBA) and photo.size == (16, 12)
    assert photo.notes == (() if orientation == 1 else ("It was turned upright, as the camera noted.",))


def test_settings_that_make_no_sense_are_no_reason_to_refuse() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert photo_of_bytes(encoded(RGBA, exif=exif)).notes == ()
    for damaged in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"):
        assert np.array_equal(photo_of_bytes(encoded(RGBA, exif=damaged)).pixels, RGBA)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_pictures_the_first_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if format == "WEBP" else {}
    photo = photo_of_bytes(encoded(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert photo.pixels[0, 0].tolist() == [255, 0, 0, 255]
    assert photo.notes == (f"It {'holds several pictures' if format == 'TIFF' else 'is an animation'}; the first picture was taken.",)


def test_the_bytes_say_what_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(RGBA[..., :3].copy(), "JPEG"))
    assert open_photo(path).notes == ("Its name ends in .png, but it is a JPEG picture and was opened as that.",)
    for name in ("photo.JPG", "photo", "photo.jfif"):
        (tmp_path / name).write_bytes(path.read_bytes())
        assert open_photo(tmp_path / name).notes == ()


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"is empty \(0 bytes\)"), (b"%PDF-1.7 x", "is a PDF file, not a PNG"), (b"8BPS\0", "Photoshop"),
        (b"\0\0\0\x18ftypheic", "HEIC"), (b"PK\3\4....", "archive or a document"), (b"just text", "is not a PNG"),
        (b"<svg>", "SVG"), (b"\x89PNG\r\n\x1a\n", "cut off or damaged"), (b"GIF89a", "cut off or damaged"),
        (b"\xff\xd8\xff\xd9", "cut off or damaged"), (b"II*\0", "cut off or damaged"), (b"BM", "cut off or damaged"),
        (b"RIFF\0\0\0\0WEBP", "cut off or damaged"),
    ],
)  # fmt: skip
def test_what_is_no_picture(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(data)
    with pytest.raises(PhotoUnreadable, match=f"“odd.png” .*{words}"):
        open_photo(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.png", tmp_path):
        with pytest.raises(PhotoUnreadable, match="could not be read"):
            open_photo(path)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"])
def test_every_truncation_is_refused_or_whole(format: str) -> None:
    data = encoded(np.repeat(OPAQUE[..., :3], 4, 0).copy(), format)
    for length in range(0, len(data) * 3 // 4, 37):
        with pytest.raises(PhotoUnreadable):
            photo_of_bytes(data[:length])


@FUZZ
@given(format=st.sampled_from(["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"]), seed=st.integers(0, 2**32), flips=st.integers(1, 20))
def test_flipped_bytes(format: str, seed: int, flips: int) -> None:
    options = {} if format in ("GIF", "BMP") else {"icc_profile": wide_gamut()}
    data = np.frombuffer(encoded(OPAQUE[..., :3].copy(), format, **options), np.uint8).copy()
    random = np.random.default_rng(seed)
    data[random.integers(0, len(data), flips)] = random.integers(0, 256, flips)
    try:
        photo = photo_of_bytes(data.tobytes())
    except PhotoUnreadable as error:
        assert str(error)
    else:
        assert photo.pixels.dtype == np.uint8 and photo.pixels.shape[2] == 4


STARTS = [b"", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"MM\0*", b"BM"]


@FUZZ
@given(data=st.binary(max_size=200), start=st.sampled_from(STARTS))
def test_any_bytes(data: bytes, start: bytes) -> None:
    try:
        assert photo_of_bytes(start + data).pixels.size
    except PhotoUnreadable as error:
        assert str(error)


# --- size ----------------------------------------------------------------------------------------------------------


def test_the_smaller_size_keeps_the_shape_and_fits() -> None:
    assert smaller_size(8192, 8192) == (8192, 8192)
    for width, height in ((12_000, 12_000), (40_000, 10), (10, 60_000), (30_000, 9000), (1, 10**6)):
        small = smaller_size(width, height)
        assert small[0] * small[1] <= MAX_PIXELS and max(small) < 2**15 and min(small) >= 1
        if min(small) > 100:
            assert abs(small[0] / small[1] - width / height) < 0.01


def test_a_huge_picture_is_refused_with_the_numbers_and_an_offer() -> None:
    with pytest.raises(PhotoTooLarge) as caught:
        photo_of_bytes(claiming(12_000, 12_000), "scan.png")
    text = str(caught.value)
    assert "“scan.png” has 12,000 × 12,000 pixels (144 million). A canvas holds 67 million" in text
    assert "256 MiB" in text and "Open it scaled down to 8,192 × 8,192 pixels" in text
    assert caught.value.size == (12_000, 12_000) and caught.value.smaller == (8192, 8192)


@pytest.mark.parametrize("shrink", [False, True])
def test_bombs_are_refused_without_allocating(shrink: bool) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PhotoTooLarge, match="Scale it down in another program") as caught:
            photo_of_bytes(claiming(60_000, 60_000), shrink=shrink)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.smaller is None and 60_000**2 > MAX_DECODED


def test_texts_and_profiles_that_unpack_without_end_are_not_unpacked() -> None:
    for kind, head in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        data = png(np.zeros((2, 2, 3), np.uint16), 2, (kind, head + zlib.compress(b"\0" * (64 << 20), 9)))
        tracemalloc.start()
        try:
            photo_of_bytes(data)
        except PhotoUnreadable as error:
            assert "cut off or damaged" in str(error)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 24 << 20


def test_a_long_strip_is_scaled_down_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    path.write_bytes(encoded(np.tile(np.arange(40_000, dtype=np.uint32).astype(np.uint8), (8, 1))))
    with pytest.raises(PhotoTooLarge):
        open_photo(path)
    photo: Photo = open_photo(path, shrink=True)
    assert photo.pixels.shape == (6, 32_767, 4) and photo.size == (40_000, 8)
    assert photo.notes == ("It was scaled down from 40,000 × 8 to 32,767 × 6 pixels.",)
