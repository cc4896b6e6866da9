"""Goldens for the PNG, GIF and BMP decoders: small files with one peculiarity each, and what Pillow makes of them.

    python scripts/goldens/images.py test/fixtures/images/edge-cases.json

Needs Pillow 12.3.0. A case that Pillow refuses carries the code that the decoders must give, chosen here by hand. `sha256_rgb` is always Pillow's; a
case that is another picture here on purpose has `difference`, its name in scripts/conformance/differences.ts, and
`sha256_ours`. Cases with `allow_truncated` are what Pillow gives under LOAD_TRUNCATED_IMAGES; without it they are truncated.
"""

import base64
import hashlib
import io
import json
import random
import re
import struct
import sys
import warnings
import zlib

import PIL
from PIL import Image, ImageFile, ImageOps

warnings.simplefilter("ignore")
RANDOM = random.Random(1912_11370)
TRUNCATED, CORRUPT, UNSUPPORTED = "truncated_image", "corrupt_image", "unsupported_image_feature"


def noise(count: int) -> bytes:
    return bytes(RANDOM.getrandbits(8) for _ in range(count))


# ---------------------------------------------------------------------------------------------------------------- PNG

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind: bytes, data: bytes = b"", crc: int | None = None) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def ihdr(width, height, depth=8, color=0, interlace=0, compression=0, filtering=0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, compression, filtering, interlace))


