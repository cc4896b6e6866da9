"""Linear layers as `bit-edge head import` takes them, with what their libraries make of a few rows.

    python scripts/goldens/linear_layers.py

Writes test/fixtures/heads/layers/*.safetensors and layers.json: scikit-learn's LogisticRegression of three and of two classes, with
a StandardScaler before it, and torch's Linear.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

DIMENSIONS, COUNT = 12, 40
out = Path(__file__).parents[2] / "test/fixtures/heads/layers"
out.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(5)
rows = random.random((COUNT, DIMENSIONS), dtype=np.float32)
cases = []


def case(file, classes, features, probabilities):
    cases.append({"file": file, "classes": classes, "features": features, "probabilities": probabilities.tolist()})


for classes in (3, 2):
    labels = np.argmax(rows[:, :classes], axis=1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    model = LogisticRegression(C=100).fit(unit, labels)
    # safetensors writes an array's memory as it is, and coef_ of several classes is in Fortran's order.
    coef = np.ascontiguousarray(model.coef_)
    save_file({"coef_": coef, "intercept_": model.intercept_}, out / f"sklearn-{classes}.safetensors")
    case(f"sklearn-{classes}.safetensors", classes, "l2", model.predict_proba(unit[:5]))

scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
scaler, model = scaled[0], scaled[1]
tensors = {"coef_": model.coef_, "intercept_": model.intercept_, "mean_": scaler.mean_, "scale_": scaler.scale_}
save_file(tensors, out / "sklearn-scaled.safetensors")
case("sklearn-scaled.safetensors", 2, "standardize", scaled.predict_proba(rows[:5]))

torch.manual_seed(5)
layer = torch.nn.Linear(DIMENSIONS, 4)
save_torch({name: tensor.detach() for name, tensor in layer.state_dict().items()}, out / "torch-4.safetensors")
with torch.no_grad():
    case("torch-4.safetensors", 4, "none", layer(torch.from_numpy(rows[:5])).softmax(1).numpy())

(out / "layers.json").write_text(json.dumps({"rows": rows[:5].tolist(), "cases": cases}, indent=1) + "\n")
