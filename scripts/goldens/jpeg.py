"""Makes test/fixtures/jpeg: small JPEG files of every kind, and what Pillow makes of each.

Needs Pillow 12.3.0 (libjpeg-turbo 3.1.4.1, x86-64 with AVX2), numpy, and cjpeg of libjpeg-turbo on the path.
Run from the root of the repository: python3 scripts/goldens/jpeg.py
"""

import hashlib
import io
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image, ImageFile

FOLDER = pathlib.Path("test/fixtures/jpeg")
RANDOM = np.random.default_rng(20261123)

files: dict[str, bytes] = {}


def picture(width: int, height: int, noise: int = 24) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x * 5 + y * 3) % 256]
    values = np.stack(planes, 2) + RANDOM.integers(-noise, noise + 1, (height, width, 3))
    values[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 30)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def cjpeg(image: Image.Image, *options: str, scans: str | None = None) -> bytes:
    ppm = io.BytesIO()
    image.save(ppm, "PPM")
    with tempfile.NamedTemporaryFile("w", suffix=".scans") as script:
        arguments = ["cjpeg", *options]
        if scans is not None:
            script.write(scans)
            script.flush()
            arguments += ["-scans", script.name]
        return subprocess.run(arguments, input=ppm.getvalue(), capture_output=True, check=True).stdout


