"""What each step's use of a parameter adds to its gradient."""

from __future__ import annotations

import numpy as np

from rnn_widgets.interop.capture.spec import LayerSpec

from .layer import Array, Arrays


@np.errstate(all="ignore")
def by_source(spec: LayerSpec, arrays: Arrays, weight: str) -> Array:
    """Σ_n ∂L/∂(the copy of a weight that step k uses), (T, *shape).

    Parameters
    ----------
    spec : LayerSpec
    arrays : dict
        Of a recording.
    weight : str
        PyTorch's name, such as ``weight_hh_l0_reverse``.
    """
    role, end = weight.split("_l", 1)
    end = "_l" + end
    adjoints = arrays["adjoints" + end]
    steps, samples, gates, hidden = adjoints.shape
    if role in ("weight_hh", "bias_hh") and "recurrent" + end in arrays:
        # The candidate's share of W_hh h + b_hh passed the reset gate.
        adjoints = adjoints.copy()
        adjoints[:, :, 2] *= arrays["gates" + end][:, :, 0]
    flat = adjoints.reshape(steps, samples, gates * hidden)
    if role.startswith("bias"):
        return np.asarray(flat.sum(1))
    if role == "weight_ih":
        return _outer(flat, below(spec, arrays, end))
    before = arrays["h_before" + end]
    if role == "weight_hr":
        total = arrays["direct" + end] + arrays["carried" + end]
        if "live" in arrays:
            total = total * arrays["live"][..., None]
        return _outer(total, arrays["gates" + end][:, :, 3] * np.tanh(arrays["c" + end]))
    if spec.kind == "GRU" and not spec.reset_after:
        first, second = np.split(flat, [2 * hidden], axis=2)
        reset = arrays["gates" + end][:, :, 0] * before
        return np.concatenate([_outer(first, before), _outer(second, reset)], 1)
    return _outer(flat, before)


def below(spec: LayerSpec, arrays: Arrays, end: str) -> Array:
    """What a layer of the stack read, (T, N, I)."""
    layer = int(end.removeprefix("_l").removesuffix("_reverse"))
    if layer == 0:
        return arrays["x"]
    ends = (f"_l{layer - 1}", f"_l{layer - 1}_reverse")[: spec.directions]
    read = np.concatenate([arrays["h" + one] for one in ends], -1)
    mask = arrays.get(f"mask_l{layer - 1}")
    return read if mask is None else read * mask


def _outer(adjoints: Array, factors: Array) -> Array:
    made: Array = adjoints.swapaxes(1, 2) @ factors
    return made
