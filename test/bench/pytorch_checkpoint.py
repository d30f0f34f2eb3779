"""Writes nets of PyTorch as a checkpoint of Ganglion's, for its commands to read: the layout is that of docs/run-folder.md."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn


def write_checkpoint(template: Path, nets: tuple[nn.Module, nn.Module], step: int) -> Path:
    """
    Writes generator and discriminator after `step` steps beside `template`, a checkpoint of the same model, from which config and
    Adam's moments are taken.
    """
    with safe_open(template, framework="pt") as file:
        metadata = {name: value for name, value in file.metadata().items() if name in ("format", "config", "configSha256")}
        tensors = {name: file.get_tensor(name) for name in file.keys() if not name.startswith("generator_ema.")}
    for prefix, net in zip(("generator", "discriminator"), nets, strict=True):
        for name, value in net.state_dict().items():
            tensors[f"{prefix}.{name}"] = value.detach().contiguous().clone()
    tensors["counters.step"] = torch.tensor(step)
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].contiguous().numpy().tobytes())
    path = template.parent / f"step-{step:08}.safetensors"
    save_file(tensors, path, {**metadata, "stateSha256": digest.hexdigest()})
    return path
