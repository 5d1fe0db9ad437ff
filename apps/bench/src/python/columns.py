# Runs a file whose inputs are columns: the path is the argument, columns come as JSON, answers go as JSON.

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
columns = json.load(sys.stdin)
feeds = {}
for port in session.get_inputs():
    cells = columns[port.name]
    if port.type == "tensor(int64)":
        values = np.array([cell or "NaT" for cell in cells], "datetime64[ms]").astype(np.int64)
    elif port.type == "tensor(float)":
        values = np.array(cells, np.float64).astype(np.float32)
    else:
        values = np.array([cell or "" for cell in cells], object)
    feeds[port.name] = values.reshape(-1, 1)
names = [port.name for port in session.get_outputs()]
answers = dict(zip(names, (answer.ravel().tolist() for answer in session.run(None, feeds))))
print(json.dumps({"version": f"onnxruntime {onnxruntime.__version__}", "answers": answers}))
