"""Small random BiT networks with options that test/fixtures/bit does not cover, and what Hugging Face makes of an input.

python scripts/goldens/bit_networks.py test/fixtures/bit-options   (transformers 5.18, torch 2.13)
"""

import os
import sys

import torch
from safetensors.torch import save_file
from transformers import BitConfig, BitForImageClassification, BitModel

OUT = sys.argv[1]
torch.manual_seed(0)


def write(name, height, width, cls=BitForImageClassification, **options):
    model = cls(BitConfig(embedding_size=16, num_groups=8, **options)).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.data += torch.randn_like(parameter) * 0.2
    pixel_values = torch.randn(2, 3, height, width)
    with torch.no_grad():
        outputs = model(pixel_values)
    names = ["pooler_output", "last_hidden_state"] if cls is BitModel else ["logits"]
    tensors = {"pixel_values": pixel_values, **{key: outputs[key].contiguous() for key in names}}
    folder = os.path.join(OUT, name)
    model.save_pretrained(folder)
    save_file(tensors, os.path.join(folder, "io.safetensors"))


# The only kind of size at which VALID padding runs in HF: 3x3 maps, whose 3x3 convolution gives 1x1 and is broadcast.
write("valid", 15, 15, hidden_sizes=[32], depths=[1], global_padding="VALID", num_labels=7)
write("gelu", 48, 49, hidden_sizes=[32, 64], depths=[1, 2], hidden_act="gelu", num_labels=7)
write("silu", 48, 49, hidden_sizes=[32, 64], depths=[1, 2], hidden_act="silu", num_labels=7)
write("width2", 48, 49, BitModel, hidden_sizes=[32, 64], depths=[1, 2], width_factor=2, layer_type="bottleneck")
write(
    "stride8",
    64,
    65,
    hidden_sizes=[32, 64, 64, 128],
    depths=[1, 2, 2, 2],
    output_stride=8,
    layer_type="bottleneck",
    num_labels=7,
)
