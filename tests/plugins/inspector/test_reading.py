"""Readers against numpy, torch and Pillow; and against files that are broken or hostile."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from studio_plugins.inspector.block import FileChanged, Held, ReadingError, Source, Stored, Tensor, Window
from studio_plugins.inspector.dtypes import SAFETENSORS, of_numpy
from studio_plugins.inspector.reading import Listing, Opened, TensorFile

Array = np.ndarray[Any, Any]


def everything(tensor: Tensor, size: int = 7) -> Array:
    """All values through the chunked reader, in file order."""
    chunks = list(tensor.chunks(size))
    return np.concatenate(chunks) if chunks else np.zeros(0)


def whole_plane(shape: tuple[int, ...], rows: int, cols: int, index: tuple[int, ...], step: int = 1) -> Window:
    return Window(rows, cols, index, (0, shape[rows], step), (0, shape[cols], step))


def plane(tensor: Tensor, window: Window) -> Array:
    return np.array(list(tensor.lines(window)))


def prepared(file: TensorFile, name: str) -> Tensor:
    fractions = list(file.prepare(name))
    assert fractions == sorted(fractions)
    return file.tensor(name)


def listing(path: Path) -> Listing:
    with Opened(path) as opened:
        return opened.file.listing


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


# --- NumPy -----------------------------------------------------------------------------------------------------------

ARRAYS: dict[str, Array] = {
    "float32": rng().normal(size=(5, 6, 7)).astype(np.float32),
    "big-endian": rng().normal(size=(4, 9)).astype(">f8"),
    "fortran": np.asfortranarray(rng().normal(size=(3, 5, 4))),
    "bool": rng().random((6, 6)) < 0.5,
    "complex": rng().normal(size=(4, 4)).astype(np.complex64),
    "scalar": np.array(4.5),
    "vector": np.arange(40, dtype=np.int16),
    "empty": np.zeros((0, 3)),
    "uint64": np.array([[2**64 - 1, 0]], np.uint64),
}


@pytest.mark.parametrize("name", list(ARRAYS))
@pytest.mark.parametrize("container", ["npy", "npz", "npz-compressed"])
def test_numpy_files_give_the_same_values(tmp_path: Path, name: str, container: str) -> None:
    array = ARRAYS[name]
    path = tmp_path / f"a.{container[:3]}"
    save: Callable[..., None] = {"npy": np.save, "npz": np.savez, "npz-compressed": np.savez_compressed}[container]
    save(path, array) if container == "npy" else save(path, other=np.ones(3), a=array)
    with Opened(path) as opened:
        info = opened.file.listing.find("a")
        assert info is not None
        assert (info.shape, info.dtype, info.nbytes, info.problem) == (array.shape, array.dtype.name, array.nbytes, "")
        tensor = prepared(opened.file, "a")
        assert np.array_equal(everything(tensor), array.ravel(order="F" if name == "fortran" else "C"))


@settings(max_examples=80)
@given(st.data())
def test_any_plane_of_any_array(data: st.DataObject) -> None:
    """Axes in any order, any index, any range and step, C and Fortran order, contiguous or not, against numpy's own slicing."""
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=4)))
    fortran = data.draw(st.booleans())
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    rows, cols = data.draw(st.permutations(range(len(shape))))[:2]
    index = tuple(data.draw(st.integers(0, side - 1)) for side in shape)
    ranges = []
    for axis in (rows, cols):
        start = data.draw(st.integers(0, shape[axis] - 1))
        ranges.append((start, data.draw(st.integers(start + 1, shape[axis])), data.draw(st.integers(1, 3))))
    window = Window(rows, cols, index, ranges[0], ranges[1])
    expected = np.moveaxis(array, (rows, cols), (0, 1)) if len(shape) == 2 else array[
        tuple(slice(None) if axis in (rows, cols) else at for axis, at in enumerate(index))
    ]  # fmt: skip
    if len(shape) > 2 and rows > cols:
        expected = expected.T
    expected = expected[slice(*ranges[0]), slice(*ranges[1])]
    known = of_numpy(array.dtype)
    assert known is not None
    raw = io.BytesIO(b"head" + array.tobytes(order="F" if fortran else "C"))
    assert np.array_equal(plane(Stored(Source(raw), 4, shape, known, fortran=fortran), window), expected)
    assert np.array_equal(plane(Held(array), window), expected)


def test_a_plane_across_far_axes_reads_single_values() -> None:
    array = np.arange(3 * 4 * 5000, dtype=np.float64).reshape(3, 4, 5000)
    known = of_numpy(array.dtype)
    assert known is not None
    tensor = Stored(Source(io.BytesIO(array.tobytes())), 0, array.shape, known)
    assert np.array_equal(plane(tensor, whole_plane(array.shape, 0, 1, (0, 0, 4321))), array[:, :, 4321])


