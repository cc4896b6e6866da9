"""Goldens for the resizer and the processor, from Pillow and transformers.

    python scripts/goldens/preprocess.py test/fixtures/preprocess/goldens.json

Needs Pillow 12.3.0, numpy and transformers 5.18.0. Pictures are computed from (width, height, seed) here and in the
test alike, so that the file holds only descriptions and hashes.
"""

import hashlib
import itertools
import json
import random
import sys
from pathlib import Path

import numpy as np
import PIL
import transformers
from PIL import Image, ImageOps
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

IMAGES = Path(__file__).parents[2] / "test/fixtures/images"


def picture(width: int, height: int, seed: int) -> Image.Image:
    """Noise with flat patches: every 8x8 block whose hash is even is black or white, so that filters over- and undershoot."""

    def mix(x):
        x = (x * np.uint32(0x9E3779B1) + np.uint32(seed)).astype(np.uint32)
        x ^= x >> np.uint32(15)
        x = (x * np.uint32(0x85EBCA77)).astype(np.uint32)
        return x ^ (x >> np.uint32(13))

    noise = mix(np.arange(width * height * 3, dtype=np.uint32)) & np.uint32(255)
    noise = noise.reshape(height, width, 3)
    blocks = mix((np.arange(height, dtype=np.uint32)[:, None] // 8) * np.uint32(4096) + np.arange(width, dtype=np.uint32)[None] // 8)
    flat = ((blocks >> np.uint32(1)) & np.uint32(1)) * np.uint32(255)
    data = np.where((blocks & np.uint32(1))[..., None] == 0, flat[..., None], noise)
    return Image.fromarray(data.astype(np.uint8))


def oriented(stored: Image.Image, orientation: int) -> Image.Image:
    if orientation == 1:
        return stored
    exif = stored.getexif()
    exif[274] = orientation
    return ImageOps.exif_transpose(stored)


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def resize_cases():
    sizes = [(61, 47), (128, 96), (7, 5), (1, 1), (33, 200), (301, 11)]
    targets = [(24, 24), (61, 47), (97, 31), (1, 1), (224, 17), (61, 20), (30, 47), (128, 96), (300, 3)]
    for seed, ((w, h), (tw, th), resample) in enumerate(itertools.product(sizes, targets, range(6))):
        result = picture(w, h, seed).resize((tw, th), resample=resample)
        yield {"width": w, "height": h, "seed": seed, "resample": resample, "target": [tw, th], "sha256": sha256(np.array(result))}
    # Sizes at which a running sum of steps and a product of them differ.
    for seed, (w, tw) in enumerate([(1000, 999), (1023, 641), (997, 331), (640, 2111), (49, 2401)], start=1000):
        for resample in (0, 3):
            result = picture(w, 9, seed).resize((tw, 5), resample=resample)
            yield {"width": w, "height": 9, "seed": seed, "resample": resample, "target": [tw, 5], "sha256": sha256(np.array(result))}


def processor_cases():
    rng = random.Random(20261123)
    sizes = [
        {"shortest_edge": 32},
        {"shortest_edge": 57},
        40,
        {"shortest_edge": 64, "longest_edge": 80},
        {"shortest_edge": 31, "longest_edge": 33},
        {"height": 48, "width": 36},
        [29, 71],
        {"max_height": 50, "max_width": 40},
    ]
    crops = [32, {"height": 40, "width": 25}, {"height": 25, "width": 96}, [90, 90], 1, {"height": 33, "width": 57}]
    for seed in range(240):
        config: dict = {"resample": rng.randrange(6), "size": rng.choice(sizes)}
        if rng.random() < 0.2:
            config["do_resize"] = rng.choice([False, None])
        if rng.random() < 0.3:
            config["do_center_crop"] = False
        else:
            config["crop_size"] = rng.choice(crops)
        if rng.random() < 0.2:
            config["default_to_square"] = True
        if rng.random() < 0.2:
            config["do_rescale"] = False
        elif rng.random() < 0.3:
            config["rescale_factor"] = rng.choice([1, 0.5, 1 / 127.5, 0.00392156862745098])
        if rng.random() < 0.2:
            config["do_normalize"] = rng.choice([False, None])
        else:
            if rng.random() < 0.3:
                config["image_mean"] = rng.choice([0.5, 0, [0.485, 0.456, 0.406]])
            if rng.random() < 0.3:
                config["image_std"] = rng.choice([0.5, 1, [0.229, 0.224, 0.225]])
        if rng.random() < 0.1:
            config["do_pad"] = True
            config["pad_size"] = {"height": 130, "width": 300}
        width, height = rng.choice([(61, 47), (47, 61), (96, 96), (13, 90), (120, 31), (64, 64), (5, 3)])
        orientation = 1 + seed % 8
        image = oriented(picture(width, height, seed), orientation)
        case = {"width": width, "height": height, "seed": seed, "orientation": orientation, "config": config}
        try:
            values = BitImageProcessorPil(**config)(image, return_tensors="np")["pixel_values"][0]
        except ValueError as error:
            yield {**case, "error": str(error)[:60]}
            continue
        yield {**case, "shape": list(values.shape), "sha256": sha256(values.astype(np.float32))}


def covered_box(upright: Image.Image, full: tuple[int, int], orientation: int, n: int) -> tuple[float, ...]:
    """The part of a picture decoded at 1/n that the whole picture covers: n need not divide the size."""
    # The rounded-up part lies at the stored right and bottom edges, wherever orientation takes them.
    marker = oriented(Image.fromarray(np.arange(4, dtype=np.uint8).reshape(2, 2)), orientation)
    row, column = np.argwhere(np.array(marker) == 0)[0]
    left = 0 if column == 0 else upright.width - full[0] / n
    top = 0 if row == 0 else upright.height - full[1] / n
    return (left, top, left + full[0] / n, top + full[1] / n)


def scaled_cases():
    """A picture that stands for a JPEG decoded at 1/n: resized through Pillow's fractional box."""
    for seed, (orientation, (n, w, h)) in enumerate(
        itertools.product(range(1, 9), [(2, 301, 203), (4, 640, 401), (8, 1027, 777)]), start=5000
    ):
        stored = picture(-(-w // n), -(-h // n), seed)
        upright = oriented(stored, orientation)
        full = (h, w) if orientation >= 5 else (w, h)
        box = covered_box(upright, full, orientation, n)
        short = 32
        target = (short, int(short * full[1] / full[0])) if full[0] <= full[1] else (int(short * full[0] / full[1]), short)
        result = upright.resize(target, resample=3, box=box)
        yield {"width": w, "height": h, "seed": seed, "orientation": orientation, "denominator": n, "shortest_edge": short,
               "shape": [target[1], target[0], 3], "sha256": sha256(np.array(result))}


def draft_cases():
    """Real JPEGs through `Image.draft`, turned upright, and resized from the box that the whole picture covers."""
    for path in sorted(IMAGES.glob("*.jpg")):
        for short in (5, 13, 26, 57):
            image = Image.open(path)
            orientation = image.getexif().get(274, 1)
            stored = image.size
            full = stored[::-1] if orientation >= 5 else stored
            target = (short, short * full[1] // full[0]) if full[0] <= full[1] else (short * full[0] // full[1], short)
            wanted = target[::-1] if orientation >= 5 else target
            image.draft(None, (2 * wanted[0], 2 * wanted[1]))
            denominator = next(n for n in (1, 2, 4, 8) if image.size == (-(-stored[0] // n), -(-stored[1] // n)))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            box = covered_box(upright, full, orientation, denominator)
            result = upright.resize(target, resample=3, box=box)
            yield {"file": path.name, "shortest_edge": short, "denominator": denominator,
                   "shape": [target[1], target[0], 3], "sha256": sha256(np.array(result))}


def main() -> None:
    document = {
        "pillow": PIL.__version__,
        "transformers": transformers.__version__,
        "resize": list(resize_cases()),
        "processor": list(processor_cases()),
        "scaled": list(scaled_cases()),
        "draft": list(draft_cases()),
    }
    with open(sys.argv[1], "w") as file:
        for key, value in document.items():
            file.write("{\n" if key == "pillow" else ",\n")
            if isinstance(value, list):
                rows = ",\n".join("  " + json.dumps(row) for row in value)
                file.write(f' "{key}": [\n{rows}\n ]')
            else:
                file.write(f' "{key}": {json.dumps(value)}')
        file.write("\n}\n")


main()
