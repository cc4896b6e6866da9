"""scikit-learn's side of `npm run bench -- heads`: reads rows on standard input, fits and estimates, prints seconds as JSON.

    python scripts/bench/heads.py COUNT DIMENSIONS CLASSES RUNS < float32 rows

RidgeClassifierCV chooses lambda by the same exact leave-one-out, over the same values.
"""

import json
import sys
import time

import numpy as np
from sklearn.linear_model import RidgeClassifierCV

count, dimensions, classes, runs = map(int, sys.argv[1:])
x = np.frombuffer(sys.stdin.buffer.read(), dtype="<f4").reshape(count, dimensions)
x = x / np.linalg.norm(x, axis=1, keepdims=True)
y = np.arange(count) % classes
scale = ((x - x.mean(axis=0)) ** 2).sum() / count
alphas = [each * scale for each in [1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 3, 10, 30, 100]]
times, cpu = [], []
for _ in range(runs + 1):
    start, used = time.perf_counter(), time.process_time()
    RidgeClassifierCV(alphas=alphas, store_cv_results=True).fit(x.astype(np.float64), y)
    times.append(time.perf_counter() - start)
    cpu.append(time.process_time() - used)
print(json.dumps({"seconds": float(np.median(times[1:])), "cpu_seconds": float(np.median(cpu[1:]))}))
