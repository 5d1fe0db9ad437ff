"""scikit-learn's side of `bench calibration`: one line of JSON in, probabilities of HistGradientBoosting into a file, its version out."""

import json
import sys

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier

request = json.loads(sys.stdin.readline())
X, y, asked = (
    np.fromfile(request[part]["file"], dtype=np.float32).reshape(request[part]["shape"]) for part in ("X", "y", "asked")
)


def boosted(target):
    """Probabilities of the classes that the training rows have, in ascending order."""
    if len(np.unique(target)) == 1:
        return np.ones((len(asked), 1))
    return HistGradientBoostingClassifier(random_state=request["seed"]).fit(X, target).predict_proba(asked)


if request["task"] == "classes":
    answers = boosted(y[:, 0])
else:
    answers = np.stack([boosted(y[:, label])[:, -1] * y[:, label].any() for label in range(y.shape[1])], axis=1)
answers.astype(np.float64).tofile(request["answers"])
print(json.dumps({"version": f"scikit-learn {sklearn.__version__}"}))
