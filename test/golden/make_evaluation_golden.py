"""Writes evaluation.safetensors beside itself: what PyTorch and SciPy say of features, classes, Fréchet distance, precision and recall.

    .venv/bin/pip install -r requirements.txt scipy==1.17.1
    .venv/bin/python make_evaluation_golden.py --data ../../../shared/mnist

One file, float32 where nothing else is said:

    images           16 of t10k, [16, 784], bytes as numbers
    features         of the classifier for them, [16, 64], computed by PyTorch in float64
    one, other       features of 200 images of t10k and of 150 training images, whose digits are blurred, [*, 64]
    figures          float64: Fréchet distance by scipy.linalg.sqrtm, and by PyTorch's eigenvalues of the product of both covariances;
                     precision and recall of `other` beside `one` by torch.cdist
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.linalg import sqrtm
from torch.nn import functional

JUDGE = Path(__file__).resolve().parents[2] / "workers" / "judge"
sys.path.insert(0, str(JUDGE))
from make_classifier import Classifier, read  # noqa: E402

NEIGHBOURS = 3


def distance_by_scipy(one: np.ndarray, other: np.ndarray) -> float:
    c1, c2 = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    shift = one.mean(0) - other.mean(0)
    return float(shift @ shift + np.trace(c1) + np.trace(c2) - 2 * np.trace(np.real(sqrtm(c1 @ c2))))


def distance_by_torch(one: torch.Tensor, other: torch.Tensor) -> float:
    c1, c2 = torch.cov(one.T), torch.cov(other.T)
    roots = torch.linalg.eigvals(c1 @ c2).real.clamp(min=0).sqrt().sum()
    return float((one.mean(0) - other.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * roots)


def inside(points: torch.Tensor, manifold: torch.Tensor) -> float:
    """Share of points in the manifold of Kynkäänniemi et al. 2019."""
    mode = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    radii = torch.cdist(manifold, manifold, **mode).kthvalue(NEIGHBOURS + 1, dim=1).values  # the nearest is itself
    return float((torch.cdist(points, manifold, **mode) <= radii).any(1).double().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes evaluation.safetensors.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the four MNIST files, compressed")
    options = parser.parse_args()
    net = Classifier().double()
    net.load_state_dict(load_file(JUDGE / "classifier.safetensors"), strict=False)
    test, _ = read(options.data, "t10k")
    train, _ = read(options.data, "train")
    with torch.no_grad():
        features = net(test[:16].double())
        one = net(test[:200].double()).float().contiguous()
        other = net(functional.avg_pool2d(train[:150].double(), 3, 1, 1)).float().contiguous()
    a, b = one.double(), other.double()
    figures = [distance_by_scipy(a.numpy(), b.numpy()), distance_by_torch(a, b), inside(b, a), inside(a, b)]
    tensors = {
        "images": (test[:16] * 255).round().flatten(1).contiguous(),
        "features": features.float().contiguous(),
        "one": one,
        "other": other,
        "figures": torch.tensor(figures, dtype=torch.float64),
    }
    save_file(tensors, Path(__file__).with_name("evaluation.safetensors"))
    print(figures)


if __name__ == "__main__":
    main()
