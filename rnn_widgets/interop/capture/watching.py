"""Following a layer through a training loop: some of its passes are run by its stand-in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from inspect import signature
from itertools import pairwise
from time import perf_counter
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from rnn_widgets.interop.keras.layers import is_keras
from rnn_widgets.interop.keras.models import everything

from .collect import apart, collected
from .place import InPlace
from .standing import UNTRACKED, Standing, stand_in
from .torch_layers import find

Received = Callable[[int, dict[str, Any], dict[str, NDArray[Any]]], None]
WHOLE = (
    "rnn_widgets.watch follows the layer in Python: compile the model without fullgraph=True, or "
    "watch it before it is compiled"
)


class _Hook:
    """A hook on the model that is watched; in a copy of the model, or a saved one, it is idle."""

    def __init__(self, act: Callable[..., None]) -> None:
        self._act = act

    def __call__(self, *given: Any) -> None:
        self._act(*given)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Hook, (_idle,)


def _idle(*_: Any) -> None:
    """Do nothing."""


class Watcher:
    """Records every so many forward and backward passes of a model that is being trained.

    Parameters
    ----------
    model : nn.Module
    layer : str, nn.Module, int or None
        As for `find`.
    every : int
        How many passes apart the recorded ones are; the first is recorded.
    counted : callable
        Called before each pass.
    received : callable
        Called with the number of a pass and what it recorded, once the next pass begins.

    Attributes
    ----------
    name : str
        The layer's name in the model.
    spec : LayerSpec
        What the layer is.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: Any,
        every: int,
        counted: Callable[[], None],
        received: Received,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
        inner = getattr(model, "_orig_mod", model)  # what torch.compile was given
        self.name, self._module = find(inner, layer)
        _refuse_spread(model)
        with closing(stand_in(self._module)) as there:
            self.spec = there.spec
        self._model, self._every = model, every
        self._counted, self._received = counted, received
        self._attribute = "call" if is_keras(self._module) else "forward"
        self._recorded: tuple[int, Standing] | None = None
        self._in_place = InPlace(self._module, self._attribute, _uncompiled(self._forward))
        self._stand_in: Standing | None = None
        self._next = 0
        self._idle = False  # whether there was a call that was not for training
        self._untracked = False  # whether the layer was run without gradients in one that was
        self._hooks: list[Any] = []
        self._before_this = 0.0

    @property
    def seconds(self) -> float:
        """How long the recorded passes of the layer have taken so far."""
        calls = self._recorded[1].calls if self._recorded else []
        return sum((call.seconds for call in calls), self._before_this)

    @property
    def recording(self) -> int | None:
        """The number of the pass that is recorded at present, if one is."""
        return None if self._recorded is None else self._recorded[0]

    @property
    def nothing(self) -> str:
        """Why nothing may have been recorded."""
        if self._untracked:
            return f"no backward pass has come to {self._whose}: {UNTRACKED}"
        if self._next:
            return f"no backward pass has come to {self._whose}"
        if self._idle:
            return (
                "the model was called in eval mode or without gradients only: call model.train() "
                "before the loop"
            )
        return "the model itself was not called, by which a pass is known"

    def start(self) -> None:
        """Watch from now on.

        Raises
        ------
        ValueError
            If the layer is being watched already.
        """
        if isinstance(self._module.__dict__.get(self._attribute), InPlace):
            raise ValueError(f"{self._whose} is being watched already")
        # A callable in the instance's own dict is found before the class's method.
        self._module.__dict__[self._attribute] = self._in_place
        begins, ends = (_Hook(_uncompiled(act)) for act in (self._begins, self._ends))
        self._hooks = [
            self._model.register_forward_pre_hook(begins, with_kwargs=True),
            self._model.register_forward_hook(ends, always_call=True),
        ]

    def stop(self, hand_over: bool) -> None:
        """Leave the model as it was, and hand over the last recorded pass if asked to."""
        for hook in self._hooks:
            hook.remove()
        self._module.__dict__.pop(self._attribute, None)
        self._hand_over(hand_over)

    def _begins(self, _: nn.Module, __: Any, options: dict[str, Any]) -> None:
        if not (self._trains(options) and torch.is_grad_enabled()):
            self._idle = True
            return
        if self._module.__dict__[self._attribute] is not self._in_place:  # `record` is at work
            return
        now = self._next % self._every == 0
        if now or self._touched:  # else its backward pass may come after those of others
            self._hand_over()
        self._counted()
        if now:
            self._stand_in = stand_in(self._module)
            self._recorded = self._next, self._stand_in
        self._next += 1

    def _ends(self, *_: Any) -> None:
        self._stand_in = None

    def _forward(self, *args: Any, **options: Any) -> Any:
        if self._stand_in is not None:
            return self._stand_in.forward(*args, **options)
        if self._recorded is not None and _backward_runs():  # a checkpoint's own second run
            return self._recorded[1].again(*args, **options)
        return getattr(type(self._module), self._attribute)(self._module, *args, **options)

    def _trains(self, options: dict[str, Any]) -> bool:
        """Whether a call is one for training; a model of Keras may also be told with the call."""
        told = is_keras(self._model) and bool(options.get("training"))
        return told or self._model.training

    @property
    def _touched(self) -> bool:
        """Whether a backward pass has come to the recorded pass."""
        return self._recorded is not None and any(c.touched for c in self._recorded[1].calls)

    def _hand_over(self, wanted: bool = True) -> None:
        """Pass on what was recorded, if it is wanted and a backward pass has come to it."""
        if self._recorded is None:
            return
        touched = self._touched
        (number, stand_in), self._recorded = self._recorded, None
        self._before_this += sum(call.seconds for call in stand_in.calls)
        with closing(stand_in):
            if not wanted:
                return
            if stand_in.refusal:
                raise ValueError(stand_in.refusal)
            if touched:
                self._pass_on(number, stand_in)
            elif stand_in.calls and not any(call.tracked for call in stand_in.calls):
                self._untracked = True

    @property
    def _whose(self) -> str:
        return f"the layer {self.name!r}" if self.name else "the layer"

    def _pass_on(self, number: int, stand_in: Standing) -> None:
        if why := apart(stand_in.calls):
            raise ValueError(
                f"{self._whose} is called {len(stand_in.calls)} times in a pass and {why}, which "
                "watch cannot show; use record with call= for single passes instead"
            )
        for call, following in pairwise(stand_in.calls):
            for left, taken in zip(call.returned, following.given, strict=True):
                if taken is not left and taken is not None and taken.requires_grad:
                    raise ValueError(
                        f"{self._whose} is called several times and its state is "
                        "changed in between: the way back through that is gone after "
                        "loss.backward(); use record for single passes instead"
                    )
        begun = perf_counter()
        meta, arrays = collected(stand_in, stand_in.calls)
        self._before_this += perf_counter() - begun
        self._received(number, meta | {"layer": self.name}, arrays)


def _refuse_spread(model: nn.Module) -> None:
    """Refuse a model that copies itself to several devices: the copies share one stand-in."""
    for module in everything(model):
        if isinstance(module, nn.DataParallel) and len(module.device_ids) > 1:
            raise ValueError(
                f"nn.DataParallel copies the model to {len(module.device_ids)} devices at every "
                "pass, and copies cannot be watched: call the model that it holds, .module, in "
                "the loop, or use DistributedDataParallel"
            )


def _uncompiled(act: Callable[..., Any]) -> Callable[..., Any]:
    """As it is written, where torch.compile has compiled what calls it."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing it takes seconds
        return act
    why = {"reason": WHOLE} if "reason" in signature(torch.compiler.disable).parameters else {}
    disabled: Callable[..., Any] = torch.compiler.disable(  # type: ignore[no-untyped-call]
        act, **why
    )
    return disabled


def _backward_runs() -> bool:
    # As torch.utils.checkpoint asks it; there is no public way.
    return bool(torch._C._current_graph_task_id() != -1)
