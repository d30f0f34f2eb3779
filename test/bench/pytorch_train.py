"""How fast PyTorch trains Ganglion's model on this machine's processor: the same step, the same batch, the same data.

    python pytorch_train.py --mode single --threads 2 --layout channels_last --data ../../data --steps 150

prints one line of JSON. Modes: `single` (one process), `ddp` (DistributedDataParallel over gloo, the batch cut evenly
over the processes), `compiled` (one process, torch.compile; needs a C++ compiler). Install
`../golden/requirements.txt` first. Images per second are real images: batch * steps / time, after the warm-up.

    python pytorch_train.py --mode single --data ../../data --steps 3743 --warmup 1 --seed 7 --template STEP.safetensors --every 468

also writes what it has learned into the folder of `--template`, a checkpoint of Ganglion's of the same model, every so many steps:
`ganglion evaluate` then judges PyTorch's digits as Ganglion's own (pytorch_checkpoint.py).

What is done for speed: images stay in memory as one uint8 tensor; no graph is built for G in D's phase and no weight
gradients are computed for D in G's; oneDNN in the layout asked for; Adam's fused kernel (measured against foreach and
the plain loop, see --adam); malloc keeps its memory (--malloc); gradients set to None; denormals flushed; nothing is read back until the clock has stopped.
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "golden"))
from model import Discriminator, Generator, adam, initialise, to_pixels  # noqa: E402

from pytorch_checkpoint import write_checkpoint  # noqa: E402

LATENT = 100
HOST = "127.0.0.1"
# One training step; returns the two losses, not yet read back.
Step = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def keep_memory() -> bool:
    """
    Makes glibc's malloc keep freed memory, in place of the jemalloc or tcmalloc that PyTorch's tuning guide advises: by
    default every activation of some megabytes goes back to the system and is paged in again each step. False where the
    C library has no mallopt.
    """
    m_trim_threshold, m_mmap_threshold = -1, -3
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(m_mmap_threshold, 32 << 20) == 1 and mallopt(m_trim_threshold, 2**31 - 1) == 1


def read_images(folder: Path) -> torch.Tensor:
    """MNIST's training images as uint8 [N, 1, 28, 28]."""
    path = folder / "train-images-idx3-ubyte.gz"
    with gzip.open(path, "rb") as file:
        content = file.read()
    magic, count, rows, columns = (int.from_bytes(content[i : i + 4], "big") for i in range(0, 16, 4))
    if magic != 2051 or (rows, columns) != (28, 28) or len(content) != 16 + count * 784:
        raise ValueError(f"{path}: not a file of 28x28 images in the idx format")
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=16).copy()).view(count, 1, 28, 28)


def batches(images: torch.Tensor, batch: int, rank: int, processes: int, seed: int) -> Iterator[torch.Tensor]:
    """This process's part of every batch, for ever; a fresh permutation each epoch, the same in every process."""
    local = batch // processes
    permutation = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(images), generator=permutation)
        for start in range(0, len(images) - batch + 1, batch):
            yield images[order[start + rank * local : start + (rank + 1) * local]]


