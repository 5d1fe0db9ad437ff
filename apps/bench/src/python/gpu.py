"""PyTorch's side of the GPU benches: one part a call, one JSON object a result."""

import gzip
import json
import os
import sys
import time

import torch

part, folder = sys.argv[1], sys.argv[2]


def report(**result):
    print(json.dumps(result), flush=True)


def least(run, rounds=5, count=10):
    run()
    run()
    best = float("inf")
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            run()
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / count)
    return 1e3 * best


def nearest():
    for n, d, k in [(2**20, 128, 1024), (2**20, 32, 256), (2**18, 512, 4096)]:
        x = torch.rand(n, d, device="cuda") * 2 - 1
        p = torch.rand(k, d, device="cuda") * 2 - 1

        def run():
            return torch.argmin((p * p).sum(1)[None] - 2 * (x @ p.T), dim=1)

        for tf32 in (False, True):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            ms = least(run)
            what = f"nearest, PyTorch {torch.__version__} matmul + argmin {'tf32' if tf32 else 'fp32'}"
            report(what=what, rows=n, columns=d, prototypes=k, unit="TFLOP/s", value=round(2 * n * d * k / ms / 1e9, 2), milliseconds=round(ms, 4))


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


def step():
    batch, columns, prototypes = 8192, 128, 4096
    for tf32 in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        for compiled in (False, True):
            torch.manual_seed(7)
            model = Model(columns, prototypes).cuda()
            optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
            X = (torch.rand(batch, columns) * 2 - 1).pin_memory()
            y = (torch.rand(batch, 1) * 2 - 1).pin_memory()
            forward = torch.compile(model) if compiled else model

            def run():
                dropped = (torch.rand(prototypes, device="cuda") < 0.05).float() * -1e9
                x, t = X.cuda(non_blocking=True), y.cuda(non_blocking=True)
                loss = ((forward(x, dropped) - t) ** 2).mean(1).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                with torch.no_grad():
                    model.feature_weights.clamp_(min=0)
                return loss.item()

            ms = least(run, 10)
            what = f"gradient step, PyTorch {'compiled' if compiled else 'eager'} {'tf32' if tf32 else 'fp32'}"
            report(what=what, rows=batch, columns=columns, prototypes=prototypes, unit="ms", value=round(ms, 4), up=2, down=1, megabytes=round(X.numel() * 4 / 1e6, 2))


def read(name, dtype, shape):
    import numpy

    with gzip.open(os.path.join(folder, "covertype_93k", name)) as file:
        return torch.from_numpy(numpy.frombuffer(file.read(), dtype).copy()).reshape(shape)


def fit():
    """The original's approach: hard passes of k-means by class, then top-k, softmax and Adam in a loop over batches."""
    X = read("Xnum.f32.bin.gz", "float32", (-1, 10))
    wild = torch.nn.functional.one_hot(read("wilderness.u8.bin.gz", "uint8", (-1,)).long(), 4).float()
    soil = torch.nn.functional.one_hot(read("soil.u8.bin.gz", "uint8", (-1,)).long(), 40).float()
    y = read("y.u8.bin.gz", "uint8", (-1,)).long()
    y = y - y.min()
    torch.manual_seed(0)
    order = torch.randperm(len(y))
    held = len(y) // 5
    test, train = order[:held], order[held : held + 50000]
    X = (X - X[train].mean(0)) / X[train].std(0)
    X = torch.cat([X, wild, soil], 1).cuda()
    y = y.cuda()
    Xt, yt, classes = X[train.cuda()], y[train.cuda()], int(y.max()) + 1
    each = 57
    torch.cuda.synchronize()
    start = time.perf_counter()
    owners = torch.arange(classes, device="cuda").repeat_interleave(each)
    p = torch.cat([Xt[yt == c][torch.randint(int((yt == c).sum()), (each,), device="cuda")] for c in range(classes)])
    ages = torch.ones(len(p), device="cuda")
    for _ in range(10):
        for begin in range(0, len(Xt), 10240):
            x, t = Xt[begin : begin + 10240], yt[begin : begin + 10240]
            d2 = (p * p).sum(1) - 2 * (x @ p.T)
            own = torch.argmin(d2.masked_fill(owners[None] != t[:, None], float("inf")), 1)
            weight = torch.zeros_like(ages).index_add_(0, own, torch.ones(len(x), device="cuda"))
            sums = torch.zeros_like(p).index_add_(0, own, x)
            ages += weight
            eta = (weight / ages)[:, None]
            p = torch.where(weight[:, None] > 0, (1 - eta) * p + eta * sums / weight.clamp(min=1)[:, None], p)
    torch.cuda.synchronize()
    fitted = time.perf_counter()
    epochs = int(os.environ.get("FKM_EPOCHS", "10"))
    p = torch.nn.Parameter(p)
    optimiser = torch.optim.Adam([p], lr=2e-3)

    def shares(x):
        d2 = torch.relu((x * x).sum(1, keepdim=True) + (p * p).sum(1) - 2 * (x @ p.T))
        top, at = torch.topk(1 / (1 + d2), 5)
        return torch.zeros(len(x), classes, device="cuda").index_put_((torch.arange(len(x), device="cuda")[:, None], owners[at]), torch.softmax(top, 1), accumulate=True)

    for _ in range(epochs):
        order = torch.randperm(len(Xt), device="cuda")
        for begin in range(0, len(Xt), 256):
            rows = order[begin : begin + 256]
            loss = torch.nn.functional.cross_entropy(shares(Xt[rows]), yt[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            loss.item()
    torch.cuda.synchronize()
    done = time.perf_counter()
    with torch.no_grad():
        right = (shares(X[test.cuda()]).argmax(1) == y[test.cuda()]).float().mean().item()
    what = f"covertype, the original's approach in PyTorch: fit, {epochs} epochs of finetune"
    report(what=what, unit="s", value=round(done - start, 3), fit=round(fitted - start, 3), finetune=round(done - fitted, 3), accuracy=round(right, 4))


{"torch-nearest": nearest, "torch-step": step, "torch-fit": fit}[part]()
