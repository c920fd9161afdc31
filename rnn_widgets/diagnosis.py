"""Diagnosis: which mistake explains a gradient that somebody pastes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .core import diagnose as core
from .core import values
from .core.diagnose import Diagnosis
from .core.gradients import Gradients
from .core.ops import Array
from .interop import names as other_names
from .interop.rounding import sensitivity
from .network import Network
from .pitfalls import Bench


def diagnose(net: Any, gradients: Any, previous: Any = None) -> Diagnosis:
    """Find the mistake that explains a gradient that somebody has.

    The right gradient is tried first, then every mistake of `pitfalls` that makes sense for the
    network, and, if none of them fits, the right one times a factor, and every two together.
    Numbers are compared in the precision that they were printed in: in double precision first; then
    within 10⁻⁵ of the scale, which is what float32 makes of a gradient through time, or within half
    of the last digit of prints of four digits or more; then, of numbers that float16 or bfloat16
    could hold, within what these make of it. The scale is the largest sum Σ |C[t, k]| of a leaf,
    not each entry's size.
    Where a network amplifies rounding beyond that, as a saturated or chaotic one does, and nothing
    fits, a gradient is right that rounding could have made of the right one.

    Parameters
    ----------
    net : Network, Lab or Explorer
    gradients : dict or list
        Some of the network's gradients or all. By name: any that ``net.gradients()`` answers to,
        each laid out as the framework of that name does. As a list they are, in this order, those
        of ``net.program.parameters``. None stands for one that is not known.
    previous : array-like, shape (T', I), optional
        The sequence before, to try "state not reset" too.

    Returns
    -------
    Diagnosis
        ``.right``, False too where the numbers are too coarse to tell; ``.causes``, each with
        ``.names`` and ``.fit``; ``.ask``, the gradients that would tell apart what fits equally
        well.

    Raises
    ------
    KeyError
        For a name that does not exist, naming the nearest.
    ValueError, TypeError
        For a wrong shape, NaN or infinity, what is no number, or nothing at all.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.from_flux(Wi=[[0.5]], Wh=[[0.001]], b=[0.85], x=[[0.3], [2.5]],
    ...                    nonlinearity="identity", loss="sum")
    >>> rw.diagnose(net, {"Wi": [[2.8025]]}).ask
    ('weight_hh_l0',)
    >>> diagnosis = rw.diagnose(net, {"Wi": [[2.8025]], "Wh": [[1.001]]})
    >>> [cause.names for cause in diagnosis.causes]
    [('forward order',)]
    """
    bench = Bench(net, previous)
    net = bench.net
    aliases = other_names.aliases(net.program)

    def named(arrays: Mapping[str, Array]) -> Gradients:
        return Gradients(arrays, aliases, net.sources)

    right = net.gradients()
    given = _given(right, _by_name(net, gradients))
    frameworks = {a.framework for a in aliases for key in given if a.name == key}

    def called(leaf: str) -> str:
        also = [a.name for a in aliases if a.leaf == leaf and a.framework in frameworks]
        return f"{leaf} ({', '.join(also)})" if also else leaf

    def moved() -> Mapping[str, float]:
        arrays = {str(name): array for name, array in right.items()}
        return sensitivity(net.program, net.values, arrays).gradients

    return core.diagnose(bench.case, given, named, called, moved)


def _by_name(net: Network, gradients: Any) -> Mapping[object, Any]:
    if isinstance(gradients, Mapping):
        return gradients
    if not isinstance(gradients, list | tuple):
        raise TypeError(
            "gradients are given by name, as {'weight_hh_l0': …}, or in a list in the order of "
            f"the parameters, not as {type(gradients).__name__}"
        )
    parameters = list(net.program.parameters)
    order = ", ".join(parameters)
    if len(gradients) > len(parameters):
        raise ValueError(
            f"there are {len(gradients)} gradients in the list and {len(parameters)} parameters: "
            f"{order}; give what belongs to other leaves by name"
        )
    shapes = net.program.parameters
    for i, (name, gradient) in enumerate(zip(parameters, gradients, strict=False)):
        shape = () if gradient is None else values.array(f"gradient {i} ({name})", gradient).shape
        if gradient is not None and shape != shapes[name]:
            raise ValueError(
                f"gradient {i} of the list is that of {name} and must have shape {shapes[name]}, "
                f"not {shape}; the order is {order}. Give them by name if yours is another"
            )
    return dict(zip(parameters, gradients, strict=False))


def _given(right: Gradients, gradients: Mapping[object, Any]) -> dict[object, Array]:
    given: dict[object, Array] = {}
    for key, gradient in gradients.items():
        name = key if isinstance(key, str) else right.name_of(key)
        shape = right[name].shape  # refuses a name that does not exist
        if gradient is None:
            continue
        given[name] = values.array(f"the gradient of {name}", gradient)
        if given[name].shape != shape:
            raise ValueError(
                f"the gradient of {name} must have shape {shape}, not {given[name].shape}"
            )
    if not given:
        raise ValueError("give the gradient of one leaf at least, for example {'weight_hh_l0': …}")
    return given
