"""scikit-learn's side of `bench speed --case lloyd`: one line of JSON in, one out."""

import json
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.cluster import KMeans, MiniBatchKMeans
from threadpoolctl import threadpool_info

# Passes are cut short on purpose.
warnings.filterwarnings("ignore")
kernels = [lib["architecture"] for lib in threadpool_info() if lib.get("internal_api") == "openblas"]
print(json.dumps({"version": f"scikit-learn {sklearn.__version__}", "kernels": kernels}), flush=True)

X, centers = None, None
for line in sys.stdin:
    request = json.loads(line)
    if "rows" in request:
        X = np.fromfile(request["rows"], dtype=np.float32).reshape(-1, request["columns"])
        answer = {}
    elif "centers" in request:
        centers = np.fromfile(request["centers"], dtype=np.float32).reshape(-1, X.shape[1])
        answer = {}
    else:
        shared = {"n_clusters": len(centers), "init": centers, "n_init": 1, "max_iter": request["passes"], "tol": 0}
        if request["algorithm"] == "lloyd":
            model = KMeans(**shared, algorithm="lloyd")
        else:
            # Every pass is made, and no center is drawn anew.
            model = MiniBatchKMeans(
                **shared, batch_size=request["batch"], max_no_improvement=None, reassignment_ratio=0, random_state=0
            )
        start = time.perf_counter()
        model.fit(X)
        milliseconds = 1e3 * (time.perf_counter() - start)
        answer = {"milliseconds": milliseconds, "inertia": float(model.inertia_), "passes": model.n_iter_}
    print(json.dumps(answer), flush=True)
