"""The networks of the speed comparison in PyTorch: forward, backward and update, samples per second."""

import time

import torch
from torch import nn


def mnist_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def ds_cnn():
    """The keyword-spotting network of MLPerf Tiny, without its dropout; padding as TensorFlow's "same"."""
    layers = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), stride=2, bias=False)]
    layers += [nn.BatchNorm2d(64), nn.ReLU()]
    for _ in range(4):
        layers += [nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        layers += [nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


class Last(nn.Module):
    """A GRU of 32 units on motion windows, and a layer on its last state."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(9, 32, batch_first=True)
        self.head = nn.Linear(32, 6)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, nesterov=True)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3)


NETWORKS = {
    "mnist_cnn": (mnist_cnn, sgd, 64, (1, 28, 28), 10),
    "ds_cnn": (ds_cnn, adam, 32, (1, 49, 10), 12),
    "gru": (Last, adam, 32, (128, 9), 6),
}


def samples_per_second(name, threads, memory_format, seconds):
    """The best 32 steps in so many seconds, after a warm-up."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network, optimizer, batch, shape, classes = NETWORKS[name]
    # The layout is one of images.
    memory_format = memory_format if len(shape) == 3 else torch.contiguous_format
    model = network().to(memory_format=memory_format).train()
    optimizer = optimizer(model.parameters())
    loss = nn.CrossEntropyLoss()
    x = torch.rand(batch, *shape).to(memory_format=memory_format)
    y = torch.arange(batch) % classes

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(model(x), y).backward()
        optimizer.step()

    for _ in range(5):
        step()
    # As the example: the best 32 steps.
    best, begin = 0.0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        for _ in range(32):
            step()
        best = max(best, 32 * batch / (time.perf_counter() - start))
    return best
