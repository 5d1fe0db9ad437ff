"""scikit-learn's estimator checks on @fkm/core: each estimator is a thin Python class whose models live in a Node process.

Arguments: the command of the Node process (estimator-server.ts), which answers each line of JSON by one.
Prints one line of JSON a check: estimator, check, status ('passed', 'failed', 'skipped'), error.
"""

import atexit
import base64
import json
import subprocess
import sys
import warnings

import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, RegressorMixin, TransformerMixin
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
atexit.register(lambda: server.stdin.close())

errors = {"shape": ValueError, "data": ValueError, "option": ValueError, "state": ValueError}


def packed(array):
    """float64 numbers as base64, with their shape; sparse rows as CSR."""
    if sp.issparse(array):
        rows = sp.csr_matrix(array)
        return {"indptr": packed(rows.indptr), "indices": packed(rows.indices), "values": packed(rows.data), "shape": rows.shape}
    numbers = np.ascontiguousarray(array, dtype=np.float64)
    return {"base64": base64.b64encode(numbers.tobytes()).decode(), "shape": numbers.shape}


def unpacked(answer):
    return np.frombuffer(base64.b64decode(answer["base64"]), dtype=answer["dtype"]).reshape(answer["shape"]).copy()


def ask(request):
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    if "error" in answer:
        raise errors.get(answer["kind"], RuntimeError)(answer["error"])
    return answer


class Bridge(BaseEstimator):
    """Keeps a model as the bytes of `save()`, so that it pickles and copies as any estimator does."""

    def _options(self):
        return {"randomState": 0 if self.random_state is None else int(self.random_state)}

    def _learn(self, call, X, y, sample_weight, model=None, reset=True):
        if y is None and self.kind != "clusterer":
            raise ValueError("requires y to be passed, but the target y is None")
        # The library checks its own input; scikit-learn's validation gives the errors and attributes that its checks name.
        arguments = {"accept_sparse": "csr", "reset": reset, "multi_output": self.kind == "regressor", "y_numeric": self.kind == "regressor"}
        if self.kind == "clusterer":
            X = validate_data(self, X, accept_sparse="csr", reset=reset)
        else:
            X, y = validate_data(self, X, y, **arguments)
        request = {"call": call, "estimator": self.kind, "options": self._options(), "X": packed(X), "model": model}
        if sample_weight is not None:
            request["sampleWeight"] = packed(_check_sample_weight(sample_weight, X))
        if self.kind == "regressor":
            request["y"] = packed(y)
        elif self.kind == "classifier":
            check_classification_targets(y)
            request["labels"] = self._labels(y, reset)
        if call == "fit":
            request["epochs"] = self.epochs
        answer = ask(request)
        self.model_ = answer["model"]
        return X, answer

    def _read(self, call, X):
        check_is_fitted(self, "model_")
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        return ask({"call": call, "estimator": self.kind, "model": self.model_, "X": packed(X)})

    def fit(self, X, y=None, sample_weight=None):
        self._learn("fit", X, y, sample_weight)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class FastKMeansRegressor(RegressorMixin, Bridge):
    kind = "regressor"

    def __init__(self, epochs=0, random_state=None):
        self.epochs = epochs
        self.random_state = random_state

    def predict(self, X):
        # scikit-learn wants predictions of targets as float64; the numbers are what the library answers.
        return unpacked(self._read("predict", X)).astype(np.float64)

    def partial_fit(self, X, y, sample_weight=None):
        before = getattr(self, "model_", None)
        self._learn("fitBatch", X, y, sample_weight, before, before is None)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class FastKMeansClassifier(ClassifierMixin, Bridge):
    kind = "classifier"

    def __init__(self, epochs=0, random_state=None):
        self.epochs = epochs
        self.random_state = random_state

    def _labels(self, y, reset):
        found = np.unique(y)
        self.classes_ = found if reset else np.union1d(self.classes_, found)
        return [int(place) for place in np.searchsorted(self.classes_, y)]

    def fit(self, X, y=None, sample_weight=None):
        self._learn("fit", X, y, sample_weight)
        return self

    def predict(self, X):
        places = unpacked(self._read("predict", X)).astype(int)
        return self.classes_[places]

    def predict_proba(self, X):
        return unpacked(self._read("predictProba", X))


class FastKMeansClusterer(TransformerMixin, ClusterMixin, Bridge):
    kind = "clusterer"

    def __init__(self, n_clusters=8, epochs=0, algorithm="ema", random_state=None):
        self.n_clusters = n_clusters
        self.epochs = epochs
        self.algorithm = algorithm
        self.random_state = random_state

    def _options(self):
        return {**super()._options(), "kInit": self.n_clusters, "algorithm": self.algorithm}

    def fit(self, X, y=None, sample_weight=None):
        _, answer = self._learn("fit", X, None, sample_weight)
        self.labels_ = unpacked(answer["labels"]).astype(int)
        self.inertia_ = answer["inertia"]
        return self

    def partial_fit(self, X, y=None, sample_weight=None):
        before = getattr(self, "model_", None)
        self._learn("fitBatch", X, None, sample_weight, before, before is None)
        return self

    def predict(self, X):
        return unpacked(self._read("predict", X)).astype(int)

    def transform(self, X):
        return unpacked(self._read("transform", X))

    @property
    def _n_features_out(self):
        return self.n_clusters

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Similarities are float32 whatever came in.
        tags.transformer_tags.preserves_dtype = []
        return tags


print(json.dumps({"version": f"scikit-learn {sklearn.__version__}"}), flush=True)
warnings.simplefilter("ignore")
for estimator in (
    FastKMeansClusterer(),
    FastKMeansClusterer(algorithm="lloyd"),
    FastKMeansClassifier(),
    FastKMeansRegressor(),
    FastKMeansClassifier(epochs=20),
    FastKMeansRegressor(epochs=20),
):
    for result in check_estimator(estimator, on_skip=None, on_fail=None):
        error = result["exception"]
        row = {"estimator": repr(estimator), "check": result["check_name"], "status": result["status"]}
        print(json.dumps({**row, "error": None if error is None else f"{type(error).__name__}: {error}"[:2000]}), flush=True)
