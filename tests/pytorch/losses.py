"""Losses of 50 steps of training in PyTorch, with the data and the first weights: what the example pytorch_losses
must give. Writes golden.json, weights.safetensors, x.npy and labels.npy.
"""

import copy
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

FOLDER = Path(__file__).parent
N_SAMPLES, N_STEPS, CLASSES = 64, 50, 10


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv2d = nn.Conv2d(1, 8, 3, padding=1)
        self.batch_norm = nn.BatchNorm2d(8, eps=1e-3)
        self.depthwise_conv2d = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.dense = nn.Linear(8 * 4 * 4, CLASSES)

    def forward(self, x):
        x = torch.relu(self.batch_norm(self.conv2d(x)))
        x = torch.max_pool2d(torch.relu(self.depthwise_conv2d(x)), 2)
        # Channels innermost, as Dunlin flattens.
        return self.dense(x.permute(0, 2, 3, 1).flatten(1))


def parameters(network):
    """By Dunlin's names and in its layout."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    return {
        "conv2d/weights": state["conv2d.weight"].transpose(0, 2, 3, 1),
        "conv2d/bias": state["conv2d.bias"],
        "batch_norm/gamma": state["batch_norm.weight"],
        "batch_norm/beta": state["batch_norm.bias"],
        "batch_norm/mean": state["batch_norm.running_mean"],
        "batch_norm/variance": state["batch_norm.running_var"],
        "depthwise_conv2d/weights": state["depthwise_conv2d.weight"].transpose(1, 2, 3, 0),
        "depthwise_conv2d/bias": state["depthwise_conv2d.bias"],
        "dense/weights": state["dense.weight"],
        "dense/bias": state["dense.bias"],
    }


def decayed(parameters, decay):
    """Dunlin's weight decay leaves biases and normalization alone."""
    groups = [[p for p in parameters if (p.dim() > 1) == is_weights] for is_weights in (True, False)]
    return [{"params": groups[0], "weight_decay": decay}, {"params": groups[1], "weight_decay": 0.0}]


def train(network, optimizer, x, labels, clip=None):
    loss_function = nn.CrossEntropyLoss()
    losses = []
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        loss = loss_function(network(x), labels)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    torch.manual_seed(7)
    labels = torch.arange(N_SAMPLES) % CLASSES
    x = torch.rand(N_SAMPLES, 1, 8, 8) + torch.nn.functional.one_hot(labels, 64).reshape(-1, 1, 8, 8)
    network = Network().train()
    save_file({k: np.ascontiguousarray(v) for k, v in parameters(network).items()}, FOLDER / "weights.safetensors")
    np.save(FOLDER / "x.npy", x.permute(0, 2, 3, 1).numpy())
    np.save(FOLDER / "labels.npy", labels.to(torch.int32).numpy())
    optimizers = {
        "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.02, momentum=0.9, nesterov=True),
        "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01, eps=1e-7),
        "adam_w": lambda parameters: torch.optim.AdamW(decayed(list(parameters), 0.5), lr=0.01, eps=1e-7),
        "rms_prop": lambda parameters: torch.optim.RMSprop(parameters, lr=0.003, eps=1e-3),
        "clipped": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    }
    golden = {"oracle": {"torch": torch.__version__}}
    for name, optimizer in optimizers.items():
        fresh = copy.deepcopy(network)
        clip = 0.25 if name == "clipped" else None
        golden[name] = train(fresh, optimizer(fresh.parameters()), x, labels, clip)
        print(name, golden[name][0], golden[name][-1])
    (FOLDER / "golden.json").write_text(json.dumps(golden, indent=0) + "\n")


main()
