"""Writes a folder in the exact layout of `google/bit-50` on the hub, with random weights: a config.json as transformers 4.26
saved it (`conv_layer`), preprocessor_config.json of 448 px, and one pytorch_model.bin, a zip pickle. Numbers and names only: no
file of the hub. Beside it, for tests, what Hugging Face's float32 model makes of a picture: expected.json.

python scripts/goldens/bit_50_layout.py OUT [--small] [--size PX] [--picture FILE]
--small: the same layout around a network of 69,000 parameters, 64 px, small enough to commit.   (transformers 5.18, torch 2.13)
"""
import argparse
import json
import pathlib

import torch
from PIL import Image
from transformers import BitConfig, BitForImageClassification
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

ROOT = pathlib.Path(__file__).resolve().parents[2]
parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("--small", action="store_true")
parser.add_argument("--size", type=int)
parser.add_argument("--picture", type=pathlib.Path, default=ROOT / "test" / "fixtures" / "images" / "jpeg-420.jpg")
options = parser.parse_args()
size = options.size or (64 if options.small else 448)
torch.manual_seed(20261128)

count = 10 if options.small else 1000
labels = {str(index): f"class {index}" for index in range(count)}
network = {"depths": [3, 4, 6, 3], "embedding_size": 64, "hidden_sizes": [256, 512, 1024, 2048], "num_groups": 32}
if options.small:
    network = {"depths": [1, 1, 2, 1], "embedding_size": 32, "hidden_sizes": [32, 64, 96, 128], "num_groups": 8}

# In the order and with the fields of transformers 4.26.
config = {
    "architectures": ["BitForImageClassification"],
    "conv_layer": "std_conv",
    "depths": network["depths"],
    "drop_path_rate": 0.0,
    "embedding_dynamic_padding": False,
    "embedding_size": network["embedding_size"],
    "global_padding": None,
    "hidden_act": "relu",
    "hidden_sizes": network["hidden_sizes"],
    "id2label": labels,
    "label2id": {name: int(index) for index, name in labels.items()},
    "layer_type": "preactivation",
    "model_type": "bit",
    "num_channels": 3,
    "num_groups": network["num_groups"],
    "out_features": None,
    "output_stride": 32,
    "stage_names": ["stem", "stage1", "stage2", "stage3", "stage4"],
    "torch_dtype": "float32",
    "transformers_version": "4.26.0.dev0",
    "width_factor": 1,
}
processor = {
    "crop_size": {"height": size, "width": size},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "BitImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": size},
}

model = BitForImageClassification(BitConfig(**{**config, "conv_layer": "std_conv"})).eval()
for name, parameter in model.named_parameters():
    # Not the even ones and zeros that layers begin with: a trained network's differ from channel to channel.
    if parameter.ndim == 1:
        parameter.data += torch.randn_like(parameter) * 0.1
    elif name.startswith("classifier"):
        parameter.data = torch.randn_like(parameter) / parameter.shape[1] ** 0.5

options.out.mkdir(parents=True, exist_ok=True)
(options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
(options.out / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
torch.save(model.state_dict(), options.out / "pytorch_model.bin")

pixel_values = BitImageProcessorPil(**processor)(Image.open(options.picture), return_tensors="pt").pixel_values
with torch.no_grad():
    logits = model(pixel_values).logits[0]
relative = options.picture.resolve().relative_to(ROOT) if options.picture.resolve().is_relative_to(ROOT) else options.picture
expected = {"picture": str(relative), "logits": [float(f"{value:.7g}") for value in logits.tolist()]}
(options.out / "expected.json").write_text(json.dumps(expected) + "\n")
parameters = sum(parameter.numel() for parameter in model.parameters())
print(f"{options.out}: {parameters} parameters, {size} px, logits {logits.min():.3f} to {logits.max():.3f}")
