"""How fast PyTorch trains a member of the DCGAN family on this machine's processor: `python pytorch_family.py SIDE CHANNELS STEPS [--compiled]`
prints images a second, mean and best step, as JSON. Batch 128, 2 threads, channels_last, Adam's fused kernel, memory kept as by pytorch_train.py.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "golden"))
from make_family_golden import Discriminator, Generator  # noqa: E402

from pytorch_train import keep_memory  # noqa: E402

BATCH, LATENT, WARM_UP = 128, 100, 2


def main(side: int, channels: int, steps: int, is_compiled: bool) -> None:
    keep_memory()
    torch.set_flush_denormal(True)
    torch.set_num_threads(2)
    nets = (Generator(side, channels, 1.0, LATENT), Discriminator(side, channels, 1.0))
    generator, discriminator = (net.to(memory_format=torch.channels_last).train() for net in nets)
    adams = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for net in (generator, discriminator)]
    of_g, of_d = adams
    draw, judge = (torch.compile(net) if is_compiled else net for net in (generator, discriminator))
    loss = nn.functional.binary_cross_entropy_with_logits
    images = torch.randn(BATCH, channels, side, side).to(memory_format=torch.channels_last)
    ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)

    def step() -> None:
        of_d.zero_grad()
        loss(judge(images), ones).backward()
        with torch.no_grad():
            fake = draw(torch.randn(BATCH, LATENT, 1, 1))
        loss(judge(fake), zeros).backward()
        of_d.step()
        of_g.zero_grad()
        discriminator.requires_grad_(False)
        loss(judge(draw(torch.randn(BATCH, LATENT, 1, 1))), ones).backward()
        discriminator.requires_grad_(True)
        of_g.step()

    seconds = []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    measured = seconds[WARM_UP:]
    print(json.dumps({"mean": BATCH * steps / sum(measured), "best": BATCH / min(measured)}))


if __name__ == "__main__":
    side, channels, steps = (int(argument) for argument in sys.argv[1:4])
    main(side, channels, steps, "--compiled" in sys.argv)
