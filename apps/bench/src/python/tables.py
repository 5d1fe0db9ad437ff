"""The other side of `bench tables`: one line of JSON in; HistGradientBoosting and LightGBM on the same file and rows, as JSON out.

Texts are categories; those of more than 255 levels, which HistGradientBoosting refuses, are left out. Dates are days.
"""

import json
import sys
import time

import lightgbm
import numpy as np
import pandas as pd
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss

request = json.loads(sys.stdin.readline())
table = pd.read_csv(request["file"], na_values=["?"]).drop(columns=request["without"])
y = table.pop(request["target"])
for name in list(table.columns):
    column = table[name]
    if pd.api.types.is_numeric_dtype(column):
        continue
    days = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    if days.notna().sum() == column.notna().sum():
        table[name] = (days - days.min()).dt.days
    elif column.nunique() > 255:
        table = table.drop(columns=name)
    else:
        table[name] = column.astype("category")
with open(request["test"]) as file:
    test = np.zeros(len(table), dtype=bool)
    test[json.load(file)] = True


def side(model):
    begun = time.perf_counter()
    model.fit(table[~test], y[~test])
    seconds = time.perf_counter() - begun
    loss = log_loss(y[test], model.predict_proba(table[test]), labels=model.classes_) if request["classes"] else float("nan")
    return {"score": model.score(table[test], y[test]), "logLoss": loss, "seconds": seconds}


if request["classes"]:
    boosted = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    leaves = lightgbm.LGBMClassifier(verbose=-1)
else:
    boosted = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
    leaves = lightgbm.LGBMRegressor(verbose=-1)
versions = f"scikit-learn {sklearn.__version__}, LightGBM {lightgbm.__version__}"
sides = {"boosted": side(boosted), "lightgbm": side(leaves)}
print(json.dumps({"versions": versions, "sides": sides}).replace("NaN", "null"))
