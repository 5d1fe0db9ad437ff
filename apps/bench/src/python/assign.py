"""scikit-learn's side of `bench speed --case assign`: one line of JSON in, one out."""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info

kernels = [lib["architecture"] for lib in threadpool_info() if lib.get("internal_api") == "openblas"]
print(json.dumps({"version": f"scikit-learn {sklearn.__version__}", "kernels": kernels}), flush=True)

X, model = None, None
for line in sys.stdin:
    request = json.loads(line)
    if "rows" in request:
        X = np.fromfile(request["rows"], dtype=np.float32).reshape(-1, request["columns"])
        answer = {}
    elif "prototypes" in request:
        P = np.fromfile(request["prototypes"], dtype=np.float32).reshape(-1, X.shape[1])
        # Fitted on the prototypes themselves, so that they are the centres, to the bit.
        model = KMeans(n_clusters=len(P), init=P, n_init=1, max_iter=1).fit(P)
        model.cluster_centers_ = P
        answer = {}
    else:
        start = time.perf_counter()
        labels = model.predict(X)
        answer = {"milliseconds": 1e3 * (time.perf_counter() - start)}
        if "labels" in request:
            labels.astype(np.int32).tofile(request["labels"])
    print(json.dumps(answer), flush=True)
