"""Writes test/fixtures/checkpoint/torch: a small random BiT as `torch.save` writes it in all its forms, and pickles that
run code where they are loaded as pickles. What a form holds is in the safetensors file that its folder names.

python scripts/goldens/checkpoint_pickles.py   (torch 2.13, transformers 5.18, safetensors)
"""
import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import zipfile

import torch
from safetensors.torch import save_file
from transformers import BitConfig, BitForImageClassification

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures"
OUT = FIXTURES / "checkpoint" / "torch"
torch.manual_seed(20261128)

config = BitConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2], num_groups=4, num_labels=5)
model = BitForImageClassification(config).eval()
for parameter in model.parameters():
    parameter.data += torch.randn_like(parameter) * 0.2
state = model.state_dict()


def save(name, value, **options):
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(value, path, **options)


def check(name, expected, pick=lambda loaded: loaded):
    """torch itself reads the same from the file."""
    loaded = pick(torch.load(OUT / name, weights_only=False))
    assert loaded.keys() == expected.keys(), name
    for key, tensor in expected.items():
        assert torch.equal(loaded[key].detach(), tensor), (name, key)


OUT.mkdir(parents=True, exist_ok=True)
(OUT / "config.json").write_text(json.dumps({**config.to_diff_dict(), "architectures": ["BitForImageClassification"]}))
save_file({name: tensor.contiguous() for name, tensor in state.items()}, OUT / "model.safetensors")

LEGACY = {"_use_new_zipfile_serialization": False}
save("zip.bin", state)
save("legacy.bin", state, **LEGACY)
save("protocol4.bin", state, pickle_protocol=4)
torch.serialization.set_crc32_options(False)
save("without-crc.bin", state)
torch.serialization.set_crc32_options(True)
save("parameters.pth", dict(model.named_parameters()))

# Views: of one flat storage, transposed, channels last, every second element, expanded.
flat = torch.cat([tensor.reshape(-1) for tensor in state.values()])
views = {}
at = 0
for index, (name, tensor) in enumerate(state.items()):
    count = tensor.numel()
    view = flat[at : at + count].view(tensor.shape)
    at += count
    if index % 4 == 1 and tensor.ndim == 4:
        view = tensor.contiguous(memory_format=torch.channels_last)
    elif index % 4 == 2:
        view = torch.stack([tensor, torch.full_like(tensor, torch.nan)], -1)[..., 0]
    elif tensor.ndim == 2:
        view = tensor.t().contiguous().t()
    views[name] = view
save("views.bin", views)
save("views-legacy.bin", views, **LEGACY)
expanded = {**state, "bit.norm.weight": torch.full((1,), 0.75).expand(32)}
save("expanded.bin", expanded)
save_file({name: tensor.contiguous() for name, tensor in expanded.items()}, OUT / "expanded.safetensors")

DTYPES = [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
mixed = {name: tensor.to(DTYPES[index % len(DTYPES)]) for index, (name, tensor) in enumerate(state.items())}
save("mixed.bin", mixed)
save_file({name: tensor.contiguous() for name, tensor in mixed.items()}, OUT / "mixed.safetensors")


def big_endian(source, target):
    """The same archive as a machine with the big end first writes it."""
    sizes = {}

    class Sizes(pickle.Unpickler):
        def persistent_load(self, pid):
            sizes[pid[2]] = {"FloatStorage": 4, "HalfStorage": 2}[pid[1].__name__]
            return torch.UntypedStorage(pid[4] * sizes[pid[2]])

        def find_class(self, module, name):
            if name.startswith("_rebuild"):
                return lambda *args: None
            return super().find_class(module, name)

    with zipfile.ZipFile(OUT / source) as archive, zipfile.ZipFile(OUT / target, "w") as out:
        names = archive.namelist()
        pickled = next(name for name in names if name.endswith("/data.pkl"))
        Sizes(io.BytesIO(archive.read(pickled))).load()
        for name in names:
            data = archive.read(name)
            key = name.rsplit("/", 1)[1]
            if name.endswith("/byteorder"):
                data = b"big"
            elif "/data/" in name and sizes[key] > 1:
                step = sizes[key]
                data = b"".join(data[i : i + step][::-1] for i in range(0, len(data), step))
            out.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)


big_endian("zip.bin", "big-endian.bin")
half = {name: tensor.half() for name, tensor in state.items()}
save("half.bin", half)
save_file({name: tensor.contiguous() for name, tensor in half.items()}, OUT / "half.safetensors")
big_endian("half.bin", "half-big-endian.bin")

# A deflated archive, as a zip tool repacks one.
with zipfile.ZipFile(OUT / "zip.bin") as archive, zipfile.ZipFile(OUT / "deflated.bin", "w", zipfile.ZIP_DEFLATED) as out:
    for name in archive.namelist():
        out.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), archive.read(name), zipfile.ZIP_DEFLATED)

# Training checkpoints.
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
for parameter in model.parameters():
    parameter.grad = torch.ones_like(parameter)