def make_step(options: argparse.Namespace, batch: int) -> tuple[Step, tuple[Generator, Discriminator]]:
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    generator, discriminator = Generator(LATENT), Discriminator()
    for net in (generator, discriminator):
        initialise(net, options.seed)
        net.to(memory_format=layout).train()
    choice = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}[options.adam]
    generator_adam, discriminator_adam = adam(generator, **choice), adam(discriminator, **choice)
    trained = [parameter for parameter in discriminator.parameters() if parameter.requires_grad]

    # Statistics and other buffers stay local, as in Ganglion's shards; only gradients travel.
    generator_forward: nn.Module = generator
    discriminator_forward: nn.Module = discriminator
    if options.mode == "ddp":
        generator_forward, discriminator_forward = (
            DistributedDataParallel(net, forward_sync_buffers=False, gradient_as_bucket_view=True)
            for net in (generator, discriminator)
        )
    ones, zeros = torch.ones(batch), torch.zeros(batch)
    criterion = nn.functional.binary_cross_entropy_with_logits

    def discriminator_loss(pixels: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            fake = generator(z)
        real = to_pixels(pixels).contiguous(memory_format=layout)
        return criterion(discriminator_forward(real), ones) + criterion(discriminator_forward(fake), zeros)

    def generator_loss(z: torch.Tensor) -> torch.Tensor:
        return criterion(discriminator(generator_forward(z)), ones)

    if options.mode == "compiled":
        discriminator_loss = torch.compile(discriminator_loss, fullgraph=True, dynamic=False)
        generator_loss = torch.compile(generator_loss, fullgraph=True, dynamic=False)

    def step(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for parameter in trained:
            parameter.requires_grad_(True)
        discriminator_adam.zero_grad(set_to_none=True)
        loss_d = discriminator_loss(pixels, torch.randn(batch, LATENT, 1, 1))
        loss_d.backward()
        discriminator_adam.step()
        for parameter in trained:
            parameter.requires_grad_(False)
        generator_adam.zero_grad(set_to_none=True)
        loss_g = generator_loss(torch.randn(batch, LATENT, 1, 1))
        loss_g.backward()
        generator_adam.step()
        return loss_d, loss_g

    return step, (generator, discriminator)


def measure(rank: int, options: argparse.Namespace, port: int | None = None) -> None:
    """Trains and, in the first process, prints the result."""
    kept = options.malloc == "keep" and keep_memory()
    # Before the first operation: threads inherit the flag when they are made.
    torch.set_flush_denormal(True)
    torch.set_num_threads(options.threads)
    if port is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        store = dist.TCPStore(HOST, port, options.processes, is_master=False)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=options.processes)
    torch.manual_seed(options.seed - 1 + rank)
    step, nets = make_step(options, options.batch // options.processes)
    source = batches(read_images(options.data), options.batch, rank, options.processes, options.seed)
    for _ in range(options.warmup):
        step(next(source))
    if port is not None:
        dist.barrier()
    start = time.perf_counter()
    for done in range(1, options.steps + 1):
        loss_d, loss_g = step(next(source))
        if options.template and rank == 0 and (done + options.warmup) % options.every == 0:
            write_checkpoint(options.template, nets, done + options.warmup)
    if port is not None:
        dist.barrier()
    seconds = time.perf_counter() - start
    losses = loss_d.item(), loss_g.item()
    if port is not None:
        dist.destroy_process_group()
    if not all(math.isfinite(loss) for loss in losses):
        raise ArithmeticError(f"training diverged: losses {losses}")
    if rank == 0:
        result = {
            "mode": options.mode,
            "layout": options.layout,
            "threads": options.threads,
            "processes": options.processes,
            "batch": options.batch,
            "steps": options.steps,
            "warmup": options.warmup,
            "adam": options.adam,
            "malloc": "keep" if kept else "default",
            "ompWaitPolicy": os.environ.get("OMP_WAIT_POLICY", "default"),
            "imagesPerSecond": round(options.batch * options.steps / seconds, 1),
            "millisecondsPerStep": round(1000 * seconds / options.steps, 3),
            "lossD": round(losses[0], 4),
            "lossG": round(losses[1], 4),
            "torch": torch.__version__,
        }
        print(json.dumps(result), flush=True)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description="Measures PyTorch's speed on Ganglion's training step.")
    parser.add_argument("--mode", choices=("single", "ddp", "compiled"), default="single")
    parser.add_argument("--layout", choices=("channels_last", "default"), default="channels_last")
    parser.add_argument("--threads", type=positive, help="of each process (default: the cores, shared out)")
    parser.add_argument("--processes", type=positive, help="ddp only (default: 2)")
    parser.add_argument("--batch", type=positive, default=128, help="of all processes together")
    parser.add_argument("--steps", type=positive, default=150)
    parser.add_argument("--warmup", type=positive, default=20, help="steps before the clock starts")
    parser.add_argument("--adam", choices=("fused", "foreach", "loop"), default="fused")
    parser.add_argument("--malloc", choices=("keep", "default"), default="keep", help="keep: see keep_memory")
    parser.add_argument("--seed", type=positive, default=1)
    parser.add_argument("--template", type=Path, help="checkpoint of Ganglion's, beside which PyTorch's are written")
    parser.add_argument("--every", type=positive, default=468, help="steps between them")
    parser.add_argument("--data", type=Path, required=True, help="folder with train-images-idx3-ubyte.gz")
    options = parser.parse_args()
    if options.mode != "ddp" and (options.processes or 1) > 1:
        parser.error("--processes needs --mode ddp")
    if options.processes is None:
        options.processes = 2 if options.mode == "ddp" else 1
    if options.batch % options.processes != 0:
        parser.error("--batch must be a multiple of --processes")
    if options.threads is None:
        options.threads = max(1, cores // options.processes)
    if options.mode != "ddp":
        measure(0, options)
        return
    # The system picks the port, so several benchmarks can run at once.
    store = dist.TCPStore(HOST, 0, options.processes, is_master=True, wait_for_workers=False)
    multiprocessing.spawn(measure, (options, store.port), nprocs=options.processes)


if __name__ == "__main__":
    main()
