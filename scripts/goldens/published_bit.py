"""The layouts of timm's published BiT checkpoints, for test/fixtures/checkpoint/published-bit.json.

    python scripts/goldens/published_bit.py test/fixtures/checkpoint/published-bit.json

Needs timm and torch. Models are made on torch's meta device: names and shapes without weights. Of every checkpoint it keeps what
config.json says on the hub (architecture, classes, pretrained_cfg) and the hash of its lines `name [shape]` in the order of the
state dict, which test/support/published-bit.ts must give too.
"""

import hashlib
import json
import sys
import types


class Named(type):
    """A class that has every attribute, its own name."""

    def __getattr__(cls, attribute: str):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return attribute


def missing(attribute: str):
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    return Named(attribute, (), {})


def stub_torchvision() -> None:
    """timm imports torchvision for its transforms, which are not needed here."""
    for name in (
        "torchvision",
        "torchvision.transforms",
        "torchvision.transforms.functional",
        "torchvision.transforms.v2",
        "torchvision.datasets",
        "torchvision.models",
        "torchvision.models.feature_extraction",
        "torchvision.ops",
        "torchvision.ops.misc",
    ):
        module = types.ModuleType(name)
        module.__getattr__ = missing
        module.__path__ = []
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


try:
    import torchvision  # noqa: F401
except Exception:
    stub_torchvision()

import timm
import torch

KEPT = ("num_classes", "input_size", "crop_pct", "interpolation", "mean", "std", "first_conv", "classifier")


def main(path: str) -> None:
    checkpoints = {}
    for name in timm.list_pretrained("resnetv2_*_bit*"):
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False)
        shapes = [(key, list(value.shape)) for key, value in model.state_dict().items()]
        lines = "".join(f"{key} {json.dumps(shape, separators=(',', ':'))}\n" for key, shape in shapes)
        checkpoints[name] = {
            "tensors": len(shapes),
            "parameters": sum(value.numel() for value in model.state_dict().values()),
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
            "architecture": name.split(".")[0],
            "num_features": model.num_features,
            "pretrained_cfg": {key: model.pretrained_cfg[key] for key in KEPT if key in model.pretrained_cfg},
        }
    with open(path, "w") as file:
        json.dump({"timm": timm.__version__, "checkpoints": checkpoints}, file, indent=1)
        file.write("\n")
    print(f"{path}: {len(checkpoints)} checkpoints")


main(*sys.argv[1:])
