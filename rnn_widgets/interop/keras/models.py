"""The layers inside a model, of Keras or torch or one inside the other.

A model of Keras does not list its layers among its torch modules, and keeps numbers in variables
that are not parameters of theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from rnn_widgets.interop.capture.torch_layers import CELLS, LAYERS

from .layers import inside, is_keras, is_recurrent, keras, layers_of


def everything(model: nn.Module) -> list[nn.Module]:
    """Every module and layer in a model, itself included."""
    found: dict[int, nn.Module] = {}
    waiting = [model]
    while waiting:
        module = waiting.pop()
        if id(module) in found:
            continue
        found[id(module)] = module
        waiting += module.children()
        if is_keras(module):
            waiting += layers_of(module)
    return list(found.values())


def variables(model: nn.Module) -> list[Tensor]:
    """What layers of Keras hold: weights, states, metrics and the states of random numbers."""
    layers: list[Any] = [module for module in everything(model) if is_keras(module)]
    if not layers:
        return []
    held = [variable for layer in layers for variable in (*layer.variables, *_untracked(layer))]
    kept = sys.modules.get("keras.src.backend.common.global_state")
    if kept is not None:
        generator = kept.get_global_attribute("global_seed_generator")
        held += [generator.state] if generator is not None else []
    return [variable.value for variable in held]


def _untracked(layer: Any) -> list[Any]:
    """Variables that Keras does not count among a layer's: the states of a stateful one."""
    values = [
        part
        for value in layer.__dict__.values()
        for part in (value if isinstance(value, list | tuple) else (value,))
    ]
    return [value for value in values if isinstance(value, keras().Variable)]


def recurrent_inside(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every recurrent layer in a model, of torch or Keras, with its path of names.

    Keras's layers are joined by "/" and torch's modules by "."; a layer that goes by several names
    is given by the first.
    """
    seen: set[int] = set()
    for name, layer in _inside(model, ""):
        if id(layer) not in seen:
            seen.add(id(layer))
            yield name, layer
        if is_keras(layer):  # the two layers of a Bidirectional are not for themselves
            seen |= {id(part) for part in everything(layer)}


def _inside(model: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    if is_keras(model):
        yield from _inside_keras(model, name)
        return
    for path, module in model.named_modules(prefix=name):
        if isinstance(module, LAYERS + CELLS):
            yield path, module
        elif is_keras(module):
            yield from _inside_keras(module, path)


def _inside_keras(model: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    if is_recurrent(model):
        yield name, model
        return
    for path, layer in inside(model, f"{name}/" if name else ""):
        if isinstance(layer, keras().layers.TorchModuleWrapper):
            yield from _inside(layer.module, path)
        else:
            yield path, layer
