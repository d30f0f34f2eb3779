"""Loads a Ganglion checkpoint into PyTorch and compares the images PyTorch draws from it with Ganglion's.

    python check_checkpoint.py step-00000500.safetensors
    python check_checkpoint.py step-00000500.safetensors --samples samples.npy --seed 7

Tensors `generator.*` and `discriminator.*` must be exactly the two state dictionaries of PyTorch's modules for that size, colour and
width (make_family_golden.py; at 64 those of PyTorch's DCGAN tutorial): names, shapes and dtypes. All others (Adam's moments, counters) are Ganglion's own and are ignored. Exit status 1 on any disagreement.

samples.npy is what `ganglion sample --weights raw` writes: [N, side, side] float32, in colour [N, side, side, 3]; image i is drawn from stream `samples` of the seed, time 0, part i.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from make_family_golden import Discriminator, Generator
from model import noise
from safetensors.torch import load_file
from torch import nn

TOLERANCE = 1e-4


def load_net(module: nn.Module, prefix: str, tensors: dict[str, torch.Tensor]) -> list[str]:
    """Loads the tensors of one net; returns what does not fit."""
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    # load_state_dict converts dtypes in silence.
    faults = [
        f"{prefix}{name}: {state[name].dtype} {list(state[name].shape)}, PyTorch has {own.dtype} {list(own.shape)}"
        for name, own in module.state_dict().items()
        if name in state and (state[name].dtype != own.dtype or state[name].shape != own.shape)
    ]
    faults += [
        f"{prefix}{name}: has values that are not finite"
        for name, value in state.items()
        if not torch.isfinite(value).all()
    ]
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        faults.append(f"{prefix}*: {error}")
    return faults


def member(tensors: dict[str, torch.Tensor]) -> tuple[int, int, float]:
    """Side, channels and width of the model whose tensors these are."""
    last = max((name for name in tensors if name.startswith("generator.main.")), key=lambda name: int(name.split(".")[2]))
    base, channels = tensors[last].shape[:2]
    if "discriminator.main.0.bias" in tensors:
        return 28, channels, base / 32
    return (64 if last == "generator.main.12.weight" else 32), channels, base / 64


def draw(generator: Generator, seed: int, count: int, latent: int, batch_statistics: bool) -> np.ndarray:
    """Images [count, side, side, channels] of the generator with its running statistics or with those of this one batch."""
    z = torch.cat([noise(seed, "samples", 0, image, 1, latent) for image in range(count)])
    generator.train(batch_statistics)
    with torch.no_grad():
        return generator(z).permute(0, 2, 3, 1).numpy()


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks a Ganglion checkpoint against PyTorch.")
    parser.add_argument("checkpoint", type=Path, help="a .safetensors file")
    parser.add_argument("--samples", type=Path, help="images that Ganglion drew from it, .npy float32")
    parser.add_argument("--latent", type=int, help="length of z (default: that of the checkpoint)")
    parser.add_argument("--seed", type=int, default=0, help="seed the images were drawn with (default: 0)")
    parser.add_argument(
        "--batch-statistics",
        action="store_true",
        help="normalise by the statistics of all N images, as in training, instead of the running ones",
    )
    options = parser.parse_args()

    tensors = load_file(options.checkpoint)
    first = tensors.get("generator.main.0.weight")
    if first is None:
        print(f"{options.checkpoint}: no tensor generator.main.0.weight", file=sys.stderr)
        return 1
    latent = options.latent or first.shape[0]
    side, channels, width = member(tensors)
    generator, discriminator = Generator(side, channels, width, latent), Discriminator(side, channels, width)
    faults = load_net(generator, "generator.", tensors) + load_net(discriminator, "discriminator.", tensors)
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return 1
    loaded = len(generator.state_dict()) + len(discriminator.state_dict())
    print(f"{options.checkpoint.name}: {loaded} tensors loaded, {len(tensors) - loaded} of Ganglion's own ignored")

    if options.samples is None:
        return 0
    expected = np.load(options.samples, allow_pickle=False)
    expected = expected[..., None] if expected.ndim == 3 else expected
    if expected.shape[0] < 1 or expected.shape[1:] != (side, side, channels) or expected.dtype != np.float32:
        print(f"{options.samples}: {expected.dtype} {list(expected.shape)}, not float32 [N, {side}, {side}, {channels}]", file=sys.stderr)
        return 1
    found = draw(generator, options.seed, len(expected), latent, options.batch_statistics)
    difference = float(np.abs(found - expected).max())
    kind = "batch" if options.batch_statistics else "running"
    print(f"{len(expected)} images, {kind} statistics: largest difference {difference:.3e} (limit {TOLERANCE:.0e})")
    # Written so that a difference that is not a number fails too.
    return 0 if difference <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