def scanlines(width, height, depth, color, interlace=0) -> bytes:
    """Random rows with random filter types: every filter meets every byte."""
    grids = ADAM7 if interlace else [(0, 0, 1, 1)]
    out = b""
    for x, y, dx, dy in grids:
        columns, rows = -(-(width - x) // dx), -(-(height - y) // dy)
        if columns > 0 and rows > 0:
            size = (columns * depth * SAMPLES[color] + 7) // 8
            for _ in range(rows):
                out += bytes([RANDOM.randrange(5)]) + noise(size)
    return out


def png(*chunks: bytes, end: bytes = chunk(b"IEND")) -> bytes:
    return SIGNATURE + b"".join(chunks) + end


def idat(raw: bytes, level=9) -> bytes:
    return chunk(b"IDAT", zlib.compress(raw, level))


def palette(entries: int) -> bytes:
    return chunk(b"PLTE", noise(entries * 3))


def exif(orientation: int, order: str = "<") -> bytes:
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def raw_profile(data: bytes) -> bytes:
    text = data.hex()
    rows = "\n".join(text[i : i + 72] for i in range(0, len(text), 72))
    return f"\nexif\n{len(data):8}\n{rows}\n".encode()


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def png_cases():
    depths = {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}
    for color, allowed in depths.items():
        for depth in allowed:
            for interlace in (0, 1):
                plte = palette(1 << depth) if color == 3 else b""
                rows = scanlines(13, 11, depth, color, interlace)
                yield f"png color {color} depth {depth} interlace {interlace}", png(ihdr(13, 11, depth, color, interlace), plte, idat(rows))
    for width, height in [(1, 1), (2, 2), (3, 1), (1, 5), (4, 5), (5, 4), (8, 8), (9, 9)]:
        for depth in (1, 4, 8):
            rows = scanlines(width, height, depth, 0, 1)
            yield f"png interlaced {width}x{height} depth {depth}", png(ihdr(width, height, depth, 0, 1), idat(rows))

    head = ihdr(7, 5, 8, 2)
    rows = scanlines(7, 5, 8, 2)
    z = zlib.compress(rows)
    good = idat(rows)
    for level in range(10):
        yield f"png zlib level {level}", png(head, idat(rows, level))
    for strategy in range(5):
        long = scanlines(60, 40, 8, 2)
        squeeze = zlib.compressobj(6, zlib.DEFLATED, 9 + strategy, 1, strategy)
        yield f"png zlib strategy {strategy}", png(ihdr(60, 40, 8, 2), chunk(b"IDAT", squeeze.compress(long) + squeeze.flush()))
    yield "png long matches", png(ihdr(300, 200, 8, 2), idat(bytes(200 * 901)))
    yield "png one byte an IDAT", png(head, *[chunk(b"IDAT", z[i : i + 1]) for i in range(len(z))])
    yield "png empty IDATs between", png(head, chunk(b"IDAT"), chunk(b"IDAT", z[:9]), chunk(b"IDAT"), chunk(b"IDAT", z[9:]))
    yield "png IDATs with a chunk between", png(head, chunk(b"IDAT", z[:9]), chunk(b"tIME", bytes(7)), chunk(b"IDAT", z[9:])), TRUNCATED
    yield "png bytes behind the zlib stream", png(head, chunk(b"IDAT", z + noise(9)))
    yield "png wrong zlib checksum", png(head, chunk(b"IDAT", z[:-1] + bytes([z[-1] ^ 1]))), CORRUPT
    zeros = zlib.compress(bytes(200))
    yield "png match across the last row, wrong checksum", png(head, chunk(b"IDAT", zeros[:-1] + b"x"))
    yield "png zlib checksum in a second IDAT, wrong", png(head, chunk(b"IDAT", z[:-4]), chunk(b"IDAT", b"abcd"))
    yield "png no zlib checksum", png(head, chunk(b"IDAT", z[:-4]))
    yield "png zlib header wrong", png(head, chunk(b"IDAT", b"\x78\x02" + z[2:])), CORRUPT
    yield "png more data than rows", png(head, idat(rows + bytes(400)))
    yield "png rows missing behind a whole row", png(head, idat(rows[: 22 * 3]))
    yield "png rows missing within a row", png(head, idat(rows[: 22 * 3 + 4])), TRUNCATED
    yield "png no rows", png(head, idat(b"")), TRUNCATED
    yield "png interlaced rows missing behind a pass", png(ihdr(9, 9, 8, 0, 1), idat(scanlines(9, 9, 8, 0, 1)[:6]))
    yield "png filter type 5", png(head, idat(b"\5" + rows[1:])), CORRUPT
    # Fixed codes: last block, literal 0, length 3 at distance 4. A match reaches back 4 bytes where there is 1.
    bits = "110" + "00110000" + "0000001" + "00011" + "0000000"
    stream = int(bits[::-1], 2).to_bytes(4, "little")
    yield "png match before the start", png(ihdr(60, 1, 8, 0), chunk(b"IDAT", b"\x78\x9c" + stream + bytes(9))), CORRUPT
    yield "png IDAT with a wrong CRC", png(head, chunk(b"IDAT", z, crc=1))
    yield "png IHDR with a wrong CRC", png(chunk(b"IHDR", head[8:21], crc=1), good), CORRUPT
    yield "png tEXt with a wrong CRC", png(head, chunk(b"tEXt", b"a\0b", crc=1), good), CORRUPT
    yield "png tEXt with a wrong CRC behind the data", png(head, good, chunk(b"tEXt", b"a\0b", crc=1))
    yield "png without IEND", png(head, good, end=b"")
    yield "png bytes behind IEND", png(head, good) + noise(50)
    yield "png no chunk behind the data", png(head, good, end=noise(3) + b"\xff" * 9)
    yield "png unknown chunks", png(head, chunk(b"abCd", noise(5)), chunk(b"ABCD", noise(5)), good, chunk(b"zzZz", noise(5)))
    yield "png unknown chunk cut off behind the data", png(head, good, chunk(b"zzZz", noise(90))[:40], end=b""), TRUNCATED
    yield "png cut in IHDR", png(head)[:20], TRUNCATED
    yield "png cut before IDAT", png(head, end=b""), TRUNCATED
    for keep in (1, 20, len(z) - 5, len(z)):
        case = f"png cut after {keep} of {len(z)} bytes of data", png(head, good[: 8 + keep], end=b"")
        yield case if keep == len(z) else (*case, TRUNCATED)
    yield "png without IDAT", png(head), CORRUPT
    yield "png without IHDR", png(good), CORRUPT
    yield "png IDAT before IHDR", png(good, head, good)
    yield "png 0 px wide", png(ihdr(0, 5), idat(rows)), CORRUPT
    yield "png 0 px high", png(ihdr(5, 0), idat(rows)), CORRUPT
    yield "png bit depth 3", png(ihdr(7, 5, 3, 0), good), CORRUPT
    yield "png color type 1", png(ihdr(7, 5, 8, 1), good), CORRUPT
    yield "png compression method 7", png(ihdr(7, 5, 8, 2, compression=7), good)
    yield "png filter method 1", png(ihdr(7, 5, 8, 2, filtering=1), good), UNSUPPORTED
    yield "png interlace method 2", png(ihdr(7, 5, 8, 0, 2), idat(scanlines(7, 5, 8, 0, 1)))
    yield "png IHDR of 14 bytes", png(chunk(b"IHDR", head[8:21] + b"x"), good)
    yield "png IHDR of 12 bytes", png(chunk(b"IHDR", head[8:20]), good), CORRUPT

    indexed, indices = ihdr(7, 5, 8, 3), idat(scanlines(7, 5, 8, 3))
    yield "png palette missing", png(indexed, indices)
    yield "png palette of 3, indices beyond it", png(indexed, palette(3), indices)
    yield "png palette of 10 bytes", png(indexed, chunk(b"PLTE", noise(10)), indices)
    yield "png palette behind the data", png(indexed, indices, palette(256))
    yield "png two palettes", png(indexed, palette(256), palette(256), indices)
    yield "png palette of 257", png(indexed, palette(257), indices), CORRUPT
    yield "png palette with one transparent entry", png(indexed, palette(256), chunk(b"tRNS", b"\xff\0\xff"), indices)
    yield "png palette with alpha", png(indexed, palette(256), chunk(b"tRNS", noise(256)), indices)
    yield "png transparent color", png(head, chunk(b"tRNS", noise(6)), good)
    yield "png tRNS of 2 bytes on RGB", png(head, chunk(b"tRNS", noise(2)), good), CORRUPT
    yield "png transparent gray", png(ihdr(7, 5, 4, 0), chunk(b"tRNS", b"\0\3"), idat(scanlines(7, 5, 4, 0)))
    yield "png tRNS of 1 byte on gray", png(ihdr(7, 5, 4, 0), chunk(b"tRNS", b"\0"), idat(scanlines(7, 5, 4, 0))), CORRUPT
    for kind, data in [(b"gAMA", 3), (b"cHRM", 30), (b"sRGB", 0), (b"pHYs", 8), (b"acTL", 7), (b"fcTL", 25)]:
        yield f"png {kind.decode()} of {data} bytes", png(head, chunk(kind, bytes(data)), good), CORRUPT
        yield f"png {kind.decode()} of {data} bytes behind the data", png(head, good, chunk(kind, bytes(data))), CORRUPT
    yield "png iCCP with method 1", png(head, chunk(b"iCCP", b"a\0\1bc"), good), CORRUPT
    yield "png iCCP that does not inflate", png(head, chunk(b"iCCP", b"a\0\0bc"), good)
    yield "png zTXt with method 1", png(head, chunk(b"zTXt", b"a\0\1bc"), good), CORRUPT
    yield "png zTXt that does not inflate", png(head, chunk(b"zTXt", b"a\0\0bc"), good)

    for orientation in range(10):
        yield f"png eXIf orientation {orientation}", png(head, chunk(b"eXIf", exif(orientation, "<>"[orientation % 2])), good)
    yield "png eXIf behind the data", png(head, good, chunk(b"eXIf", exif(6)))
    yield "png orientation in a raw profile", png(head, chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif(8))), good)
    yield "png orientation in a compressed raw profile", png(head, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(exif(7)))), good)
    yield "png raw profile beside eXIf", png(head, chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif(8))), chunk(b"eXIf", exif(3)), good)
    yield "png orientation in XMP", png(head, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), good)
    yield "png orientation in compressed XMP", png(head, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0x\0" + zlib.compress(XMP)), good)
    yield "png XMP beside eXIf", png(head, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), chunk(b"eXIf", exif(3)), good)
    yield "png XMP behind the data", png(head, good, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))

    actl = chunk(b"acTL", struct.pack(">II", 2, 0))

    def fctl(sequence, w=7, h=5, x=0, y=0):
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, w, h, x, y, 1, 10, 0, 0))

    def fdat(sequence):
        return chunk(b"fdAT", struct.pack(">I", sequence) + zlib.compress(scanlines(7, 5, 8, 2)))

    yield "apng first frame is the image", png(head, actl, fctl(0), good, fctl(1), fdat(2))
    yield "apng image outside the animation", png(head, actl, good, fctl(0), fdat(1), fctl(2), fdat(3))
    part = idat(scanlines(4, 3, 8, 2))
    yield "apng first frame smaller than the canvas", png(head, actl, fctl(0, 4, 3, 2, 1), part, fctl(1), fdat(2))
    gray_part = idat(scanlines(4, 3, 2, 3))
    yield "apng smaller first frame, palette", png(ihdr(7, 5, 2, 3), palette(4), actl, fctl(0, 4, 3, 2, 1), gray_part)
    yield "apng first frame beyond the canvas", png(head, actl, fctl(0, 7, 5, 1, 0), good), CORRUPT
    yield "apng first frame of 0 px", png(head, actl, fctl(0, 0, 5), good), CORRUPT
    yield "apng sequence starts at 1", png(head, actl, fctl(1), good), CORRUPT
    rest = chunk(b"fdAT", struct.pack(">I", 1) + z[9:])
    yield "apng frame data goes on from IDAT", png(head, actl, fctl(0), chunk(b"IDAT", z[:9]), rest)
    yield "apng frame data instead of IDAT", png(head, actl, fctl(0), fdat(1), fctl(2), fdat(3))
    yield "apng frame data without a frame", png(head, actl, fdat(1)), CORRUPT
    yield "apng frame data out of order", png(head, actl, fctl(0), chunk(b"IDAT", z[:9]), fdat(5)), CORRUPT
    yield "apng damaged second frame", png(head, actl, fctl(0), good, fctl(1), chunk(b"fdAT", noise(3)))


