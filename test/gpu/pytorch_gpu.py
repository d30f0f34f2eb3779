"""PyTorch's speed on Ganglion's training step on a GPU: nets, losses and Adam of test/golden/model.py, float32 without TF32.

python3 test/gpu/pytorch_gpu.py [--seconds N] [--results FILE]     a line a way of running it; FILE gets one JSON object each
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "golden"))
from model import Discriminator, Generator, adam, initialise, to_pixels  # noqa: E402

LATENT = 100
IMAGES = 10_000
BATCHES = (128, 1024, 4096)
GPU = torch.device("cuda")
START = time.perf_counter()

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--seconds", type=float, default=150, help="no measurement begins later")
parser.add_argument("--results", type=Path)
options = parser.parse_args()

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


def record(**values: object) -> None:
    if options.results:
        with options.results.open("a") as file:
            file.write(json.dumps(values) + "\n")


def sgemm(side: int) -> None:
    """cuBLAS: the limit of float32 on this GPU."""
    a, b = torch.randn(side, side, device=GPU), torch.randn(side, side, device=GPU)
    c = torch.empty_like(a)
    times = []
    for _ in range(10):
        begin, end = torch.cuda.Event(True), torch.cuda.Event(True)
        begin.record()
        torch.mm(a, b, out=c)
        torch.mm(a, b, out=c)
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 2)
    tflops = 2 * side**3 / sorted(times)[len(times) // 2] / 1e9
    exact = a[:64].double() @ b.double()
    error = ((c[:64].double() - exact).norm() / exact.norm()).item()
    print(f"cuBLAS sgemm {side}: {tflops:.1f} TFLOP/s, relative error {error:.1e} (TF32 has 3e-4)", flush=True)
    record(sgemmTflops=round(tflops, 2))


initial: dict[str, dict[str, torch.Tensor]] = {}


def load_initial(net: nn.Module) -> None:
    """Values at the start, which take a second to draw."""
    name = type(net).__name__
    if name not in initial:
        initialise(net, 1)
        initial[name] = {key: value.clone() for key, value in net.state_dict().items()}
    net.load_state_dict(initial[name])


def make_step(batch: int, layout: str, compiled: bool, graph: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    channels_last = layout == "channels_last"
    form = torch.channels_last if channels_last else torch.contiguous_format
    generator, discriminator = Generator(LATENT), Discriminator()
    for net in (generator, discriminator):
        load_initial(net)
        net.to(GPU, memory_format=form).train()
    if channels_last and compiled:
        # Of inputs with 1 x 1 pixels inductor guesses the wrong strides, and compiles something that fails.
        generator.main[0].weight.data = generator.main[0].weight.data.contiguous()
        form = torch.contiguous_format
    choice = {"fused": True, "capturable": True} if graph else {"fused": True}
    generator_adam, discriminator_adam = adam(generator, **choice), adam(discriminator, **choice)
    trained = [parameter for parameter in discriminator.parameters() if parameter.requires_grad]
    ones, zeros = torch.ones(batch, device=GPU), torch.zeros(batch, device=GPU)
    criterion = nn.functional.binary_cross_entropy_with_logits

    def discriminator_loss(pixels: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            fake = generator(z)
        real = to_pixels(pixels).contiguous(memory_format=form)
        return criterion(discriminator(real), ones) + criterion(discriminator(fake), zeros)

    def generator_loss(z: torch.Tensor) -> torch.Tensor:
        return criterion(discriminator(generator(z)), ones)

    if compiled:
        discriminator_loss = torch.compile(discriminator_loss, fullgraph=True, dynamic=False)
        generator_loss = torch.compile(generator_loss, fullgraph=True, dynamic=False)

    def step(pixels: torch.Tensor) -> torch.Tensor:
        for parameter in trained:
            parameter.requires_grad_(True)
        discriminator_adam.zero_grad(set_to_none=True)
        loss_d = discriminator_loss(pixels, torch.randn(batch, LATENT, 1, 1, device=GPU))
        loss_d.backward()
        discriminator_adam.step()
        for parameter in trained:
            parameter.requires_grad_(False)
        generator_adam.zero_grad(set_to_none=True)
        loss_g = generator_loss(torch.randn(batch, LATENT, 1, 1, device=GPU))
        loss_g.backward()
        generator_adam.step()
        return torch.stack((loss_d.detach(), loss_g.detach()))

    return step


images = torch.randint(0, 256, (IMAGES, 1, 28, 28), dtype=torch.uint8, device=GPU)
order = torch.randperm(IMAGES, device=GPU)


def time_steps(batch: int, layout: str, compiled: bool, graph: bool) -> float:
    """Milliseconds a step: the middle one of three measurements."""
    torch.manual_seed(0)
    torch._dynamo.reset()
    step = make_step(batch, layout, compiled, graph)
    pixels = images[:batch].clone()
    number = 0

    def choose() -> torch.Tensor:
        nonlocal number
        number = (number + 1) % (IMAGES // batch)
        return order[number * batch : (number + 1) * batch]

    if graph:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(6):
                step(pixels)
        torch.cuda.current_stream().wait_stream(side)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            losses = step(pixels)

    def once() -> torch.Tensor:
        if not graph:
            return step(images[choose()])
        torch.index_select(images, 0, choose(), out=pixels)
        captured.replay()
        return losses

    for _ in range(20):
        once()
    times = []
    count = 200 if batch < 1024 else 60
    for _ in range(3):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            result = once()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - begin) / count * 1000)
    if not bool(result.isfinite().all()):
        raise ArithmeticError(f"training diverged: losses {result.tolist()}")
    return sorted(times)[1]


def measure(batch: int, layout: str, compiled: bool, graph: bool) -> None:
    name = " + ".join([layout, *(["torch.compile"] if compiled else ["eager"]), *(["CUDA graph"] if graph else [])])
    if time.perf_counter() - START > options.seconds:
        print(f"batch {batch:4d} {name}: skipped, out of time", flush=True)
        return
    try:
        milliseconds = time_steps(batch, layout, compiled, graph)
        speed = batch / milliseconds * 1000
        print(f"batch {batch:4d} {name}: {milliseconds:.3f} ms a step, {speed:.0f} images/s", flush=True)
        record(batch=batch, name=name, milliseconds=milliseconds, imagesPerSecond=speed)
    except Exception as error:  # one way that does not work leaves the others
        print(f"batch {batch:4d} {name}: failed, {type(error).__name__}: {str(error).splitlines()[:1]}", flush=True)
    torch.cuda.empty_cache()


print(f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.get_device_name()}", flush=True)
sgemm(4096)
for batch in BATCHES:
    for layout in ("contiguous", "channels_last"):
        for graph in (False, True):
            measure(batch, layout, compiled=False, graph=graph)
for batch in BATCHES:
    for layout in ("contiguous", "channels_last"):
        for graph in (True, False):
            measure(batch, layout, compiled=True, graph=graph)
