"""Ganglion's DCGAN in PyTorch, the reference its gradients and checkpoints are checked against.

Modules and names are those of pytorch/examples/dcgan (`main.0.weight`, ...), so a state dictionary of one loads into the
other. The discriminator returns logits: its sigmoid is part of the loss.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from ganglion_random import normal, uniform
from torch import nn

PARAMETERS_PER_NET = 64

LEAK = 0.2
LEARNING_RATE = 2e-4
BETAS = (0.5, 0.999)
EPSILON = 1e-8

# Biases right before a BatchNorm: it subtracts them again, so their gradient is zero but for rounding. They are not
# trained and keep their initial values; an Adam step would turn the rounding noise into full-size moves.
FROZEN = ("main.2.bias", "main.5.bias")


class Generator(nn.Module):
    """z [B, latent, 1, 1] -> images [B, 1, 28, 28] in [-1, 1]."""

    def __init__(self, latent: int = 100) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(latent, 128, 4, 1, 0, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(True),
            nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(True),
            nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(True),
            nn.ConvTranspose2d(32, 1, 4, 2, 3, bias=False),
            nn.Tanh(),
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.main(z)


class Discriminator(nn.Module):
    """Images [B, 1, 28, 28] -> logits [B]. The biases in FROZEN take no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 3),
            nn.LeakyReLU(LEAK, True),
            nn.Conv2d(16, 32, 4, 2, 1),
            nn.BatchNorm2d(32),
            nn.LeakyReLU(LEAK, True),
            nn.Conv2d(32, 64, 4, 2, 1),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(LEAK, True),
            nn.Conv2d(64, 1, 4, 2, 0),
        )
        self.freeze()

    def freeze(self) -> None:
        """Takes the biases in FROZEN out of training."""
        for name in FROZEN:
            self.get_parameter(name).requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.main(images).flatten()


def batch_norms(module: nn.Module) -> list[tuple[str, nn.BatchNorm2d]]:
    """The BatchNorm layers of a net with their names, in order."""
    return [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.BatchNorm2d)]


def adam(module: nn.Module, **options: bool) -> torch.optim.Adam:
    """Adam with Ganglion's constants over the trained parameters of a net."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return torch.optim.Adam(trained, lr=LEARNING_RATE, betas=BETAS, eps=EPSILON, **options)


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """uint8 images to float32 in [-1, 1]."""
    return images.to(torch.float32) / 127.5 - 1.0


def full_loss(logits: torch.Tensor, target: float) -> torch.Tensor:
    """Binary cross entropy of logits against one target, mean over the batch."""
    return nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def initialise(module: nn.Module, seed: int) -> None:
    """Sets every parameter to its value at the start of a run with this seed (shared/model/layout.ts: `initial`)."""
    net = 0 if isinstance(module.main[0], nn.ConvTranspose2d) else 1
    with torch.no_grad():
        for position, (name, parameter) in enumerate(module.named_parameters()):
            layer = module.get_submodule(name.rpartition(".")[0])
            is_norm = isinstance(layer, nn.BatchNorm2d)
            address = (seed, "initialisation", 0, net * PARAMETERS_PER_NET + position)
            if name.endswith(".weight"):
                draws = normal(*address, parameter.numel()).astype(np.float64)
                values = ((1.0 if is_norm else 0.0) + 0.02 * draws).astype(np.float32)
            elif is_norm:
                values = np.zeros(parameter.numel(), dtype=np.float32)
            else:
                fan_in = layer.in_channels * math.prod(layer.kernel_size)
                bound = 1.0 / math.sqrt(fan_in)
                values = uniform(*address, -bound, bound, parameter.numel())
            parameter.copy_(torch.from_numpy(values).view_as(parameter))


def noise(seed: int, stream: str, time: int, part: int, count: int, latent: int) -> torch.Tensor:
    """`count` noise vectors of a stream, [count, latent, 1, 1]."""
    return torch.from_numpy(normal(seed, stream, time, part, count * latent)).view(count, latent, 1, 1)
