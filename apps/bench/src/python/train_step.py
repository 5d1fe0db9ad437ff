"""PyTorch's side of `bench speed --case train-step`: the same formulas, eager, with torch.optim.Adam."""

import json
import sys
import time

import torch

try:
    from threadpoolctl import threadpool_info

    kernels = [lib["architecture"] for lib in threadpool_info() if lib.get("internal_api") == "openblas"]
except ImportError:
    kernels = []
print(json.dumps({"version": f"PyTorch {torch.__version__}", "kernels": kernels}), flush=True)


class Model(torch.nn.Module):
    """softmax over k of -exp(logBandwidth_k) * d2(x, p_k) + bias_k, times the targets."""

    def __init__(self, columns, prototypes):
        super().__init__()
        self.prototypes = torch.nn.Parameter(torch.rand(prototypes, columns) * 2 - 1)
        self.targets = torch.nn.Parameter(torch.rand(prototypes, 1) * 2 - 1)
        self.feature_weights = torch.nn.Parameter(torch.ones(1, columns))
        self.log_bandwidth = torch.nn.Parameter(torch.zeros(prototypes))
        self.bias = torch.nn.Parameter(torch.zeros(prototypes))

    def forward(self, x, dropped):
        w = torch.relu(self.feature_weights)
        weighted = self.prototypes * w
        rows = (x * x) @ w.T
        own = (weighted * self.prototypes).sum(1)
        rescale = x.shape[1] / w.sum()
        d2 = torch.relu(rows + own - 2 * (x @ weighted.T)) * rescale
        logits = self.bias - torch.exp(self.log_bandwidth) * d2 + dropped
        return torch.softmax(logits, 1) @ self.targets


def train(model, optimiser, X, y, batch, epochs, dropout):
    """As our finetune: shuffled rows gathered to batches, prototypes dropped, the loss read at every step."""
    total = 0.0
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for begin in range(0, len(X), batch):
            rows = order[begin : begin + batch]
            dropped = (torch.rand(len(model.bias)) < dropout).float() * -1e9
            loss = ((model(X[rows], dropped) - y[rows]) ** 2).mean(1).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                model.feature_weights.clamp_(min=0)
            total += loss.item()
    return total


for line in sys.stdin:
    request = json.loads(line)
    if "columns" in request:
        torch.manual_seed(7)
        size, columns = request["batch"], request["columns"]
        model = Model(columns, request["prototypes"])
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        X = torch.rand(size * request["batches"], columns) * 2 - 1
        y = torch.rand(size * request["batches"], 1) * 2 - 1
        answer = {}
    else:
        start = time.perf_counter()
        loss = train(model, optimiser, X, y, size, request["epochs"], request["dropout"])
        answer = {"milliseconds": 1e3 * (time.perf_counter() - start), "loss": loss}
    print(json.dumps(answer), flush=True)
