"""Trains the classifier that `ganglion evaluate` judges digits with, and writes classifier.safetensors beside itself.

How to run, in this folder, with any Python 3.11 or later (three minutes):

    python -m venv .venv && .venv/bin/pip install -r ../../test/golden/requirements.txt
    .venv/bin/python make_classifier.py --data ../../../shared/mnist

Data: MNIST's 60,000 training images, moved, turned and scaled a little at random; t10k is looked at once, at the end. The script fails
unless at least 99 % of t10k are classified rightly. Seed 1; one thread and the same version of PyTorch give the same file.

The net: bytes / 255; convolution 5 x 5 to 8 channels, 3 x 3 to 16, 3 x 3 to 32, each of stride 2 with ReLU; a layer to 64 values, which
are the FEATURES; a layer to 10 logits. While it is trained another net draws the image again from the features, so that these hold
what a digit looks like, not its name alone. The features are turned to the principal axes of the training images, the one of most variance
first, and scaled so that their mean variance is 1: neither changes what is classified, and distances grow early in a vector.
"""

from __future__ import annotations

import argparse
import gzip
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

SEED = 1
EPOCHS = 24
BATCH = 128
LEARNING_RATE = 4e-3
LEAST_ACCURACY = 0.99
# Weight of the mean square error of the image that is drawn again from the features.
DRAWING = 20.0


class Classifier(nn.Module):
    """Images [B, 1, 28, 28] in [0, 1] -> features [B, 64]; `head` -> logits [B, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, 2, 2)
        self.conv2 = nn.Conv2d(8, 16, 3, 2, 1)
        self.conv3 = nn.Conv2d(16, 32, 3, 2, 1)
        self.features = nn.Linear(512, 64)
        self.logits = nn.Linear(64, 10)
        self.decoder = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 784))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv1(images))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.conv3(x))
        return self.features(x.flatten(1))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return self.logits(features)


def read(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images [N, 1, 28, 28] in [0, 1] and labels [N] of `train` or `t10k`."""
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = torch.from_numpy(np.frombuffer(images, dtype=np.uint8).copy()).view(-1, 1, 28, 28)
    return pixels.float() / 255, torch.from_numpy(np.frombuffer(labels, dtype=np.uint8).astype(np.int64))


def moved(images: torch.Tensor) -> torch.Tensor:
    """Turns by up to 12 degrees, scales by up to 10 %, moves by up to 2 pixels."""
    count = len(images)
    angle = (torch.rand(count) * 2 - 1) * math.radians(12)
    scale = 1 + (torch.rand(count) * 2 - 1) * 0.1
    shift = (torch.rand(count, 2) * 2 - 1) * (2 / 14)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    return functional.grid_sample(images, functional.affine_grid(theta, list(images.shape), False), align_corners=False)


def accuracy(net: Classifier, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        guesses = torch.cat([net.head(net(part)).argmax(1) for part in images.split(1000)])
    return (guesses == labels).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the classifier of ganglion evaluate.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the four MNIST files, compressed")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("classifier.safetensors"))
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    images, labels = read(options.data, "train")
    net = Classifier()
    adam = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, LEARNING_RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images))
        for part in order[: len(order) // BATCH * BATCH].split(BATCH):
            inputs = moved(images[part])
            features = net(inputs)
            drawn = functional.mse_loss(net.decoder(features), inputs.flatten(1))
            loss = functional.cross_entropy(net.head(features), labels[part]) + DRAWING * drawn
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, drawing {drawn.item():.4f}", flush=True)
    with torch.no_grad():
        features = torch.cat([net(part) for part in images.split(1000)])
        variances, axes = torch.linalg.eigh(torch.cov(features.double().T))
        turn = axes.flip(1) / variances.mean().sqrt()
        back = axes.flip(1) * variances.mean().sqrt()
        net.features.weight.copy_(turn.T @ net.features.weight.double())
        net.features.bias.copy_(turn.T @ net.features.bias.double())
        net.logits.weight.copy_(net.logits.weight.double() @ back)
    right = accuracy(net, *read(options.data, "t10k"))
    if right < LEAST_ACCURACY:
        raise SystemExit(f"expected at least {LEAST_ACCURACY} of t10k, got {right}")
    metadata = {"accuracy": f"{right:.4f} of MNIST's t10k", "seed": str(SEED), "epochs": str(EPOCHS)}
    kept = {name: tensor.contiguous() for name, tensor in net.state_dict().items() if not name.startswith("decoder.")}
    save_file(kept, options.output, metadata)
    print(f"{right:.4f} of t10k; wrote {options.output}")


if __name__ == "__main__":
    main()
