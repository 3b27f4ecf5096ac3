"""Search small networks for handwritten digits: the whole of it on one page, in some seconds."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.datasets import load_digits

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import RandomSearch


def layer() -> da.Module:
    return da.sequential(lambda: ops.Dense(units=da.choice([16, 32, 64])), ops.ReLU)


@da.space
def net(x: Any) -> Any:
    x = da.repeat(layer, times=da.choice([1, 2, 3]))(x)
    return ops.Dense(units=10)(x)


images, labels = map(torch.tensor, load_digits(return_X_y=True))
images = images.float() / 16


def accuracy(model: torch.nn.Module) -> float:
    """Train on the first 1,200 images, and count the others that come out right."""
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(50):
        optimizer.zero_grad()
        loss(model(images[:1200]), labels[:1200]).backward()
        optimizer.step()
    return float((model(images[1200:]).argmax(1) == labels[1200:]).float().mean())


search = da.search(net, RandomSearch(), trials=10, seed=0)
for trial in search:
    trial.tell(accuracy(torch_backend.build(trial.architecture, inputs=da.vector(64), seed=0)))
    print(f"{trial.score:.1%}  {dict(trial.values)}")
print(search.best.architecture.summary(da.vector(64)))
