"""Writes test/fixtures/gpu/logits.json: what Hugging Face transformers answers for pictures that a test can make itself.

    python scripts/goldens/gpu_logits.py

Needs torch, transformers and numpy. The models are the default one (model-store/models/bit-tiny-200) and a small random one
(test/fixtures/bit/default), which a GPU in software can run in reasonable time. Picture i is 64 x 64
RGB; its bytes are the high bytes of the generator x = 1664525 x + 1013904223 (mod 2^32), which starts at x = i + 1. Every
second picture is smooth instead of noise: a byte is then the mean of the last 16, rounded down.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import BitForImageClassification

ROOT = Path(__file__).resolve().parents[2]
PICTURES = 6
SIDE = 64


def picture(index: int) -> np.ndarray:
    count = SIDE * SIDE * 3
    state, values, window = index + 1, [], [0] * 16
    for position in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        window[position % 16] = state >> 24
        values.append(sum(window) // 16 if index % 2 else state >> 24)
    return np.array(values, np.uint8).reshape(SIDE, SIDE, 3)


def answers(folder: str) -> dict:
    model = BitForImageClassification.from_pretrained(ROOT / folder).eval()
    pixels = np.stack([picture(index) for index in range(PICTURES)]).astype(np.float32)
    values = torch.from_numpy((pixels / 255 - 0.5) / 0.5).permute(0, 3, 1, 2).contiguous()
    with torch.no_grad():
        logits = model(values).logits
        pooled = model.bit(values).pooler_output.flatten(1)
    return {
        "logits": [[round(value, 6) for value in row] for row in logits.tolist()],
        "pooler_output_first_16": [[round(value, 6) for value in row[:16]] for row in pooled.tolist()],
    }


def main() -> None:
    result = {
        "bit-tiny-200": answers("model-store/models/bit-tiny-200"),
        "random": answers("test/fixtures/bit/default"),
    }
    target = ROOT / "test/fixtures/gpu/logits.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
