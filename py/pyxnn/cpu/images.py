"""ImageDecoder in NumPy for the formats that are simple; for the others it needs Pillow, as onnx.reference does for all."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from pyxnn.graph import Node


def image_decoder(node: Node, encoded: np.ndarray) -> np.ndarray:
    """ImageDecoder (opset 20).

    Args:
        node: with its `pixel_format`.
        encoded: the bytes of a file.

    Returns:
        [height, width, channels] of uint8.
    """
    data = encoded.tobytes()
    decode = next((decode for magic, decode in _DECODERS if data.startswith(magic)), _by_pillow)
    image = decode(data)
    pixel_format = node.attribute("pixel_format", "RGB")
    if pixel_format == "RGB":
        return image
    if pixel_format == "BGR":
        return image[..., ::-1]
    if pixel_format == "Grayscale":
        # ITU-R 601-2, in 16 bits after the point
        luma = image.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32) + (1 << 15)
        return (luma >> 16).astype(np.uint8)[..., None]
    raise ValueError(f"pixel_format={pixel_format!r} is not supported.")


def _bmp(data: bytes) -> np.ndarray:
    """Windows bitmaps of 24 bits, whose rows begin at the bottom and are padded to four bytes."""
    (start,) = struct.unpack_from("<I", data, 10)
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if bits != 24 or compression:
        return _by_pillow(data)
    stride = (3 * width + 3) // 4 * 4
    rows = np.frombuffer(data, np.uint8, stride * abs(height), start).reshape(-1, stride)
    image = rows[:, : 3 * width].reshape(-1, width, 3)[..., ::-1]
    return image[::-1] if height > 0 else image


def _ppm(data: bytes) -> np.ndarray:
    """Portable pixmaps of 8 bits: three numbers in text, then all bytes."""
    words = data.split(maxsplit=3)
    width, height = int(words[1]), int(words[2])
    most = words[3].split(maxsplit=1)[0]
    if most != b"255":
        return _by_pillow(data)
    return np.frombuffer(data[-3 * width * height :], np.uint8).reshape(height, width, 3)


def _png(data: bytes) -> np.ndarray:
    """PNGs of 8 bits for red, green and blue, not interlaced; each row is coded by the one above and its own beginning."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if depth != 8 or colour != 2 or interlaced:
        return _by_pillow(data)
    packed = b"".join(content for kind, content in _chunks(data) if kind == b"IDAT")
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    image = np.zeros((height + 1, width + 1, 3), np.uint8)  # above and before all, zeros
    for row, above, (filter, *coded) in zip(image[1:], image, rows.tolist(), strict=False):
        pixels = np.array(coded, np.uint8).reshape(width, 3)
        if filter == 0:
            row[1:] = pixels
        elif filter == 1:
            row[1:] = np.cumsum(pixels, axis=0, dtype=np.uint8)
        elif filter == 2:
            row[1:] = pixels + above[1:]
        else:
            predict = _mean if filter == 3 else _paeth
            for x in range(width):
                guess = predict(*(p.astype(int) for p in (row[x], above[x + 1], above[x])))
                row[x + 1] = (pixels[x] + guess) & 255
    return image[1:, 1:]


_WIDTH, _HEIGHT, _DEPTH, _COMPRESSION = 256, 257, 258, 259
_PLACES, _CHANNELS, _SIZES, _PLANES = 273, 277, 279, 284
"""Tags of TIFF."""


def _tiff(data: bytes) -> np.ndarray:
    """TIFFs of 8 bits for red, green and blue side by side, not compressed: strips of rows, which a directory of tags finds."""
    end = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{end}I", data, 4)
    (count,) = struct.unpack_from(f"{end}H", data, start)
    tags: dict[int, tuple[int, ...]] = {_COMPRESSION: (1,), _CHANNELS: (1,), _PLANES: (1,)}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, type, number = struct.unpack_from(f"{end}HHI", data, entry)
        if type in (3, 4):  # of 16 and 32 bits
            size = (2 if type == 3 else 4) * number
            (at,) = struct.unpack_from(f"{end}I", data, entry + 8) if size > 4 else (entry + 8,)
            tags[tag] = struct.unpack_from(f"{end}{number}{'H' if type == 3 else 'I'}", data, at)
    form = [tags.get(tag) for tag in (_DEPTH, _COMPRESSION, _CHANNELS, _PLANES)]
    if form != [(8, 8, 8), (1,), (3,), (1,)] or _PLACES not in tags:
        return _by_pillow(data)
    strips = zip(tags[_PLACES], tags[_SIZES], strict=True)
    rows = b"".join(data[place : place + size] for place, size in strips)
    return np.frombuffer(rows, np.uint8).reshape(*tags[_HEIGHT], *tags[_WIDTH], 3)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk of a PNG."""
    at = 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def _mean(left: np.ndarray, up: np.ndarray, _: np.ndarray) -> np.ndarray:
    return (left + up) // 2


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Whichever of the three is nearest to left + up - corner; of several, the first."""
    guess = left + up - corner
    candidates = np.stack([left, up, corner])
    nearest = np.abs(candidates - guess).argmin(axis=0)
    return np.take_along_axis(candidates, nearest[None], axis=0)[0]


def _by_pillow(data: bytes) -> np.ndarray:
    try:
        import PIL.Image
    except ImportError as error:
        raise ImportError("images of this format need Pillow, which isn't installed") from error
    return np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"))


_DECODERS: tuple[tuple[bytes, Callable[[bytes], np.ndarray]], ...] = (
    (b"BM", _bmp),
    (b"P6", _ppm),
    (b"\x89PNG", _png),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
"""By the bytes that a file begins with."""
