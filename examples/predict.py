# Python: answers rows of a table by model.onnx. pip install onnxruntime numpy
from pathlib import Path

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(Path(__file__).with_name("model.onnx"))
people = {
    "age": [31, np.nan],  # NaN, NaT and "" are missing
    "job": ["pilot", "juggler"],  # no juggler was in the training rows
    "since": np.array(["2019-05-01", "NaT"], "datetime64[ms]"),
    "owner": [True, False],
}
types = {"tensor(float)": np.float32, "tensor(string)": object, "tensor(int64)": np.int64}
feeds = {
    i.name: np.asarray(people[i.name]).astype(types[i.type]).reshape(-1, 1)
    for i in session.get_inputs()
}
(labels,) = session.run(["label"], feeds)
print(*labels)
