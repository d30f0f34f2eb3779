"""Writes `family.safetensors`: PyTorch's own gradients of members of the DCGAN family, which Ganglion's are tested against.

How to run, in this folder, with the environment of make_golden.py:

    .venv/bin/python make_family_golden.py

For every member of MEMBERS, named `<side>x<channels>`, both phases of one step, shard 0, at the initial parameters of seed 7 (no Adam
between), all float32 in PyTorch's layout:

    <member>/<phase>/grad/<parameter>    every STRIDE-th value of the gradient, from the first on
    <member>/<phase>/norm/<parameter>    its norm
    <member>/<phase>/loss                loss of D (real and fake), or of G

Images are the low bytes of stream `samples` as [batch, side, side, channels]. As in make_golden.py the step is one whose activations stay
clear of the kinks of ReLU and LeakyReLU, so that rounding decides nothing. The metadata's one entry, `golden`, is JSON.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from ganglion_random import random_words
from make_golden import smallest_activation
from model import LEAK, full_loss, initialise, noise, to_pixels
from safetensors.torch import save_file
from torch import nn

SEED, SHARD, LATENT, BATCH, STRIDE, CANDIDATE_STEPS = 7, 0, 4, 2, 53, 60
# Side, channels, width.
MEMBERS = ((28, 3, 1.0), (32, 1, 0.25), (64, 3, 0.25))


class Generator(nn.Module):
    """z [B, latent, 1, 1] -> images [B, channels, side, side]; at 64 the Generator of PyTorch's DCGAN tutorial."""

    def __init__(self, side: int, channels: int, width: float, latent: int = LATENT) -> None:
        super().__init__()
        base = int((32 if side == 28 else 64) * width)
        features = [base * 2**level for level in reversed(range(4 if side == 64 else 3))]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(zip([latent, *features], features, strict=False)):
            up = nn.ConvTranspose2d(before, after, 4, 1, 0, bias=False) if i == 0 else nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            layers += [up, nn.BatchNorm2d(after), nn.ReLU(True)]
        last = nn.ConvTranspose2d(base, channels, 4, 2, 3 if side == 28 else 1, bias=False)
        self.main = nn.Sequential(*layers, last, nn.Tanh())

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.main(z)


class Discriminator(nn.Module):
    """Images -> logits [B]; at 64 the Discriminator of PyTorch's DCGAN tutorial without its sigmoid."""

    def __init__(self, side: int, channels: int, width: float) -> None:
        super().__init__()
        base, bias = int((16 if side == 28 else 64) * width), side == 28
        features = [base * 2**level for level in range(4 if side == 64 else 3)]
        layers: list[nn.Module] = [nn.Conv2d(channels, base, 4, 2, 3 if side == 28 else 1, bias=bias), nn.LeakyReLU(LEAK, True)]
        for before, after in zip(features, features[1:], strict=False):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=bias), nn.BatchNorm2d(after), nn.LeakyReLU(LEAK, True)]
        self.main = nn.Sequential(*layers, nn.Conv2d(features[-1], 1, 4, 2 if side == 28 else 1, 0, bias=bias))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.main(images).flatten()


def phases(member: tuple[int, int, float], step: int, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], float]:
    """The golden tensors of a member, and the smallest activation that decided them."""
    side, channels, _ = member
    generator, discriminator = Generator(*member), Discriminator(*member)
    for net in (generator, discriminator):
        initialise(net, SEED)
        net.to(dtype).train()
    words = random_words(SEED, "samples", step, SHARD, BATCH * side * side * channels)
    pixels = torch.from_numpy((words & 0xFF).astype(np.uint8)).view(BATCH, side, side, channels)
    real = to_pixels(pixels.permute(0, 3, 1, 2)).to(dtype)

    def z(stream: str) -> torch.Tensor:
        return noise(SEED, stream, step, SHARD, BATCH, LATENT).to(dtype)

    smallest: list[float] = []
    out: dict[str, torch.Tensor] = {}
    with smallest_activation([generator, discriminator], smallest):
        loss = full_loss(discriminator(real), 1.0) + full_loss(discriminator(generator(z("discriminatorNoise")).detach()), 0.0)
        collect(out, "discriminator", discriminator, loss)
        collect(out, "generator", generator, full_loss(discriminator(generator(z("generatorNoise"))), 1.0))
    return out, min(smallest)


def collect(out: dict[str, torch.Tensor], phase: str, net: nn.Module, loss: torch.Tensor) -> None:
    net.zero_grad(set_to_none=True)
    loss.backward()
    out[f"{phase}/loss"] = loss.detach().reshape(1)
    for name, parameter in net.named_parameters():
        out[f"{phase}/grad/{name}"] = parameter.grad.flatten()[::STRIDE].clone()
        out[f"{phase}/norm/{name}"] = parameter.grad.double().norm().to(parameter.dtype).reshape(1)


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    tensors: dict[str, torch.Tensor] = {}
    members = []
    for member in MEMBERS:
        side, channels, width = member
        step = max(range(CANDIDATE_STEPS), key=lambda step: phases(member, step, torch.float32)[1])
        single, smallest = phases(member, step, torch.float32)
        double, _ = phases(member, step, torch.float64)
        worst = max(
            ((value.double() - double[name]).abs().max() / double[name].abs().max()).item()
            for name, value in single.items()
            if not is_cancelled(name)
        )
        print(f"{side}x{channels}: step {step}, smallest activation {smallest:.2e}, float32 from float64 {worst:.2e}")
        label = f"{side}x{channels}"
        tensors |= {f"{label}/{name}": value for name, value in single.items()}
        members.append({"name": label, "imageSize": side, "channels": channels, "width": width, "step": step})
    golden = {"seed": SEED, "latent": LATENT, "batch": BATCH, "stride": STRIDE, "torch": torch.__version__.partition("+")[0], "members": members}
    path = Path(__file__).resolve().parent / "family.safetensors"
    save_file(tensors, path, {"golden": json.dumps(golden)})
    path.chmod(0o644)


def is_cancelled(name: str) -> bool:
    """Biases of D right before a BatchNorm, whose gradient is rounding noise."""
    return name.startswith("discriminator/") and name.endswith(("/main.2.bias", "/main.5.bias"))


if __name__ == "__main__":
    main()