def test_record_arrays_are_listed_field_by_field(tmp_path: Path) -> None:
    array = np.zeros(6, [("when", "M8[s]"), ("x", "f4"), ("n", "i8")])
    array["x"], array["n"] = np.arange(6) / 2, np.arange(6)
    np.save(tmp_path / "r.npy", array)
    with Opened(tmp_path / "r.npy") as opened:
        found = {info.name: info for info in opened.file.listing.tensors}
        assert "not numbers" in found["r[when]"].problem
        assert np.array_equal(everything(opened.file.tensor("r[x]"), 4), array["x"])
        assert np.array_equal(everything(opened.file.tensor("r[n]"), 4), array["n"])


def test_a_file_of_several_gigabytes_opens_at_once(tmp_path: Path) -> None:
    """Sparse on disk: 12 GiB of zeros with one value near the end."""
    path = tmp_path / "huge.npy"
    shape = (3, 2**15, 2**15)
    header = io.BytesIO()
    np.lib.format.write_array_header_2_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with path.open("wb") as file:
        file.write(header.getvalue())
        file.truncate(len(header.getvalue()) + 4 * 3 * 2**30)
        file.seek(len(header.getvalue()) + 4 * (2 * 2**30 + 5 * 2**15 + 7))
        file.write(struct.pack("<f", 2.5))
    with Opened(path) as opened:
        assert opened.file.listing.tensors[0].nbytes == 12 * 2**30
        tensor = opened.file.tensor("huge")
        corner = plane(tensor, Window(1, 2, (2, 0, 0), (0, 10, 1), (0, 10, 1)))
    assert corner[5, 7] == 2.5
    assert corner.sum() == 2.5


# --- safetensors -----------------------------------------------------------------------------------------------------

TORCH_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "U16": "uint16",
    "U32": "uint32", "U64": "uint64", "BOOL": "bool", "C64": "complex64",
}  # fmt: skip


def test_every_bit_pattern_decodes_as_in_torch() -> None:
    import torch

    for code in ("BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0"):
        bits = np.arange(256 if code.startswith("F8") else 65536).astype(SAFETENSORS[code].storage)
        signed = bits.view(np.int8 if code.startswith("F8") else np.int16).copy()
        expected = torch.from_numpy(signed).view(getattr(torch, TORCH_NAMES[code])).to(torch.float64).numpy()
        with np.errstate(invalid="ignore"):  # signalling NaNs among the patterns
            found = SAFETENSORS[code].values(bits).astype(np.float64)
        assert np.array_equal(found, expected, equal_nan=True), code


@pytest.mark.parametrize("code", list(SAFETENSORS))
def test_safetensors_give_the_same_values_as_torch(tmp_path: Path, code: str) -> None:
    import torch
    from safetensors.torch import save_file

    assert set(TORCH_NAMES) == set(SAFETENSORS)
    dtype = getattr(torch, TORCH_NAMES[code])
    values = torch.tensor([[0.0, 1.0, 2.0, 4.0], [1.0, 1.0, 8.0, 2.0]]).to(dtype)
    save_file({"block.10.w": values, "block.2.w": values[:1].clone()}, tmp_path / "w.safetensors", metadata={"made": "here"})
    with Opened(tmp_path / "w.safetensors") as opened:
        assert [info.name for info in opened.file.listing.tensors] == ["block.2.w", "block.10.w"]
        assert opened.file.listing.notes == (("made", "here"),)
        info = opened.file.listing.tensors[1]
        assert (info.shape, info.dtype) == ((2, 4), TORCH_NAMES[code])
        wide = torch.complex128 if code == "C64" else torch.float64
        assert np.array_equal(everything(opened.file.tensor("block.10.w"), 3), values.to(wide).numpy().reshape(-1))


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", "png"), ("RGBA", "png"), ("L", "png"), ("1", "png"), ("I;16", "png"), ("F", "tiff"), ("RGB", "webp")])
def test_pictures_give_the_values_of_the_file(tmp_path: Path, mode: str, suffix: str) -> None:
    noise = rng().integers(0, 256, (9, 12, 4), np.uint8)
    image = {"I;16": lambda: Image.fromarray(noise[..., 0].astype(np.uint16) * 250), "F": lambda: Image.fromarray(noise[..., 0] / np.float32(7))}.get(
        mode, lambda: Image.fromarray(noise).convert(mode)
    )()
    path = tmp_path / f"p.{suffix}"
    image.save(path, lossless=True) if suffix == "webp" else image.save(path)
    expected = np.asarray(image.convert("L") if mode == "1" else image)
    with Opened(path) as opened:
        info = opened.file.listing.tensors[0]
        assert (info.shape, info.dtype) == (expected.shape, expected.dtype.name)
        assert np.array_equal(everything(prepared(opened.file, "pixels"), 50), expected.reshape(-1))


def test_a_palette_becomes_colours(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), (0, 204, 51)).convert("P").save(tmp_path / "p.gif")
    with Opened(tmp_path / "p.gif") as opened:
        assert opened.file.listing.tensors[0].shape == (4, 5, 3)
        assert everything(prepared(opened.file, "pixels"), 3)[:3].tolist() == [0, 204, 51]