before = {name: tensor.clone() for name, tensor in state.items()}
optimizer.step()
model.load_state_dict(before)
ddp = collections.OrderedDict((f"module.{name}", tensor) for name, tensor in before.items())
arguments = argparse.Namespace(model="resnetv2_50x1_bit", lr=0.1, out=pathlib.PosixPath("x"))
training = {"epoch": 3, "arch": "bit", "state_dict": ddp, "optimizer": optimizer.state_dict(), "args": arguments}
save("state-dict.pth", {**training, "metric": torch.tensor(1.0), "device": torch.device("cpu"), "dtype": torch.float32})
save("model-legacy.pth", {"step": 7, "model": before, "optim": {"state": {0: {"momentum": torch.ones(3)}}}}, **LEGACY)
raw = {name: tensor + 1 for name, tensor in before.items()}
save("ema.pth", {"state_dict": raw, "state_dict_ema": before, "epoch": 1})

names = list(before)
weight_map = {}
for shard, members in enumerate([names[:10], names[10:]], 1):
    file = f"pytorch_model-0000{shard}-of-00002.bin"
    save(f"sharded/{file}", {name: before[name] for name in members})
    weight_map.update({name: file for name in members})
index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
(OUT / "sharded" / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def timm_name(name):
    name = name.replace("bit.embedder.convolution", "stem.conv").replace("bit.norm", "norm")
    return name.replace("bit.encoder.", "").replace(".layers.", ".blocks.").replace("classifier.1", "head.fc")


def timm_tensor(name, tensor):
    return tensor[:, :, None, None] if name == "classifier.1.weight" else tensor


timm = {timm_name(name): timm_tensor(name, tensor) for name, tensor in before.items()}
save("timm.pth", timm)
save("timm-training.pth.tar", {"epoch": 1, "arch": "resnetv2_50x1_bit", "state_dict": timm, "version": 2})

for name in ["zip", "legacy", "protocol4", "without-crc", "views", "views-legacy", "big-endian", "deflated"]:
    check(f"{name}.bin", before)
check("half-big-endian.bin", half)
check("state-dict.pth", ddp, lambda loaded: loaded["state_dict"])


# Pickles that run code, or ask for too much, where they are loaded.
class Calls:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


MARKER = "/tmp/bit-edge-pickle-was-run"
hostile = {
    "os-system": {"bit.norm.weight": Calls(os.system, f"touch {MARKER}")},
    "nested": {"a": Calls(collections.OrderedDict, [["k", Calls(eval, f"open('{MARKER}', 'w')")]])},
    "state": {"state_dict": {"a": torch.ones(1)}, "args": Calls(exec, f"open('{MARKER}', 'w')")},
    "getattr": {"a": Calls(getattr, Calls(__import__, "os"), "system")},
}
for name, value in hostile.items():
    save(f"hostile/{name}.bin", value)
    save(f"hostile/{name}-legacy.bin", value, **LEGACY)
save("hostile/module.bin", torch.nn.Linear(2, 2), **LEGACY)
save("hostile/module-zip.bin", torch.nn.Linear(2, 2))
torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), OUT / "hostile/torchscript.pt")


def archive(name, pickled, members=(), method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(OUT / "hostile" / name, "w") as out:
        for path, data in [("archive/data.pkl", pickled), *members]:
            out.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), data, method)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def storage(key, numel):
    return b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + b"J" + struct.pack("<i", numel) + b"tQ"


def tensor(key, numel, shape, stride, offset=0):
    sizes = lambda values: b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"
    build = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return build + storage(key, numel) + b"J" + struct.pack("<i", offset) + sizes(shape) + sizes(stride) + b"\x89}tR"


def state_of(value):
    return b"\x80\x02}" + text("bit.norm.weight") + value + b"s."


four = ("archive/data/0", bytes(16))
archive("key-with-path.bin", state_of(tensor("../../../../etc/passwd", 4, [4], [1])), [four])
archive("missing-storage.bin", state_of(tensor("1", 4, [4], [1])), [four])
archive("short-storage.bin", state_of(tensor("0", 5, [5], [1])), [four])
archive("beyond.bin", state_of(tensor("0", 4, [4], [1], 1)), [four])
archive("stride-beyond.bin", state_of(tensor("0", 4, [2, 2], [3, 1])), [four])
archive("expand-bomb.bin", state_of(tensor("0", 4, [65536, 65536], [0, 0])), [four])
archive("negative-stride.bin", state_of(tensor("0", 4, [4], [-1], 3)), [four])
archive("zip-bomb.bin", state_of(tensor("0", 2**26 + 4, [4], [1])), [("archive/data/0", bytes(20))], zipfile.ZIP_DEFLATED)
bomb = OUT / "hostile" / "zip-bomb.bin"
# A member of 256 MiB and more, as its headers have it.
bomb.write_bytes(bomb.read_bytes().replace(struct.pack("<I", 20), struct.pack("<I", 2**28 + 16)))
# Each list holds the one before it ten times: 10^30 items for whoever walks them.
bomb = b"(]" + b"".join(b"q" + bytes([i]) + b"](" + (b"h" + bytes([i])) * 10 + b"e" for i in range(30)) + b"t"
archive("memo-bomb.bin", b"\x80\x02}" + text("state_dict") + bomb + b"s.")
archive("marks.bin", b"\x80\x02" + b"(" * 1_100_000 + b".", method=zipfile.ZIP_DEFLATED)
archive("self.bin", b"\x80\x02}q\x00" + text("state_dict") + b"h\x00s.")
archive("long.bin", b"\x80\x02\x8b\xff\xff\xff\x7f.")
archive("empty.bin", b"\x80\x02}.")
assert not os.path.exists(MARKER)
for path in OUT.rglob("*.safetensors"):
    path.chmod(0o644)
