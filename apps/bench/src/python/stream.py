"""scikit-learn's side of `bench stream`: one pass of MiniBatchKMeans.partial_fit over a Parquet file that pyarrow reads."""

import json
import resource
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import sklearn
from sklearn.cluster import MiniBatchKMeans

rows, begin = 0, time.perf_counter()
model = MiniBatchKMeans(n_clusters=256, n_init=1, random_state=0)
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(batch_size=10240):
    X = np.column_stack([column.to_numpy() for column in batch.columns])
    model.partial_fit(X)
    rows += len(X)
print(
    json.dumps(
        {
            "version": f"scikit-learn {sklearn.__version__}",
            "rows": rows,
            "seconds": time.perf_counter() - begin,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
)
