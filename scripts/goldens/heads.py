"""Goldens for heads, from scikit-learn, on embeddings of the default model.

    node_modules/.bin/node scripts/goldens/head-embeddings.ts ../shared/tiny-imagenet /tmp/embeddings.bin
    python scripts/goldens/heads.py /tmp/embeddings.bin test/fixtures/heads

Needs numpy and scikit-learn 1.9. Writes two sets of embeddings as float16 and goldens.json: labels, what RidgeClassifierCV,
LogisticRegression and NearestCentroid predict for every row, and the ridge's leave-one-out scores, found by leaving out.
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, RidgeClassifierCV
from sklearn.neighbors import NearestCentroid

SETS = {
    # name: (classes, dimensions): fewer examples than dimensions, and more.
    "dual": (20, 1024),
    "primal": (40, 64),
}
LEFT_OUT = 8


def load(path: str):
    about = json.loads(Path(path + ".json").read_text())
    data = np.fromfile(path, dtype="<f4").reshape(-1, about["dimensions"])
    labels = np.array([each["label"] for each in about["files"]])
    is_test = np.array([each["file"].startswith("calibration") for each in about["files"]])
    return data, labels, is_test


def main(embeddings: str, out: str) -> None:
    data, labels, is_test = load(embeddings)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    goldens = {"sklearn": sklearn.__version__, "sets": {}}
    for name, (classes, dimensions) in SETS.items():
        rows = np.flatnonzero(labels < classes)
        rows = rows[np.argsort(is_test[rows], kind="stable")]
        raw = data[rows][:, :dimensions].astype("<f2")
        raw.tofile(folder / f"{name}.f16.bin")
        # As the worker does it: unit length in float32.
        x = raw.astype(np.float32)
        length = np.sqrt((x.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        x = (x.astype(np.float64) * (1 / length)).astype(np.float32).astype(np.float64)
        y = labels[rows]
        train = ~is_test[rows]
        xt, yt = x[train], y[train]
        golden = {"classes": classes, "dimensions": dimensions, "train": int(train.sum()), "labels": y.tolist()}

        centred = xt - xt.mean(axis=0)
        scale = (centred**2).sum() / len(xt)
        alphas = [each * scale for each in [1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 3, 10, 30, 100]]
        chosen = RidgeClassifierCV(alphas=alphas).fit(xt, yt)
        golden["ridge"] = {"lambda": float(chosen.alpha_), "predictions": chosen.predict(x).tolist()}
        balanced = RidgeClassifier(alpha=float(chosen.alpha_), class_weight="balanced").fit(xt[:-3], yt[:-3])
        golden["balanced"] = {"predictions": balanced.predict(x).tolist()}
        targets = 2.0 * (yt[:, None] == np.arange(classes)) - 1
        scores = []
        for left in range(LEFT_OUT):
            keep = np.arange(len(xt)) != left
            model = Ridge(alpha=float(chosen.alpha_), solver="cholesky").fit(xt[keep], targets[keep])
            scores.append(model.predict(xt[left : left + 1])[0].tolist())
        golden["left_out"] = scores
        golden["logistic"] = {}
        for c in [1.0, 100.0] if name == "dual" else [10.0]:
            model = LogisticRegression(C=c, tol=1e-9, max_iter=20000).fit(xt, yt)
            golden["logistic"][str(c)] = {
                "predictions": model.predict(x).tolist(),
                "probabilities": model.predict_proba(x[:4]).round(9).tolist(),
            }
        golden["nearest_mean"] = {"predictions": NearestCentroid().fit(xt, yt).predict(x).tolist()}
        goldens["sets"][name] = golden
    (folder / "goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


main(*sys.argv[1:])