def pillow(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def segments(data: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, end) of every segment; entropy-coded data belongs to the segment before it."""
    found, at = [], 2
    while at < len(data) - 1:
        marker = data[at + 1]
        end = at + 2
        if marker != 0xD9:
            end += int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            while data[end] != 0xFF or data[end + 1] in (0, *range(0xD0, 0xD8)):
                end += 1
        found.append((marker, at, end))
        at = end
    return found


def without(data: bytes, marker: int, which: int | None = None) -> bytes:
    hits = [(start, end) for code, start, end in segments(data) if code == marker]
    if which is not None:
        hits = [hits[which]]
    for start, end in reversed(hits):
        data = data[:start] + data[end:]
    return data


def patched(data: bytes, marker: int, offset: int, value: int) -> bytes:
    start = next(start for code, start, _ in segments(data) if code == marker)
    out = bytearray(data)
    out[start + offset] = value
    return bytes(out)


def make() -> None:
    photo = picture(45, 37)
    for sampling in (
        "1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "2x2,2x1,1x1", "2x2,1x1,2x2", "1x1,2x2,1x1", "3x1"
    ):
        files[f"sampling-{sampling.replace(',', '_')}.jpg"] = cjpeg(photo, "-quality", "80", "-sample", sampling)
    for sampling in ("1x1", "2x1", "1x2", "2x2"):
        files[f"progressive-{sampling}.jpg"] = cjpeg(photo, "-quality", "80", "-progressive", "-sample", sampling)
    for width, height in ((1, 1), (2, 3), (3, 2), (5, 16), (16, 5), (17, 33), (64, 1), (1, 40)):
        files[f"size-{width}x{height}.jpg"] = cjpeg(picture(width, height), "-quality", "70", "-sample", "2x2")
    files["quant-16-bit.jpg"] = cjpeg(photo, "-quality", "3", "-sample", "2x2")
    files["quality-100.jpg"] = cjpeg(picture(24, 24, 200), "-quality", "100", "-sample", "1x1")
    files["restart-3-mcus.jpg"] = cjpeg(photo, "-restart", "3B", "-sample", "2x1")
    files["restart-rows-progressive.jpg"] = cjpeg(photo, "-restart", "1", "-progressive", "-sample", "2x2")
    files["scans-separate.jpg"] = cjpeg(photo, "-sample", "2x2", scans="0;1;2;")
    files["scans-two.jpg"] = cjpeg(photo, "-sample", "2x1", "-restart", "2B", scans="0;1,2;")
    files["rgb.jpg"] = cjpeg(photo, "-rgb", "-quality", "80")
    files["rgb-subsampled.jpg"] = cjpeg(photo, "-rgb", "-quality", "80", "-sample", "1x1,2x2,1x1")
    files["gray-2x2.jpg"] = cjpeg(photo.convert("L"), "-quality", "80", "-sample", "2x2")
    files["gray-progressive.jpg"] = cjpeg(photo.convert("L"), "-quality", "80", "-progressive")
    cmyk = pillow(photo.convert("CMYK"), quality=80)
    files["cmyk-adobe.jpg"] = cmyk
    files["cmyk-bare.jpg"] = without(cmyk, 0xEE)
    files["ycck.jpg"] = patched(cmyk, 0xEE, 15, 2)
    files["cmyk-progressive.jpg"] = pillow(photo.convert("CMYK"), quality=60, progressive=True)
    ycc = files["sampling-2x2.jpg"]
    files["no-jfif.jpg"] = without(ycc, 0xE0)
    files["no-huffman-tables.jpg"] = without(ycc, 0xC4)
    tables = b"\xff\xd8" + b"".join(ycc[s:e] for m, s, e in segments(ycc) if m in (0xDB, 0xC4)) + b"\xff\xd9"
    files["tables-first.jpg"] = tables + without(without(ycc, 0xDB), 0xC4)
    files["trailing-garbage.jpg"] = ycc + b"\xff\xd8\xff\xe0garbage\xff\xda"
    files["fill-bytes.jpg"] = ycc.replace(b"\xff\xdb", b"\xff\xff\xff\xdb").replace(b"\xff\xda", b"\xff\xff\xda")

    # Progressive files that stop after some scans: block smoothing.
    for sampling in ("1x1", "2x2"):
        whole = cjpeg(picture(70, 61), "-quality", "75", "-progressive", "-sample", sampling)
        ends = [end for marker, _, end in segments(whole) if marker == 0xDA]
        for kept in (1, 2, 4, 6, 9):
            files[f"smoothing-{sampling}-{kept}-scans.jpg"] = whole[: ends[kept - 1]] + b"\xff\xd9"
    begin = [start for marker, start, _ in segments(whole) if marker == 0xDA][4] + 10
    files["smoothing-inside-scan.jpg"] = whole[: (begin + ends[4]) // 2] + b"\xff\xd9"

    # Data that stops early but has its end-of-image marker.
    start = next(end for marker, end, _ in segments(ycc) if marker == 0xDA) + 14
    files["data-missing.jpg"] = ycc[: (start + len(ycc)) // 2] + b"\xff\xd9"
    progressive = files["progressive-2x2.jpg"]
    files["no-end-marker.jpg"] = ycc[:-2]
    files["no-end-marker-padded.jpg"] = ycc[:-2] + bytes(8)
    files["no-end-marker-progressive.jpg"] = progressive[:-2]
    files["truncated.jpg"] = ycc[: len(ycc) * 3 // 4]
    files["truncated-progressive.jpg"] = progressive[: len(progressive) * 3 // 4]

    # Bits flipped, markers lost: decoded by the reference all the same, or not.
    for name in ("sampling-2x2", "progressive-2x1", "restart-3-mcus", "quant-16-bit", "scans-separate", "cmyk-adobe"):
        data = files[f"{name}.jpg"]
        scan = next(end for marker, _, end in segments(data) if marker == 0xDA)
        first = next(begin for marker, begin, _ in segments(data) if marker == 0xDA) + 16
        for copy in range(4):
            damaged = bytearray(data)
            for _ in range(1 + copy):
                at = int(RANDOM.integers(first, scan - 2))
                damaged[at] ^= 1 << int(RANDOM.integers(0, 8))
            files[f"damaged-{name}-{copy}.jpg"] = bytes(damaged)
    restarts = files["restart-3-mcus.jpg"]
    files["restart-marker-lost.jpg"] = restarts.replace(b"\xff\xd1", b"", 1)
    files["restart-marker-wrong.jpg"] = restarts.replace(b"\xff\xd1", b"\xff\xd6", 1)
    files["restart-marker-early.jpg"] = restarts.replace(b"\xff\xd2", b"\xff\xd3", 1)
    # Coefficients far out of range, which the reference wraps and saturates.
    for scale, name in ((255, "overflow-8-bit"), (65535, "overflow-16-bit"), (40000, "overflow-negative")):
        loud = bytearray(cjpeg(picture(40, 24, 255), "-quality", "1" if scale > 255 else "10", "-sample", "2x2"))
        for marker, begin, end in segments(bytes(loud)):
            if marker != 0xDB:
                continue
            at = begin + 4
            while at < end:
                wide = loud[at] >> 4
                for k in range(64):
                    if wide:
                        loud[at + 1 + 2 * k : at + 3 + 2 * k] = scale.to_bytes(2, "big")
                    else:
                        loud[at + 1 + k] = min(scale, 255)
                at += 129 if wide else 65
        files[f"{name}.jpg"] = bytes(loud)

    # Refused.
    files["refused-lossless.jpg"] = ycc.replace(b"\xff\xc0", b"\xff\xc3", 1)
    files["refused-hierarchical.jpg"] = ycc.replace(b"\xff\xc0", b"\xff\xc5", 1)
    files["refused-12-bit.jpg"] = patched(ycc, 0xC0, 4, 12)
    files["refused-empty.jpg"] = patched(patched(ycc, 0xC0, 5, 0), 0xC0, 6, 0)
    files["refused-no-quant-table.jpg"] = without(ycc, 0xDB, 1)
    files["refused-no-huffman-table.jpg"] = without(progressive, 0xC4, 0)
    files["refused-sampling-0.jpg"] = patched(ycc, 0xC0, 11, 0x20)
    files["refused-two-frames.jpg"] = ycc[:2] + ycc[segments(ycc)[3][1] : segments(ycc)[3][2]] + ycc[2:]
    files["refused-fractional-sampling.jpg"] = patched(patched(ycc, 0xC0, 11, 0x31), 0xC0, 14, 0x21)
    files["refused-header-cut.jpg"] = ycc[:300]

    files["restart-marker-two-ahead.jpg"] = restarts.replace(b"\xff\xd1", b"\xff\xd3", 1)
    files["restart-marker-two-behind.jpg"] = restarts.replace(b"\xff\xd2", b"\xff\xd0", 1)
    # Refinements that come twice: bits that are set already are not set again.
    scans = [index for index, (marker, _, _) in enumerate(segments(progressive)) if marker == 0xDA]
    for name, which in (("luma", -1), ("chroma", -2), ("dc", -4)):
        index = scans[which]
        start = segments(progressive)[index - 1][1] if which != -4 else segments(progressive)[index][1]
        end = segments(progressive)[index][2]
        files[f"refined-twice-{name}.jpg"] = progressive[:end] + progressive[start:end] + progressive[end:]
    # Whether the reference gets through without an end marker depends on where its reader stands.
    for copy in range(16):
        width, height = (int(value) for value in RANDOM.integers(4, 30, 2))
        options = ("-quality", str(20 + 5 * copy), "-sample", ("1x1", "2x2")[copy % 2])
        unended = cjpeg(picture(width, height, 60), *options)
        files[f"no-end-marker-{copy}.jpg"] = unended[:-2] + bytes(RANDOM.integers(0, 255, copy % 4).tolist())
    make_arithmetic(photo, ycc)


def make_arithmetic(photo: Image.Image, huffman: bytes) -> None:
    """Arithmetic coding. Pillow reads it only where the whole file fits its first block of 64 KiB."""
    code = ("-arithmetic", "-quality", "85")
    for sampling in ("1x1", "2x1", "2x2"):
        files[f"arithmetic-{sampling}.jpg"] = cjpeg(photo, *code, "-sample", sampling)
        files[f"arithmetic-progressive-{sampling}.jpg"] = cjpeg(photo, *code, "-progressive", "-sample", sampling)
    files["arithmetic-gray.jpg"] = cjpeg(photo.convert("L"), *code)
    files["arithmetic-noise.jpg"] = cjpeg(picture(40, 33, 250), "-arithmetic", "-quality", "100", "-sample", "1x1")
    files["arithmetic-restart.jpg"] = cjpeg(photo, *code, "-restart", "3B", "-sample", "2x1")
    files["arithmetic-restart-progressive.jpg"] = cjpeg(photo, *code, "-restart", "1", "-progressive")
    files["arithmetic-scans.jpg"] = cjpeg(photo, *code, "-sample", "2x2", scans="0;1;2;")
    # Other statistics than the file was made with: noise, but the same noise in every decoder.
    for offset, value in ((5, 0x32), (7, 1)):
        files[f"arithmetic-conditioning-{offset}.jpg"] = patched(files["arithmetic-2x2.jpg"], 0xCC, offset, value)
    files["arithmetic-as-huffman.jpg"] = huffman.replace(b"\xff\xc0", b"\xff\xc9", 1)
    files["arithmetic-no-end-marker.jpg"] = files["arithmetic-2x2.jpg"][:-2]
    files["arithmetic-truncated.jpg"] = files["arithmetic-2x2.jpg"][:-60]
    for name in ("2x2", "progressive-2x2", "restart"):
        data = files[f"arithmetic-{name}.jpg"]
        first = next(begin for marker, begin, _ in segments(data) if marker == 0xDA) + 16
        for copy in range(6):
            damaged = bytearray(data)
            for _ in range(1 + copy):
                damaged[int(RANDOM.integers(first, len(data) - 2))] ^= 1 << int(RANDOM.integers(0, 8))
            files[f"arithmetic-damaged-{name}-{copy}.jpg"] = bytes(damaged)


def digest(data: bytes, scale: int, truncated: bool) -> str | None:
    ImageFile.LOAD_TRUNCATED_IMAGES = truncated
    try:
        image = Image.open(io.BytesIO(data))
        if scale > 1:
            width, height = image.size
            image.draft(None, (max(1, width // scale), max(1, height // scale)))
            if image.decoderconfig[0] != scale:
                return None
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
    except (OSError, SyntaxError) as error:
        return f"error: {type(error).__name__}: {str(error).split(' <')[0]}"
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def main() -> None:
    make()
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
        entry = {}
        for scale in (1, 2, 4, 8):
            result = digest(data, scale, False)
            if result is not None:
                entry[str(scale)] = result
        if "truncated (" in entry["1"] and "arithmetic" not in name:
            entry["allowTruncated"] = digest(data, 1, True)
        expected[name] = entry
    note = "SHA-256 of the RGB pixels, not transposed, by draft scale; allowTruncated: with LOAD_TRUNCATED_IMAGES"
    (FOLDER / "expected.json").write_text(json.dumps({"note": note, "files": expected}, indent=1) + "\n")


if __name__ == "__main__":
    main()