# ---------------------------------------------------------------------------------------------------------------- GIF


def lzw(indices: bytes, bits: int, clear_every: int = 0, end: bool = True) -> bytes:
    """Codes of a plain LZW encoder; `clear_every` symbols apart the table is cleared, 0 lets it fill up and stay."""
    clear = 1 << bits
    out, hold, held = bytearray(), 0, 0

    def put(code, size):
        nonlocal hold, held
        hold |= code << held
        held += size
        while held >= 8:
            out.append(hold & 255)
            hold >>= 8
            held -= 8

    def grow():
        nonlocal size
        if used == 1 << size and size < 12:
            size += 1

    table = {bytes([i]): i for i in range(clear)}
    size, used, prefix = bits + 1, clear + 2, b""
    put(clear, size)
    for n, index in enumerate(indices):
        symbol = bytes([index])
        if prefix + symbol in table:
            prefix += symbol
            continue
        put(table[prefix], size)
        if used < 4096:
            table[prefix + symbol] = used
            grow()
            used += 1
        prefix = symbol
        if clear_every and n % clear_every == 0:
            put(table[prefix], size)
            grow()
            put(clear, size)
            table = {bytes([i]): i for i in range(clear)}
            size, used, prefix = bits + 1, clear + 2, b""
    if prefix:
        put(table[prefix], size)
        grow()
    if end:
        put(clear + 1, size)
    if held:
        out.append(hold & 255)
    return bytes(out)


