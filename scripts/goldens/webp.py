"""Goldens for the WebP decoder, from Pillow and from the libwebp inside its wheel.

    python scripts/goldens/webp.py test/fixtures/webp/goldens.json

Needs Pillow 12.3.0 (libwebp 1.6.0, x86-64) and numpy. Every case holds its file in base64 and what Pillow makes of it:
size, frames, mode and SHA-256 of `ImageOps.exif_transpose(Image.open(f)).convert("RGB")`, or that it refuses the file.
`truncated` cases hold what libwebp's incremental decoder writes into a black picture when it gets the first bytes only.
"""

import base64
import ctypes
import glob
import hashlib
import io
import json
import os
import random
import struct
import sys
import warnings

import numpy as np
import PIL
from PIL import Image, ImageOps, features

warnings.simplefilter("ignore")
R = random.Random(6386)
N = np.random.default_rng(9649)


def outcome(data: bytes) -> dict:
    try:
        image = Image.open(io.BytesIO(data))
        frames, mode, stored = image.n_frames, image.mode, image.size
        rgb = ImageOps.exif_transpose(image).convert("RGB")
    except OSError:
        return {"refused": True}
    return {
        "size": list(rgb.size),
        "stored": list(stored),
        "frames": frames,
        "components": 4 if mode == "RGBA" else 3,
        "sha256": hashlib.sha256(rgb.tobytes()).hexdigest(),
    }


def case(name: str, data: bytes) -> dict:
    return {"name": name, "file": base64.b64encode(data).decode(), **outcome(data)}