# --- bad files -------------------------------------------------------------------------------------------------------


def npy_bytes(array: Array, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    import zlib

    data = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = b"IHDR" + data
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + b"\0\0\0\0IDAT" + b"\0" * 8


BAD = {
    "empty.npy": (b"", "is empty"),
    "cut.npy": (npy_bytes(np.ones((10, 10)))[:-5], "5 of its 800 bytes are missing"),
    "header.npy": (b"\x93NUMPY\x01\x00\x10\x00{'descr': os.sys", "damaged header"),
    "negative.npy": (npy_bytes(np.ones(3)).replace(b"(3,), }", b"(-3,),}"), "damaged header"),
    "gigantic.npy": (npy_bytes(np.ones(3)).replace(b"'shape': (3,), }" + b" " * 30, b"'shape': (9999999999999999999999,), }" + b" " * 9), "is cut off"),
    "other.npy": (b"hello world, this is text", "damaged, or something else"),
    "cut.npz": (b"PK\x03\x04" + b"\0" * 40, "cut off or damaged"),
    "plain.npz": (None, "without NumPy arrays"),
    "cut.safetensors": (struct.pack("<Q", 500) + b'{"a":{"dtype":"F32"', "cut off or damaged"),
    "lies.safetensors": (struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}'.ljust(60) + b"\0" * 4, "cut off or damaged"),
    "text.safetensors": (b"version https://git-lfs.github.com/spec/v1", "damaged, or something else"),
    "bomb.png": (png_claiming(60_000, 60_000), "million"),
    "torn.png": (png_claiming(6, 6)[:20], "damaged"),
    "notes.txt": (b"just words and nothing else", "neither a picture nor"),
    "model.pt": (b"\x80\x02}q\x00.", "pickle"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_file_is_refused_in_words(tmp_path: Path, name: str) -> None:
    raw, message = BAD[name]
    path = tmp_path / name
    if raw is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "nothing")
    else:
        path.write_bytes(raw)
    with pytest.raises(ReadingError, match=message):
        listing(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match="not there any more"):
        listing(tmp_path / "gone.npy")
    with pytest.raises(ReadingError, match="folder"):
        listing(tmp_path)


def test_python_objects_are_listed_but_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{"a": 1}, None], object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", good=np.ones(2), bad=np.array([print], object))
    assert "pickle" in listing(tmp_path / "o.npy").tensors[0].problem
    found = {info.name: info.problem for info in listing(tmp_path / "o.npz").tensors}
    assert found["good"] == "" and "pickle" in found["bad"]
    with Opened(tmp_path / "o.npy") as opened, pytest.raises(ReadingError, match="not numbers"):
        opened.file.tensor("o")


def test_damage_inside_a_compressed_member_is_found(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "z.npz", a=rng().normal(size=50_000))
    raw = bytearray((tmp_path / "z.npz").read_bytes())
    raw[200_000:200_100] = bytes(100)
    (tmp_path / "z.npz").write_bytes(raw)
    with Opened(tmp_path / "z.npz") as opened, pytest.raises(ReadingError, match="damaged inside"):
        prepared(opened.file, "a")


def test_a_torn_picture_is_found_when_decoded(tmp_path: Path) -> None:
    Image.fromarray(rng().integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "t.png")
    raw = (tmp_path / "t.png").read_bytes()
    (tmp_path / "t.png").write_bytes(raw[: len(raw) // 2])
    with Opened(tmp_path / "t.png") as opened, pytest.raises(ReadingError, match="cut off or damaged"):
        prepared(opened.file, "pixels")


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "s.npy"
    np.save(path, np.ones(1000))
    with Opened(path) as opened:
        path.write_bytes(path.read_bytes()[:600])
        with pytest.raises(FileChanged, match="program writing to it"):
            everything(opened.file.tensor("s"), 100)


@settings(max_examples=60)
@given(position=st.integers(0, 400), byte=st.integers(0, 255), cut=st.integers(0, 500), kind=st.sampled_from(["npy", "npz", "safetensors", "png"]))
def test_damaged_files_never_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, cut: int, kind: str) -> None:
    from safetensors.numpy import save

    out = io.BytesIO()
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    if kind == "npy":
        np.save(out, array)
    elif kind == "npz":
        np.savez_compressed(out, a=array)
    elif kind == "safetensors":
        out.write(save({"a": array}))
    else:
        Image.fromarray(array.astype(np.uint8)).save(out, "PNG")
    raw = bytearray(out.getvalue())
    raw[position % len(raw)] = byte
    path = tmp_path_factory.mktemp("fuzz") / f"x.{kind}"
    path.write_bytes(raw[: len(raw) - cut % 40])
    try:
        with Opened(path) as opened:
            for info in opened.file.listing.tensors:
                if not info.problem:
                    tensor = prepared(opened.file, info.name)
                    assert everything(tensor).size == info.count
    except ReadingError as error:
        assert str(error)
