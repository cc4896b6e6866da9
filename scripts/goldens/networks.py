"""Random BiT networks of every configuration that HF transformers can run, with their exact outputs, into
test/fixtures/networks/<name>/{config.json, model.safetensors or shards, io.safetensors}.

Norms and kernels are random too (HF initialises norms to identity, which would hide mistakes in them). io.safetensors has
pixel_values.<height>x<width> and what the model gives for it: logits, pooler_output, last_hidden_state, hidden_states.<n>.

    python scripts/goldens/networks.py
"""
import json
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import save_file
from transformers import BitBackbone, BitConfig, BitForImageClassification, BitModel

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "networks"
SMALL = dict(embedding_size=16, hidden_sizes=[16, 24, 32, 40], depths=[1, 2, 1, 1], num_groups=4, num_labels=5)
BOTTLENECK = dict(layer_type="bottleneck")
ONE_STAGE = dict(hidden_sizes=[24], depths=[2])
SIZES = [(24, 24), (27, 19)]

# name: (class, config, what is special about its files)
NETWORKS = {
    "gelu": (BitForImageClassification, dict(hidden_act="gelu"), {}),
    "silu-bottleneck": (BitForImageClassification, dict(hidden_act="silu", **BOTTLENECK), {}),
    "swish-same": (BitForImageClassification, dict(hidden_act="swish", global_padding="same"), {}),
    "gelu-bottleneck-same-dynamic": (
        BitForImageClassification,
        dict(hidden_act="gelu", global_padding="SAME", embedding_dynamic_padding=True, **BOTTLENECK),
        {},
    ),
    "dynamic": (BitForImageClassification, dict(embedding_dynamic_padding=True), {}),
    "same": (BitForImageClassification, dict(global_padding="SAME"), {}),
    # Without padding the residual sum fits only where the 3x3 convolution leaves one pixel, which is broadcast.
    "valid": (BitForImageClassification, dict(global_padding="VALID", **ONE_STAGE), dict(sizes=[(16, 16), (17, 18)])),
    "valid-dynamic-bottleneck": (
        BitForImageClassification,
        dict(global_padding="valid", embedding_dynamic_padding=True, **ONE_STAGE, **BOTTLENECK),
        dict(sizes=[(14, 14), (11, 13)]),
    ),
    "stride8": (BitForImageClassification, dict(output_stride=8), {}),
    "stride8-bottleneck": (BitForImageClassification, dict(output_stride=8, depths=[1, 1, 2, 2], **BOTTLENECK), {}),
    "stride16-bottleneck-same": (
        BitForImageClassification,
        dict(output_stride=16, depths=[1, 1, 1, 2], global_padding="SAME", **BOTTLENECK),
        {},
    ),
    "stride4-bottleneck": (BitForImageClassification, dict(output_stride=4, depths=[1, 2, 1, 1], **BOTTLENECK), {}),
    "channels1-bottleneck": (BitForImageClassification, dict(num_channels=1, **BOTTLENECK), {}),
    "channels4": (BitForImageClassification, dict(num_channels=4), {}),
    "three-stages": (BitForImageClassification, dict(hidden_sizes=[16, 24, 32], depths=[1, 1, 2]), {}),
    "five-stages": (
        BitForImageClassification,
        dict(hidden_sizes=[16, 24, 32, 40, 48], depths=[1, 1, 1, 1, 1], output_stride=64),
        {},
    ),
    "one-group": (BitForImageClassification, dict(num_groups=1, drop_path_rate=0.3), {}),
    "odd-widths": (BitForImageClassification, dict(hidden_sizes=[40, 72, 88, 104], embedding_size=24), {}),
    "two-labels": (BitForImageClassification, dict(num_labels=2), {}),
    "one-label": (BitForImageClassification, dict(num_labels=1), {}),
    "no-labels": (BitForImageClassification, dict(num_labels=0), {}),
    "width2-model": (BitModel, dict(width_factor=2, **BOTTLENECK), {}),
    "backbone": (BitBackbone, dict(out_features=["stem", "stage2", "stage4"]), {}),
    "backbone-indices": (BitBackbone, dict(out_indices=[1, 3], output_stride=16, **BOTTLENECK), {}),
    "half": (BitForImageClassification, {}, dict(dtype=torch.float16)),
    "bfloat": (BitForImageClassification, {}, dict(dtype=torch.bfloat16)),
    "shards": (BitForImageClassification, {}, dict(max_shard_size="30KB")),
}


def randomize(model, generator):
    """Norms around 1 and 0, kernels off centre and of uneven scale: weight standardization must undo it."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 4:
            scale = torch.rand(parameter.shape[0], 1, 1, 1, generator=generator) + 0.05
            parameter.data = noise * scale + 0.3 * torch.randn(parameter.shape[0], 1, 1, 1, generator=generator)
        elif parameter.ndim == 2:
            parameter.data = noise * 0.2
        elif "weight" in name:
            parameter.data = 1 + 0.3 * noise
        else:
            parameter.data = 0.5 * noise


def outputs(model, pixel_values):
    """Every tensor that the model gives for an input, by name."""
    bit = model if isinstance(model, BitModel) else model.bit
    result = bit(pixel_values, output_hidden_states=True)
    tensors = {f"hidden_states.{i}": state for i, state in enumerate(result.hidden_states)}
    tensors["last_hidden_state"] = result.last_hidden_state
    tensors["pooler_output"] = result.pooler_output
    if isinstance(model, BitForImageClassification):
        tensors["logits"] = model(pixel_values).logits
    if isinstance(model, BitBackbone):
        maps = model(pixel_values).feature_maps
        for index, feature_map in zip(model.config.out_indices, maps):
            assert torch.equal(feature_map, result.hidden_states[index])
    return tensors


def main():
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    for seed, (name, (cls, config, files)) in enumerate(NETWORKS.items()):
        generator = torch.Generator().manual_seed(seed)
        model = cls(BitConfig(**{**SMALL, **config})).eval()
        randomize(model, generator)
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        dtype = files.get("dtype", torch.float32)
        model.to(dtype).save_pretrained(folder, max_shard_size=files.get("max_shard_size", "1GB"))
        model.float()
        tensors = {}
        for height, width in files.get("sizes", SIZES):
            pixel_values = torch.randn(1, model.config.num_channels, height, width, generator=generator)
            with torch.no_grad():
                found = outputs(model, pixel_values)
            tensors[f"pixel_values.{height}x{width}"] = pixel_values
            tensors |= {f"{key}.{height}x{width}": value.clone().contiguous() for key, value in found.items()}
        save_file(tensors, folder / "io.safetensors")
        for path in folder.iterdir():
            path.chmod(0o644)
        config_path = folder / "config.json"
        config_path.write_text(json.dumps(json.loads(config_path.read_text()), indent=1) + "\n")
        print(name, sum(path.stat().st_size for path in folder.iterdir()))


if __name__ == "__main__":
    main()