def picture(width: int, height: int, channels: int, kind: str) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    if kind == "noise":
        a = N.integers(0, 256, (height, width, channels))
    elif kind == "gradient":
        a = np.stack([(x * 5 + y * (3 + c) + 40 * c) % 256 for c in range(channels)], -1)
    elif kind == "flat":
        a = np.full((height, width, channels), [200, 30, 90, 128][:channels])
    elif kind == "smooth":
        a = np.stack([128 + 100 * np.sin(x / (3 + c)) * np.cos(y / 5 + c) for c in range(channels)], -1)
    elif kind == "blocks":
        a = np.kron(N.integers(0, 256, (-(-height // 8), -(-width // 8), channels)), np.ones((8, 8, 1)))[:height, :width]
    else:
        palette = N.integers(0, 256, (int(kind.removeprefix("palette")), channels))
        a = palette[N.integers(0, len(palette), (height, width))]
    return Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))


KINDS = ["noise", "gradient", "flat", "smooth", "blocks", "palette2", "palette3", "palette4", "palette9", "palette17", "palette200"]


def encode(image: Image.Image, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def encoded_cases():
    for i in range(44):
        width, height = R.randrange(1, 41), R.randrange(1, 41)
        kind, channels, lossless = R.choice(KINDS), R.choice([3, 4]), i % 2 == 0
        options = {"quality": R.choice([0, 10, 50, 80, 100]), "method": R.randrange(7), "lossless": lossless}
        options |= {"exact": R.random() < 0.5, "alpha_quality": R.choice([0, 50, 100])}
        name = f"{'lossless' if lossless else 'lossy'} {kind} {width}x{height}x{channels} q{options['quality']} m{options['method']}"
        yield case(name, encode(picture(width, height, channels, kind), **options))
    for width, height in [(1, 1), (2, 1), (1, 2), (17, 16), (16, 17), (33, 1), (1, 33)]:
        yield case(f"lossy {width}x{height}", encode(picture(width, height, 3, "smooth"), quality=60))
        yield case(f"lossless {width}x{height}", encode(picture(width, height, 3, "smooth"), lossless=True))
    for orientation in (1, 3, 6, 8):
        exif = Image.Exif()
        exif[274] = orientation
        yield case(f"EXIF orientation {orientation}", encode(picture(12, 7, 3, "gradient"), exif=exif.tobytes()))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>5</tiff:Orientation></x:xmpmeta>'
    yield case("XMP orientation 5", encode(picture(12, 7, 3, "gradient"), xmp=xmp))
    yield case("ICC profile", encode(picture(12, 7, 4, "gradient"), icc_profile=b"not a profile"))
    for channels in (3, 4):
        frames = [picture(21, 13, channels, kind) for kind in ("gradient", "smooth", "blocks")]
        out = io.BytesIO()
        frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=channels == 4)
        yield case(f"animation of 3 frames, {channels} channels", out.getvalue())


def chunks(data: bytes) -> list:
    found, at = [], 12
    while at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + (size & 1)
    return found


def riff(parts: list) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1) for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def u24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def vp8x(flags: int, width: int, height: int) -> tuple:
    return (b"VP8X", bytes([flags, 0, 0, 0]) + u24(width - 1) + u24(height - 1))


def anmf(x: int, y: int, width: int, height: int, parts: list) -> tuple:
    return (b"ANMF", u24(x // 2) + u24(y // 2) + u24(width - 1) + u24(height - 1) + u24(100) + b"\0" + riff(parts)[12:])


def container_cases():
    lossy = chunks(encode(picture(9, 6, 3, "smooth"), quality=70))
    alpha = chunks(encode(picture(9, 6, 4, "smooth"), quality=70))[1:]
    lossless = chunks(encode(picture(9, 6, 4, "smooth"), lossless=True))
    anim = (b"ANIM", b"\xff\xff\xff\xff\0\0")
    plain = riff(lossy)
    yield case("frame at an offset", riff([vp8x(0x12, 20, 11), anim, anmf(6, 2, 9, 6, alpha), anmf(0, 0, 9, 6, lossy)]))
    yield case("lossless frame at an offset", riff([vp8x(0x12, 20, 11), anim, anmf(10, 4, 9, 6, lossless)]))
    yield case("frame over the edge", riff([vp8x(0x12, 14, 11), anim, anmf(6, 2, 9, 6, lossy)]))
    yield case("frame whose header lies about its size", riff([vp8x(2, 20, 11), anim, anmf(0, 0, 3, 3, lossy)]))
    yield case("frame before ANIM", riff([vp8x(2, 9, 6), anmf(0, 0, 9, 6, lossy), anim]))
    yield case("frames without the animation flag", riff([vp8x(0, 9, 6), anim, anmf(0, 0, 9, 6, lossy)]))
    yield case("animation without frames", riff([vp8x(2, 9, 6), anim]))
    yield case("image outside the frames", riff([vp8x(2, 9, 6), anim, anmf(0, 0, 9, 6, lossy), *lossy]))
    yield case("canvas of another size", riff([vp8x(0, 10, 6), *lossy]))
    yield case("unknown flag", riff([vp8x(0x40, 9, 6), *lossy]))
    yield case("unknown chunks around the image", riff([vp8x(0, 9, 6), (b"abcd", b"12345"), *lossy, (b"efgh", b"")]))
    yield case("alpha", riff([vp8x(0x10, 9, 6), *alpha]))
    yield case("alpha without the flag", riff([vp8x(0, 9, 6), *alpha]))
    yield case("alpha after the image", riff([vp8x(0x10, 9, 6), *reversed(alpha)]))
    yield case("alpha beside lossless data", riff([vp8x(0x10, 9, 6), alpha[0], *lossless]))
    yield case("raw alpha", riff([vp8x(0x10, 9, 6), (b"ALPH", b"\0" + bytes(54)), *lossy]))
    yield case("raw alpha, a byte short", riff([vp8x(0x10, 9, 6), (b"ALPH", b"\0" + bytes(53)), *lossy]))
    yield case("damaged alpha", riff([vp8x(0x10, 9, 6), (b"ALPH", b"\x01" + bytes(20)), *lossy]))
    for header in (0x05, 0x0D, 0x11, 0x20, 0x40):
        coded = bytes([header | alpha[0][1][0] & 3]) + alpha[0][1][1:]
        yield case(f"alpha header 0x{header:02x}", riff([vp8x(0x10, 9, 6), (b"ALPH", coded), *lossy]))
    yield case("unknown alpha method", riff([vp8x(0x10, 9, 6), (b"ALPH", b"\x02" + bytes(54)), *lossy]))
    yield case("damaged alpha without the flag", riff([vp8x(0, 9, 6), (b"ALPH", b"\x02"), *lossy]))
    yield case("two images", riff([*lossy, *lossy]))
    yield case("two images with VP8X", riff([vp8x(0, 9, 6), *lossy, *lossy]))
    yield case("two VP8X chunks", riff([vp8x(0, 9, 6), vp8x(0, 9, 6), *lossy]))
    yield case("VP8X alone", riff([vp8x(0, 9, 6)]))
    for name, flags, orientations in [("without its flag", 0, [6]), ("with its flag", 8, [6]), ("twice", 8, [3, 6]), ("empty first", 8, [None, 6])]:
        exif = [(b"EXIF", b"" if o is None else b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([o]) + bytes(6)) for o in orientations]
        yield case(f"EXIF {name}", riff([vp8x(flags, 9, 6), *lossy, *exif]))
    yield case("bytes after the end", plain + b"more")
    yield case("a stray byte inside the RIFF size", plain[:4] + struct.pack("<I", len(plain) - 7) + plain[8:] + b"x")
    yield case("RIFF size too large", plain[:4] + struct.pack("<I", len(plain)) + plain[8:])
    yield case("RIFF size too small", plain[:4] + struct.pack("<I", len(plain) - 10) + plain[8:])
    yield case("image chunk size too large", plain[:16] + struct.pack("<I", len(plain)) + plain[20:])
    yield case("not a key frame", plain[:20] + bytes([plain[20] | 1]) + plain[21:])
    yield case("hidden frame", plain[:20] + bytes([plain[20] & ~16]) + plain[21:])
    yield case("scaling bits", plain[:27] + bytes([plain[27] | 0x40]) + plain[28:])


def random_bytes(count: int, density: int) -> bytes:
    """Even odds for each bit, or (1) more ones, or (2) more zeros."""
    a = N.integers(0, 256, count, dtype=np.uint8)
    if density == 1:
        a |= N.integers(0, 256, count, dtype=np.uint8)
    elif density == 2:
        a &= N.integers(0, 256, count, dtype=np.uint8)
    return a.tobytes()


def random_vp8() -> bytes:
    """A frame of random bits: any header, filter, segment map, partition count, mode and coefficient may come up.

    No partition begins with 0xFF: that is outside the arithmetic decoder's range, and no encoder writes it.
    """
    width, height = R.randrange(1, 50), R.randrange(1, 34)
    macroblocks = ((width + 15) // 16) * ((height + 15) // 16)
    first = random_bytes(60 + 12 * macroblocks, 0)
    first = bytes([min(first[0], 254)]) + first[1:]
    tokens = random_bytes(100 * macroblocks, R.choice([0, 0, 1, 2])).replace(b"\xff", b"\x7f")
    tag = u24(R.randrange(4) << 1 | 1 << 4 | len(first) << 5)
    return riff([(b"VP8 ", tag + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + first + tokens)])


class BoolEncoder:
    """The boolean entropy encoder of RFC 6386, section 7.3."""

    def __init__(self):
        self.out, self.low, self.range, self.count = bytearray(), 0, 255, 24

    def write(self, bit: int, probability: int = 128) -> None:
        split = 1 + ((self.range - 1) * probability >> 8)
        if bit:
            self.low += split
            self.range -= split
        else:
            self.range = split
        while self.range < 128:
            self.range <<= 1
            self.low <<= 1
            self.count -= 1
            if self.count == 0:
                if self.low >> 32:
                    at = len(self.out) - 1
                    while self.out[at] == 255:
                        self.out[at] = 0
                        at -= 1
                    self.out[at] += 1
                self.low &= 0xFFFFFFFF
                self.out.append(self.low >> 24)
                self.low &= 0xFFFFFF
                self.count = 8

    def literal(self, value: int, bits: int) -> None:
        for i in reversed(range(bits)):
            self.write(value >> i & 1)

    def data(self) -> bytes:
        for _ in range(32):
            self.write(0)
        return bytes(self.out)


def update_probs() -> list:
    """RFC 6386, section 13.4, out of the decoder's source."""
    folder = os.path.join(os.path.dirname(__file__), "..", "..", "worker", "imaging", "webp")
    with open(os.path.join(folder, "vp8-tables.ts")) as source:
        table = source.read().split("TOKEN_PROB_UPDATE_PROBS")[1].split("];")[0].split("[")[1]
    return [int(number) for number in table.replace("]", "").replace(")", "").split(",") if number.strip().isdigit()]


def steered_vp8(simple: int, level: int, quantizer: int, end: int, width: int, height: int) -> bytes:
    """Random macroblocks under token probabilities that favour coefficients too large for 16-bit transforms.

    `end` is the probability, in 1/256, that a block ends at any coefficient.
    """
    out = BoolEncoder()
    out.literal(0, 3)
    out.write(simple)
    out.literal(level, 6)
    out.literal(R.randrange(8), 3)
    out.literal(0, 3)
    out.literal(quantizer, 7)
    out.literal(0, 6)
    nodes = [end, 200, 60, 60, 128, 128, 60, 60, 60, 60, 60]
    for i, probability in enumerate(update_probs()):
        out.write(1, probability)
        out.literal(min(nodes[i % 11] + i // 11 % 3 * 50, 255), 8)
    out.write(1)
    out.literal(150, 8)
    first = out.data() + random_bytes(400, 0)
    tokens = random_bytes(2400, 0).replace(b"\xff", b"\x7f")
    tag = u24(1 << 4 | len(first) << 5)
    return riff([(b"VP8 ", tag + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + first + tokens)])


class BitWriter:
    """Lowest bit first, as VP8L has it."""

    def __init__(self):
        self.value, self.count = 0, 0

    def write(self, value: int, bits: int) -> None:
        self.value |= value << self.count
        self.count += bits

    def random(self, bits: int) -> None:
        self.write(R.getrandbits(bits), bits)

    def data(self) -> bytes:
        return self.value.to_bytes((self.count + 7) // 8, "little")


def write_byte_codes(out: BitWriter) -> None:
    """Five prefix codes in which green, red, blue and alpha take eight bits each: whatever follows is pixels."""
    for alphabet in (280, 256, 256, 256):
        out.write(0, 1)
        # The code of code lengths has one symbol, 8, the twelfth in order.
        out.write(12 - 4, 4)
        for symbol in range(12):
            out.write(1 if symbol == 11 else 0, 3)
        if alphabet == 256:
            out.write(0, 1)
        else:
            out.write(1, 1)
            out.write(3, 3)
            out.write(256 - 2, 8)
    # Distances: one symbol, never read.
    out.write(1, 1)
    out.write(0, 1)
    out.write(0, 1)
    out.write(0, 1)


def write_random_image(out: BitWriter, pixels: int) -> None:
    out.write(0, 1)
    write_byte_codes(out)
    out.random(32 * pixels)


def random_vp8l() -> bytes:
    """Random pixels and random parameters under any transforms in any order: all predictors, indices past the palette."""
    width, height = R.randrange(1, 24), R.randrange(1, 24)
    out = BitWriter()
    out.write(0x2F, 8)
    out.write(width - 1, 14)
    out.write(height - 1, 14)
    out.write(1, 1)
    out.write(0, 3)
    kinds = R.sample(range(4), R.randrange(5))
    for kind in kinds:
        out.write(1, 1)
        out.write(kind, 2)
        if kind in (0, 1):
            bits = R.choice([2, 2, 3, 4, 9])
            out.write(bits - 2, 3)
            write_random_image(out, -(-width // (1 << bits)) * -(-height // (1 << bits)))
        elif kind == 3:
            colors = R.choice([1, 2, 3, 4, 5, 11, 16, 17, 40])
            out.write(colors - 1, 8)
            write_random_image(out, colors)
            width = -(-width // (1, 2, 4, 8)[(colors <= 16) + (colors <= 4) + (colors <= 2)])
    out.write(0, 1)
    # No colour cache, no entropy image.
    out.write(0, 2)
    write_byte_codes(out)
    out.random(32 * width * height)
    return riff([(b"VP8L", out.data())])


def random_cases():
    for filters in [(0, 0), (0, 8), (1, 20), (0, 63)]:
        for quantizer, end, width, height in [(127, 40, 62, 31), (30, 120, 120, 60)]:
            data = steered_vp8(*filters, quantizer, end, width, height)
            yield case(f"steered VP8 {width}x{height}, filter {filters}, quantizer {quantizer}", data)
    for kind, make, count in (("VP8", random_vp8, 48), ("VP8L", random_vp8l, 24)):
        found = 0
        while found < count:
            made = case(f"random {kind} {found}", make())
            if "sha256" in made:
                found += 1
                yield made


def damaged_cases():
    for i in range(48):
        lossless = i % 2 == 0
        channels = R.choice([3, 4])
        good = encode(picture(R.randrange(3, 20), R.randrange(3, 20), channels, R.choice(KINDS)), lossless=lossless, quality=40)
        data = bytearray(good)
        for _ in range(R.choice([1, 1, 3])):
            data[R.randrange(21 if lossless else 30, len(data))] ^= 1 << R.randrange(8)
        yield case(f"damaged {'lossless' if lossless else 'lossy'} {i}", bytes(data))


def load_libwebp() -> ctypes.CDLL:
    folder = os.path.join(os.path.dirname(PIL.__file__), "..", "pillow.libs")
    for name in ("libsharpyuv", "libwebp"):
        library = ctypes.CDLL(glob.glob(os.path.join(folder, f"{name}-*.so*"))[0], mode=ctypes.RTLD_GLOBAL)
    library.WebPINewRGB.restype = ctypes.c_void_p
    library.WebPINewRGB.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    library.WebPIUpdate.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    library.WebPIDelete.argtypes = [ctypes.c_void_p]
    return library


def truncated_cases():
    libwebp = load_libwebp()
    pictures = {
        "lossy": encode(picture(37, 61, 3, "smooth"), quality=90),
        "lossy, no filter": encode(picture(33, 50, 3, "noise"), quality=100),
        "lossy with alpha": encode(picture(21, 40, 4, "smooth"), quality=90),
        "lossless": encode(picture(23, 70, 3, "smooth"), lossless=True),
        "lossless palette": encode(picture(40, 50, 3, "palette9"), lossless=True),
    }
    for name, data in pictures.items():
        image = Image.open(io.BytesIO(data))
        width, height = image.size
        points = []
        # libwebp waits for an eighth of lossless data before it shows any; the decoder under test does not.
        for tenths in range(3, 10):
            length = len(data) * tenths // 10
            rgb = ctypes.create_string_buffer(width * height * 3)
            decoder = libwebp.WebPINewRGB(0, rgb, len(rgb), width * 3)
            libwebp.WebPIUpdate(decoder, data[:length], length)
            libwebp.WebPIDelete(decoder)
            points.append({"bytes": length, "sha256": hashlib.sha256(rgb.raw).hexdigest()})
        yield {"name": name, "file": base64.b64encode(data).decode(), "points": points}


def main(path: str) -> None:
    groups = {
        "pillow": PIL.__version__,
        "libwebp": features.version("webp"),
        "encoded": list(encoded_cases()),
        "containers": list(container_cases()),
        "random": list(random_cases()),
        "damaged": list(damaged_cases()),
        "truncated": list(truncated_cases()),
    }
    with open(path, "w") as out:
        json.dump(groups, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
