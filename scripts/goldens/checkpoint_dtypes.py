"""Writes test/fixtures/checkpoint/dtypes.safetensors with the reference library (safetensors, torch): every element
type that a checkpoint may hold, with values at the corners of each, and beside it what torch makes of them in float32.

    python scripts/goldens/checkpoint_dtypes.py
"""
import json
import math
import pathlib

import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "checkpoint"

floats = [0.0, -0.0, 1.0, -1.5, 3.140625, 2.0**-7, 2.0**-9, -(2.0**-10), 2.0**-24, 2.0**-14, 448.0, 57344.0, 65504.0, 1e-5]
special = [math.inf, -math.inf, math.nan]
tensors = {
    "f32": torch.tensor(floats + special),
    "f16": torch.tensor(floats + special).to(torch.float16),
    "bf16": torch.tensor(floats + special).to(torch.bfloat16),
    "f64": torch.tensor(floats + [math.pi], dtype=torch.float64),
    "f8_e4m3": torch.arange(256, dtype=torch.int32).to(torch.uint8).view(torch.float8_e4m3fn),
    "f8_e5m2": torch.arange(256, dtype=torch.int32).to(torch.uint8).view(torch.float8_e5m2),
    "all_f16": torch.arange(0, 65536, 61, dtype=torch.int32).to(torch.int16).view(torch.float16),
    "i8": torch.tensor([[-128, -1], [0, 127]], dtype=torch.int8),
    "u8": torch.tensor([0, 200, 255], dtype=torch.uint8),
    "i16": torch.tensor([-32768, 32767], dtype=torch.int16),
    "i32": torch.tensor([-(2**31), 5], dtype=torch.int32),
    "i64": torch.tensor([-(2**53), 7], dtype=torch.int64),
    "bool": torch.tensor([True, False, True]),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
}
OUT.mkdir(parents=True, exist_ok=True)
save_file(tensors, OUT / "dtypes.safetensors", metadata={"format": "pt", "made by": "safetensors"})
# float32 bit patterns, so that -0 and infinities survive JSON; NaN as null.
expected = {}
for name, tensor in tensors.items():
    flat = tensor.to(torch.float32).reshape(-1)
    bits = flat.view(torch.int32).tolist()
    expected[name] = [None if math.isnan(value) else pattern & 0xFFFFFFFF for value, pattern in zip(flat.tolist(), bits)]
shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
(OUT / "dtypes.json").write_text(json.dumps({"shapes": shapes, "float32_bits": expected}) + "\n")
(OUT / "dtypes.safetensors").chmod(0o644)
