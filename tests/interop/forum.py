"""The affine sum that the Julia forum asked about."""

import torch
from torch import Tensor

X = torch.tensor([3.0, 1, 0, 1, 2])


def thread_b() -> tuple[Tensor, Tensor]:
    """W (3×5) random and b zeros of the Julia forum's question."""
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(0)), torch.zeros(3)


def y(W: Tensor, b: Tensor) -> Tensor:
    return (W @ X + b).sum()