def blocks(data: bytes, size: int = 255, end: bytes = b"\0") -> bytes:
    return b"".join(bytes([len(data[i : i + size])]) + data[i : i + size] for i in range(0, len(data), size)) + end


def gif_screen(width, height, table: bytes = b"", bits: int = 2, version=b"GIF89a", background=0) -> bytes:
    flags = 0x80 | (bits - 1) if table else 0
    return version + struct.pack("<HHBBB", width, height, flags, background, 0) + table


def gif_image(x, y, width, height, data: bytes, bits: int = 2, interlace=False, table: bytes = b"") -> bytes:
    flags = (0x40 if interlace else 0) | (0x80 | (bits - 1) if table else 0)
    return b"," + struct.pack("<HHHHB", x, y, width, height, flags) + table + bytes([bits]) + data


def graphic_control(transparent: int | None = None, disposal: int = 0) -> bytes:
    flags = disposal << 2 | (0 if transparent is None else 1)
    return b"!\xf9\x04" + struct.pack("<BHB", flags, 5, transparent or 0) + b"\0"


def gif_cases():
    def colors(bits):
        return noise(3 << bits)

    def indices(count, bits):
        runs = bytearray()
        while len(runs) < count:
            runs += bytes([RANDOM.randrange(1 << bits)]) * RANDOM.choice([1, 1, 1, 2, 3, 9])
        return bytes(runs[:count])

    for bits in range(1, 9):
        code = max(2, bits)
        data = blocks(lzw(indices(20 * 15, bits), code))
        yield f"gif {bits} bits", gif_screen(20, 15, colors(bits), bits) + b"," + struct.pack("<HHHHB", 0, 0, 20, 15, 0) + bytes([code]) + data + b";"
    for height in range(1, 11):
        data = blocks(lzw(indices(6 * height, 2), 2))
        yield f"gif interlaced, {height} rows", gif_screen(6, height, colors(2)) + gif_image(0, 0, 6, height, data, interlace=True) + b";"
    screen, data = gif_screen(8, 6, colors(2)), blocks(lzw(indices(48, 2), 2))
    image = gif_image(0, 0, 8, 6, data)
    yield "gif 87a", gif_screen(8, 6, colors(2), version=b"GIF87a") + image + b";"
    yield "gif local table", screen + gif_image(0, 0, 8, 6, data, table=colors(2)) + b";"
    yield "gif local table alone", gif_screen(8, 6) + gif_image(0, 0, 8, 6, data, table=colors(2)) + b";"
    yield "gif no table", gif_screen(8, 6) + image + b";"
    ramp = bytes(v for i in range(4) for v in (i, i, i))
    yield "gif table that is a gray ramp", gif_screen(8, 6, ramp) + gif_image(0, 0, 8, 6, blocks(lzw(indices(48, 3), 3)), bits=3) + b";"
    yield "gif local gray ramp over a global table", screen + gif_image(0, 0, 8, 6, data, table=ramp) + b";"
    yield "gif indices beyond the table", gif_screen(8, 6, colors(1), 1) + gif_image(0, 0, 8, 6, data) + b";"
    small = blocks(lzw(indices(12, 2), 2))
    yield "gif image smaller than the screen", screen + gif_image(2, 1, 4, 3, small) + b";"
    yield "gif smaller image, background 3", gif_screen(8, 6, colors(2), background=3) + gif_image(2, 1, 4, 3, small) + b";"
    yield "gif smaller image, transparent 2", screen + graphic_control(2) + gif_image(2, 1, 4, 3, small) + b";"
    yield "gif smaller image, transparent 200", screen + graphic_control(200) + gif_image(2, 1, 4, 3, small) + b";"
    yield "gif smaller image, interlaced", screen + graphic_control(1) + gif_image(2, 1, 4, 3, small, interlace=True) + b";"
    yield "gif transparent pixels", screen + graphic_control(1) + image + b";"
    yield "gif transparency without its flag afterwards", screen + graphic_control(3) + graphic_control() + gif_image(2, 1, 4, 3, small) + b";"
    yield "gif image that leaves the screen", screen + gif_image(5, 4, 4, 3, small) + b";"
    yield "gif screen of 0 px", gif_screen(0, 0, colors(2)) + image + b";"
    yield "gif image 0 px wide at the corner", screen + gif_image(0, 0, 0, 3, data) + b";", CORRUPT
    yield "gif image 0 px wide", screen + gif_image(1, 1, 0, 3, data) + b";", CORRUPT
    yield "gif image 0 px high", screen + gif_image(1, 1, 3, 0, data) + b";", CORRUPT
    yield "gif screen and image of 0 px", gif_screen(0, 0, colors(2)) + gif_image(0, 0, 0, 0, data) + b";", CORRUPT
    # Codes of 3 bits: clear, 1, 2, end in two bytes with half of what follows, 64 KiB of empty blocks, then the rest.
    codes = [4, 1, 2, 5, 4] + [n for i in range(30) for n in (i & 3, 4)]
    held = sum(code << 3 * i for i, code in enumerate(codes)).to_bytes(25, "little")
    for gap in (100, 70_000):
        split = blocks(held[:2], end=b"") + bytes(gap) + blocks(held[2:])
        case = f"gif end code ahead of {gap} empty blocks", gif_screen(8, 4, colors(2)) + gif_image(0, 0, 8, 4, split) + b";"
        yield case if gap > 65_536 else (*case, TRUNCATED)
    yield "gif two images", screen + image + gif_image(0, 0, 4, 3, small) + b";"
    yield "gif without trailer", screen + image
    yield "gif without terminator", screen + gif_image(0, 0, 8, 6, data[:-1])
    yield "gif without end code", screen + gif_image(0, 0, 8, 6, blocks(lzw(indices(48, 2), 2, end=False))) + b";"
    yield "gif blocks of 1 byte", screen + gif_image(0, 0, 8, 6, blocks(lzw(indices(48, 2), 2), 1)) + b";"
    yield "gif empty block within the data", screen + gif_image(0, 0, 8, 6, blocks(lzw(indices(48, 2), 2), 5).replace(b"\5", b"\0\5", 2)) + b";"
    yield "gif more pixels than the image", screen + gif_image(0, 0, 8, 6, blocks(lzw(indices(99, 2), 2))) + b";"
    yield "gif fewer pixels than the image", screen + gif_image(0, 0, 8, 6, blocks(lzw(indices(40, 2), 2))) + b";", TRUNCATED
    yield "gif cut in its data", (screen + image)[:-9], TRUNCATED
    yield "gif cut in its descriptor", (screen + image)[:29], TRUNCATED
    yield "gif cut in its color table", (screen + image)[:20], TRUNCATED
    yield "gif cut in its header", screen[:12], TRUNCATED
    yield "gif without image", screen + b";", CORRUPT
    yield "gif ends before an image", screen + graphic_control(), TRUNCATED
    yield "gif bytes between blocks", screen + b"\0\1\2xyz" + image + b";"
    yield "gif comments and applications", screen + b"!\xfe\x03abc\x02de\0" + b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0" + b"!\xff\x0bXMP DataXMP\5abcde\0" + image + b";"
    yield "gif empty comment", screen + b"!\xfe\0" + image + b";"
    yield "gif plain text extension", screen + b"!\x01\x0c" + noise(12) + b"\3abc\0" + image + b";"
    yield "gif empty extension", screen + b"!\xf9\0" + b"\2ab\0" + image + b";"
    yield "gif short graphic control", screen + b"!\xf9\x02\1\0\0" + image + b";", TRUNCATED
    yield "gif many clear codes", screen + gif_image(0, 0, 8, 6, blocks(lzw(indices(48, 2), 2, clear_every=5))) + b";"
    big = bytes(RANDOM.randrange(256) for _ in range(120 * 60))
    yield "gif full code table", gif_screen(120, 60, colors(8), 8) + gif_image(0, 0, 120, 60, blocks(lzw(big, 8)), bits=8) + b";"
    yield "gif repeating string", gif_screen(90, 90, colors(2)) + gif_image(0, 0, 90, 90, blocks(lzw(bytes(8100), 2))) + b";"
    yield "gif code size 1", gif_screen(8, 6, colors(1), 1) + gif_image(0, 0, 8, 6, blocks(lzw(indices(48, 1), 1)), bits=1) + b";", TRUNCATED
    yield "gif code size 12", screen + gif_image(0, 0, 8, 6, blocks(noise(300)), bits=12) + b";", CORRUPT
    yield "gif code size 13", screen + gif_image(0, 0, 8, 6, blocks(noise(300)), bits=13) + b";", CORRUPT
    yield "gif first code beyond the table", screen + gif_image(0, 0, 8, 6, blocks(b"\x74\x00")) + b";", CORRUPT
    yield "gif code beyond the next one", screen + gif_image(0, 0, 8, 6, blocks(b"\xc4\x03\x00")) + b";", CORRUPT


