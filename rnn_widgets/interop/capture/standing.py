"""What stands in for a layer of a framework during one pass of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rnn_widgets.interop.keras.layers import is_keras

from .calls import Calls
from .spec import LayerSpec, Parameter

UNTRACKED = (
    "the layer is run without gradients, under torch.no_grad() or in a torch.utils.checkpoint "
    "with use_reentrant=True (with False it can be recorded)"
)


class Standing(Protocol):
    """A layer's stand-in; keeps the calls.

    ``attribute`` is the method that ``forward`` takes the place of, ``dummy`` a scalar on the
    layer's device by which each call is in autograd's graph, ``names`` the layer's own
    names for its weights and ``gates`` those of its gates, to PyTorch's, ``kind`` what it is
    called; ``refusal`` says why a call could not be recorded, if so.
    """

    attribute: str
    dummy: Tensor
    spec: LayerSpec
    names: tuple[Parameter, ...]
    gates: Mapping[str, str]
    kind: str
    calls: Calls
    refusal: str

    @property
    def mode(self) -> str:
        """The mode that the layer was in: "train" or "eval"."""

    @property
    def frozen(self) -> list[str]:
        """Names of parameters that are not trained."""

    def close(self) -> None:
        """Free autograd's graph of the calls, when nothing more will be asked of it."""

    @property
    def forward(self) -> Callable[..., Any]:
        """Called as the layer is."""

    def again(self, *args: Any, **options: Any) -> Any:
        """Called for a pass that was there before, of which nothing is kept."""


def stand_in(module: nn.Module) -> Standing:
    """The stand-in of a recurrent layer of torch or Keras.

    Parameters
    ----------
    module : nn.Module
        As `find` gives it.

    Raises
    ------
    ValueError, TypeError
        For a layer whose equations cannot be told.
    """
    from rnn_widgets.interop.keras.stand_in import KerasStandIn

    from .torch_layers import StandIn

    device = next(module.parameters()).device
    dummy = torch.zeros((), device=device, requires_grad=True)
    return KerasStandIn(module, dummy) if is_keras(module) else StandIn(module, dummy)
