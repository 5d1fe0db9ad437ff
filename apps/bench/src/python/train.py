"""scikit-learn's side of `bench speed --case train`: one line of JSON in, one out."""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_info

kernels = [lib["architecture"] for lib in threadpool_info() if lib.get("internal_api") == "openblas"]
print(json.dumps({"version": f"scikit-learn {sklearn.__version__}", "kernels": kernels}), flush=True)

models = {model.__name__: model for model in (HistGradientBoostingRegressor, KNeighborsClassifier)}
parts = {}
for line in sys.stdin:
    request = json.loads(line)
    if "part" in request:
        parts[request["part"]] = np.fromfile(request["file"], dtype=np.float32).reshape(request["shape"])
        answer = {}
    else:
        model = models[request["model"]]()
        began = time.perf_counter()
        model.fit(parts["X"], parts["y"].ravel())
        fitted = time.perf_counter()
        answers = model.predict(parts["asked"])
        ended = time.perf_counter()
        np.asarray(answers, dtype=np.float32).tofile(request["answers"])
        answer = {"fit": 1e3 * (fitted - began), "predict": 1e3 * (ended - fitted)}
    print(json.dumps(answer), flush=True)
