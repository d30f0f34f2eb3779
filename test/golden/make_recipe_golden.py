"""Writes recipe.json: training by other settings than the defaults, computed by PyTorch, for test/unit/workers/engines/recipe.test.ts.

    .venv/bin/python make_recipe_golden.py

(make_golden.py says how to make the environment.) `rates` has what PyTorch's schedulers multiply a learning rate by. `steps` is the
beginning of a training as in trajectory.json, with one-sided label smoothing, a rate a net, and both on a cosine.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from make_golden import (
    TRAJECTORY_BATCH,
    TRAJECTORY_SEED,
    digit_bytes,
    digits,
    discriminator_phase,
    generator_phase,
    initial_nets,
)
from model import adam
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

TOTAL = 12
RECIPE = {"labelSmoothing": 0.1, "lrG": 1e-4, "lrD": 4e-4, "lrDecay": "cosine", "steps": TOTAL}
RATE_STEPS = 1000


def scheduler(optimizer: torch.optim.Optimizer, decay: str, total: int):
    if decay == "cosine":
        return CosineAnnealingLR(optimizer, T_max=total, eta_min=0.0)
    return LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=total)


def factors(decay: str) -> list[float]:
    """What the rate of every step of RATE_STEPS is multiplied by."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    steps = scheduler(optimizer, decay, RATE_STEPS)
    rates = []
    for _ in range(RATE_STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        steps.step()
    return rates


def trajectory(dtype: torch.dtype) -> list[dict[str, float]]:
    nets = initial_nets(dtype, TRAJECTORY_SEED)
    optimizers = [adam(net) for net in nets]
    for optimizer, rate in zip(optimizers, (RECIPE["lrG"], RECIPE["lrD"]), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
    schedulers = [scheduler(optimizer, RECIPE["lrDecay"], TOTAL) for optimizer in optimizers]
    all_digits = digits()
    records = []
    for step in range(TOTAL):
        images = digit_bytes(all_digits, step, TRAJECTORY_BATCH)
        label = 1.0 - RECIPE["labelSmoothing"]
        d = discriminator_phase(*nets, step, TRAJECTORY_BATCH, images, TRAJECTORY_SEED, label)
        optimizers[1].step()
        g = generator_phase(*nets, step, TRAJECTORY_BATCH, TRAJECTORY_SEED)
        optimizers[0].step()
        for each in schedulers:
            each.step()
        values = {"lossReal": d["loss/real"], "lossFake": d["loss/fake"], "lossG": g["loss"]}
        values |= {"meanDx": d["output/real"], "meanDGz": d["output/fake"]}
        records.append({name: value.item() for name, value in values.items()})
    return records


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    single, double = trajectory(torch.float32), trajectory(torch.float64)
    apart = max(abs(a[key] - b[key]) for a, b in zip(single, double, strict=True) for key in a)
    print(f"float32 is {apart:.1e} from float64 at most")
    assert math.isfinite(apart)
    config = {**RECIPE, "seed": TRAJECTORY_SEED, "batch": TRAJECTORY_BATCH}
    rates = {decay: factors(decay)[::37] for decay in ("linear", "cosine")}
    content = {"config": config, "rates": {"steps": RATE_STEPS, "every": 37, **rates}, "steps": single}
    path = Path(__file__).resolve().parent / "recipe.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
