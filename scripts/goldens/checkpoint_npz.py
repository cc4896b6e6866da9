"""Writes small archives with NumPy into test/fixtures/checkpoint: deflated members, zip64 headers, both memory orders,
every float type, and what must be refused (objects, integers); beside them the values in JSON.

    python scripts/goldens/checkpoint_npz.py
"""
import json
import pathlib
import zipfile

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "checkpoint"
rng = np.random.default_rng(7)

kernel = rng.standard_normal((3, 2, 4, 5)).astype(np.float32)
arrays = {
    "c/kernel": kernel,
    "fortran/kernel": np.asfortranarray(kernel),
    "half": np.array([1.5, -2.25, 65504, 1e-7], np.float16),
    "double": np.array([[np.pi], [-1e-300]], np.float64),
    "scalar": np.array(3.0, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "zeros": np.zeros(100_000, np.float32),
}
np.savez_compressed(OUT / "deflated.npz", **arrays)

# A directory with zip64 sizes, offsets and end records, as archives beyond 4 GiB have.
zipfile.ZIP64_LIMIT = 100
zipfile.ZIP_FILECOUNT_LIMIT = 2
with zipfile.ZipFile(OUT / "zip64.npz", "w", zipfile.ZIP_STORED) as archive:
    for name in ("c/kernel", "half", "scalar", "double"):
        with archive.open(name + ".npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, arrays[name], version=(2, 0) if name == "half" else (1, 0))

# zipfile keeps the true numbers in the old end record where they fit; larger archives have all ones there.
zip64 = bytearray((OUT / "zip64.npz").read_bytes())
end = zip64.rindex(b"PK\x05\x06")
zip64[end + 8 : end + 20] = b"\xff" * 12
(OUT / "zip64.npz").write_bytes(zip64)

np.savez(OUT / "objects.npz", weights=np.array([{"a": 1}], dtype=object))
np.savez(OUT / "integers.npz", weights=np.arange(3, dtype=np.int32))

expected = {
    "shapes": {name: list(value.shape) for name, value in arrays.items()},
    # Row-major values in float32, whatever the order in the file.
    "values": {name: value.astype(np.float32).ravel(order="C").tolist() for name, value in arrays.items() if name != "zeros"},
    "oihw": kernel.transpose(3, 2, 0, 1).ravel().tolist(),
}
(OUT / "npz.json").write_text(json.dumps(expected) + "\n")