# ---------------------------------------------------------------------------------------------------------------- BMP


def dib(size, width, height, bits, compression=0, colors=0, masks=(), rest=b"") -> bytes:
    if size == 12:
        return struct.pack("<IHHHH", 12, width, height, 1, bits)
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, 0, 2835, 2835, colors, 0)
    extra = struct.pack(f"<{len(masks)}I", *masks)
    return head + (extra + rest).ljust(max(0, size - 40), b"\0")


def bmp(header: bytes, table: bytes, pixels: bytes, offset: int | None = None) -> bytes:
    start = 14 + len(header) + len(table) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(table) + len(pixels), 0, 0, start) + header + table + pixels


def rows_of(width, height, bits) -> bytes:
    return noise(((width * bits + 31) // 32) * 4 * height)


def quads(count: int) -> bytes:
    return noise(count * 4)


def bmp_cases():
    for size in (12, 40, 52, 56, 64, 108, 124):
        for bits in (1, 4, 8, 16, 24, 32):
            table = b"" if bits > 8 else (noise(3 << bits) if size == 12 else quads(1 << bits))
            yield f"bmp header {size}, {bits} bits", bmp(dib(size, 11, 7, bits), table, rows_of(11, 7, bits))
    for bits in (1, 4, 8, 16, 24, 32):
        table = quads(1 << bits) if bits <= 8 else b""
        yield f"bmp top-down, {bits} bits", bmp(dib(40, 11, -7, bits), table, rows_of(11, 7, bits))
    masks32 = [
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFF000000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
        (0, 0, 0, 0),
    ]
    for masks in masks32:
        yield f"bmp 32 bits, masks {masks}", bmp(dib(124, 5, 4, 32, 3, masks=masks), b"", rows_of(5, 4, 32))
    yield "bmp 32 bits, masks behind a short header", bmp(dib(40, 5, 4, 32, 3), struct.pack("<III", 0xFF0000, 0xFF00, 0xFF), rows_of(5, 4, 32))
    yield "bmp 32 bits, masks in a header of 52", bmp(dib(52, 5, 4, 32, 3, masks=masks32[0][:3]), b"", rows_of(5, 4, 32))
    yield "bmp 32 bits, 10-bit masks", bmp(dib(56, 5, 4, 32, 3, masks=(0x3FF00000, 0xFFC00, 0x3FF, 0)), b"", rows_of(5, 4, 32)), UNSUPPORTED
    yield "bmp 24 bits, masks", bmp(dib(56, 5, 4, 24, 3, masks=(0xFF0000, 0xFF00, 0xFF, 0)), b"", rows_of(5, 4, 24))
    for name, masks in [("565", (0xF800, 0x7E0, 0x1F, 0)), ("555", (0x7C00, 0x3E0, 0x1F, 0))]:
        yield f"bmp 16 bits, {name}", bmp(dib(56, 40, 9, 16, 3, masks=masks), b"", rows_of(40, 9, 16))
    yield "bmp 16 bits, 4444", bmp(dib(56, 5, 4, 16, 3, masks=(0xF00, 0xF0, 0xF, 0xF000)), b"", rows_of(5, 4, 16)), UNSUPPORTED
    yield "bmp 8 bits, masks", bmp(dib(56, 5, 4, 8, 3), quads(256), rows_of(5, 4, 8)), UNSUPPORTED
    yield "bmp 2 bits", bmp(dib(40, 5, 4, 2), quads(4), rows_of(5, 4, 2)), UNSUPPORTED
    yield "bmp compression 4", bmp(dib(40, 5, 4, 24, 4), b"", rows_of(5, 4, 24)), UNSUPPORTED
    yield "bmp header of 41", bmp(dib(41, 5, 4, 24), b"", rows_of(5, 4, 24)), UNSUPPORTED
    yield "bmp 0 px wide", bmp(dib(40, 0, 4, 24), b"", rows_of(5, 4, 24)), CORRUPT
    yield "bmp 0 px high", bmp(dib(40, 5, 0, 24), b"", rows_of(5, 4, 24)), CORRUPT

    yield "bmp 5 colors of 8 bits", bmp(dib(40, 9, 4, 8, colors=5), quads(5), rows_of(9, 4, 8))
    yield "bmp 5 colors, offset of all 256", bmp(dib(40, 9, 4, 8, colors=5), quads(256), rows_of(9, 4, 8))
    yield "bmp 300 colors", bmp(dib(40, 9, 4, 8, colors=300), quads(300), rows_of(9, 4, 8)), UNSUPPORTED
    yield "bmp 70000 colors", bmp(dib(40, 9, 4, 8, colors=70000), quads(300), rows_of(9, 4, 8)), UNSUPPORTED
    gray = bytes(v for i in range(256) for v in (i, i, i, 0))
    yield "bmp gray", bmp(dib(40, 9, 4, 8), gray, rows_of(9, 4, 8))
    yield "bmp first 100 grays", bmp(dib(40, 9, 4, 8, colors=100), gray[:400], rows_of(9, 4, 8))
    black_white = b"\0\0\0\0\xff\xff\xff\0"
    yield "bmp black and white", bmp(dib(40, 19, 4, 1), black_white, rows_of(19, 4, 1))
    yield "bmp white and black", bmp(dib(40, 19, 4, 1), black_white[::-1], rows_of(19, 4, 1))
    yield "bmp black and white of 8 bits", bmp(dib(40, 19, 4, 8, colors=2), black_white, rows_of(19, 4, 8))
    yield "bmp 16 grays of 4 bits", bmp(dib(40, 19, 4, 4), gray[:64], rows_of(19, 4, 4)), CORRUPT
    yield "bmp offset 0", bmp(dib(40, 5, 4, 8), quads(256), rows_of(5, 4, 8), 0)
    yield "bmp offset at the palette", bmp(dib(40, 5, 4, 8), quads(256), rows_of(5, 4, 8), 54)
    yield "bmp offset with a gap", bmp(dib(40, 5, 4, 24), b"", noise(7) + rows_of(5, 4, 24), 61)
    yield "bmp offset in its header", bmp(dib(40, 5, 4, 24), b"", rows_of(5, 4, 24), 20)
    yield "bmp offset behind the end", bmp(dib(40, 5, 4, 24), b"", rows_of(5, 4, 24), 9999), TRUNCATED
    whole = bmp(dib(40, 5, 4, 24), b"", rows_of(5, 4, 24))
    yield "bmp without the last row's padding", whole[:-1]
    yield "bmp a byte short", whole[:-2], TRUNCATED
    for keep in (2, 13, 17, 20, 53):
        yield f"bmp cut after {keep} bytes", whole[:keep], TRUNCATED
    yield "bmp bytes behind the end", whole + noise(20)

    table = quads(256)

    def rle8(width, height, runs, colors=table, depth=8):
        return bmp(dib(40, width, height, depth, 1, colors=len(colors) // 4), colors, runs)

    def rle4(width, height, runs, colors=quads(16)):
        return bmp(dib(40, width, height, 4, 2, colors=len(colors) // 4), colors, runs)

    end_row, end = b"\0\0", b"\0\1"
    yield "bmp rle8 runs", rle8(5, 3, b"\5\x11" + end_row + b"\2\x22\3\x33" + end_row + b"\5\x44" + end)
    yield "bmp rle8 absolute", rle8(5, 2, b"\0\5abcde\0" + end_row + b"\0\4fghi\1\x09" + end)
    yield "bmp rle8 at an odd place", bmp(dib(40, 5, 1, 8, 1, colors=5), quads(5) + b"x", b"\0\3abc\2\x07" + end, 75)
    yield "bmp rle8 short rows", rle8(5, 3, b"\2\x11" + end_row + end_row + b"\5\x44" + end), TRUNCATED
    yield "bmp rle8 run beyond its row", rle8(5, 2, b"\x09\x11\4\x12" + end_row + b"\5\x13" + end)
    yield "bmp rle8 delta", rle8(5, 4, b"\2\x11\0\2\2\1\1\x22" + end_row + b"\5\x33" + end_row + b"\5\x44" + end)
    yield "bmp rle8 without end", rle8(5, 2, b"\5\x11" + end_row + b"\5\x22")
    yield "bmp rle8 ends early", rle8(5, 3, b"\5\x11" + end), TRUNCATED
    yield "bmp rle8 cut in an absolute run", rle8(5, 2, b"\0\x08abc"), TRUNCATED
    yield "bmp rle8 top-down", rle8(5, -2, b"\5\x11" + end_row + b"\5\x22" + end)
    yield "bmp rle8 gray", rle8(5, 2, b"\5\x11" + end_row + b"\5\x22" + end, gray)
    yield "bmp rle8 in 4 bits", rle8(5, 2, b"\5\x11" + end_row + b"\5\x22" + end, quads(16), 4)
    yield "bmp rle8 black and white", rle8(5, 2, b"\5\1" + end_row + b"\5\0" + end, black_white), UNSUPPORTED
    yield "bmp rle8 in 24 bits", bmp(dib(40, 5, 2, 24, 1), b"", b"\5\x11" + end_row + b"\5\x22" + end), UNSUPPORTED
    yield "bmp rle4 runs", rle4(5, 3, b"\5\x12" + end_row + b"\2\x34\3\x56" + end_row + b"\5\x78" + end)
    yield "bmp rle4 absolute", rle4(6, 2, b"\0\6\x12\x34\x56\0" + end_row + b"\0\4\x9a\xbc\2\xde" + end)
    yield "bmp rle4 absolute, odd", rle4(6, 2, b"\0\5\x12\x34\x50\0\1\x99" + end_row + b"\6\x12" + end)
    yield "bmp rle4 delta", rle4(5, 3, b"\1\x10\0\2\1\1" + b"\3\x22" + end_row + b"\5\x34" + end)


# ---------------------------------------------------------------------------------------------------------- truncated


def truncated_cases():
    """Files cut in their pixels, to be filled."""
    for color, depth, interlace in [(2, 8, 0), (6, 16, 0), (3, 4, 0), (0, 1, 0), (2, 8, 1), (3, 8, 1)]:
        plte = palette(1 << depth) if color == 3 else b""
        whole = png(ihdr(23, 19, depth, color, interlace), plte, idat(scanlines(23, 19, depth, color, interlace)))
        yield f"png color {color} depth {depth} interlace {interlace}, cut", whole[: len(whole) * 2 // 3]
    data = blocks(lzw(noise(400).translate(bytes(i & 3 for i in range(256))), 2))
    for transparent in (None, 2):
        for interlace in (False, True):
            control = b"" if transparent is None else graphic_control(transparent)
            image = gif_image(3, 2, 20, 20, data[: len(data) // 2], interlace=interlace)
            yield f"gif transparent {transparent} interlace {interlace}, cut", gif_screen(25, 25, noise(12)) + control + image
    for bits in (4, 8, 16, 24, 32):
        for height in (9, -9):
            table = quads(1 << bits) if bits <= 8 else b""
            whole = bmp(dib(40, 10, height, bits), table, rows_of(10, 9, bits))
            yield f"bmp {bits} bits, height {height}, cut", whole[: -len(rows_of(10, 9, bits)) // 2]


# ------------------------------------------------------------------------------------------------------------- golden


def opened(data: bytes):
    """Pillow's picture, upright."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data)))


def expected(data: bytes):
    """Size and hash of Pillow's RGB, or None where Pillow refuses."""
    try:
        image = opened(data)
        pixels = image.convert("RGB").tobytes()
    except Exception:
        return None
    return image.size, hashlib.sha256(pixels).hexdigest()


def deliberate(data: bytes) -> dict:
    """Ours where it is another than Pillow's on purpose: 16-bit gray is clipped to 255 there, and is its high byte here."""
    image = opened(data)
    if image.mode != "I;16":
        return {}
    pixels = b"".join(bytes([v]) * 3 for v in image.tobytes()[1::2])
    return {"difference": "png-gray-16", "sha256_ours": hashlib.sha256(pixels).hexdigest()}


def stored(data: bytes) -> dict:
    """The file, without its longest run of zeros where that is long; `zeros` says where it belongs."""
    run = max(re.findall(rb"\0{1000,}", data), default=b"", key=len)
    if not run:
        return {"base64": base64.b64encode(data).decode()}
    at = data.index(run)
    return {"base64": base64.b64encode(data[:at] + data[at + len(run) :]).decode(), "zeros": {"at": at, "count": len(run)}}


def main(path: str) -> None:
    assert PIL.__version__ == "12.3.0", PIL.__version__
    cases = []
    bitmaps = []
    for name, data, *code in [*png_cases(), *gif_cases(), *bmp_cases()]:
        case = {"name": name, **stored(data)}
        result = expected(data)
        assert (result is None) == bool(code), f"{name}: Pillow gives {result}, the case says {code}"
        if result is None:
            case["error"] = code[0]
        else:
            (case["width"], case["height"]), case["sha256_rgb"] = result
            case.update(deliberate(data))
        cases.append(case)
        if name.startswith("bmp") and not code and " offset " not in name and " at an odd place" not in name:
            bitmaps.append((name, data))
    # What Windows puts on the clipboard: the same without its file header of 14 bytes.
    for name, data in bitmaps:
        (width, height), sha256 = expected(data[14:])
        fields = {"width": width, "height": height, "sha256_rgb": sha256}
        cases.append({"name": f"dib {name.removeprefix('bmp ')}", **stored(data[14:]), **fields})
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    for name, data in truncated_cases():
        (width, height), sha256 = expected(data)
        fields = {"width": width, "height": height, "sha256_rgb": sha256, "allow_truncated": True}
        cases.append({"name": name, "base64": base64.b64encode(data).decode(), **fields})
    with open(path, "w") as file:
        json.dump({"pillow": PIL.__version__, "cases": cases}, file, indent=1)
        file.write("\n")
    print(f"{path}: {len(cases)} cases, {sum('error' in case for case in cases)} refused")


main(*sys.argv[1:])
