"""scikit-learn's side of `bench inertia`: one line of JSON in, one out."""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info

kernels = [lib["architecture"] for lib in threadpool_info() if lib.get("internal_api") == "openblas"]
print(json.dumps({"version": f"scikit-learn {sklearn.__version__}", "kernels": kernels}), flush=True)

X = None
for line in sys.stdin:
    request = json.loads(line)
    if "rows" in request:
        X = np.fromfile(request["rows"], dtype=np.float32).reshape(-1, request["columns"])
        answer = {}
    else:
        start = time.perf_counter()
        model = KMeans(request["clusters"], n_init=1, random_state=request["seed"]).fit(X)
        seconds = time.perf_counter() - start
        gaps = X.astype(np.float64) - model.cluster_centers_.astype(np.float64)[model.labels_]
        answer = {"seconds": seconds, "inertia": float((gaps**2).sum()), "passes": model.n_iter_}
    print(json.dumps(answer), flush=True)
