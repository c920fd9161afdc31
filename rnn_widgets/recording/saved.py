"""A recording as one .npz file, and read back, trusting nothing in it."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rnn_widgets.interop.capture.spec import GATES, NONLINEARITIES, LayerSpec, suffix

from .layer import Array, Arrays

FORMAT = "rnn_widgets.recording/1"
_META = "meta"
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, KeyError, TypeError, EOFError,
    NotImplementedError, OverflowError, AttributeError, IndexError, RecursionError, MemoryError,
    AssertionError,
)  # fmt: skip


def npz(path: str | PathLike[str]) -> Path:
    """A name for such a file.

    Raises
    ------
    ValueError
        If it ends otherwise.
    """
    found = Path(path)
    if found.suffix != ".npz":
        raise ValueError(f"a recording is saved as one .npz file, not as {str(found)!r}")
    return found


def write(path: Path, meta: Mapping[str, Any], arrays: Arrays, form: str = FORMAT) -> None:
    """Write a recording; the metadata is JSON, and nothing is pickled.

    It is written beside and moved into place when it is whole: a failure leaves what was there.
    """
    text = json.dumps({"format": form, **meta})
    held: dict[str, Any] = {_META: np.array(text), **arrays}
    there = path.resolve()  # through a link, so that it stays one
    beside = there.with_name(f".{there.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            np.savez(file, **held)  # numpy 2.0 takes allow_pickle=False for one more array
            file.flush()
            os.fsync(file.fileno())
        beside.replace(there)
    except OSError as error:
        if error.filename != str(beside):
            raise
        # Named as it was given, not as the one beside it.
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        beside.unlink(missing_ok=True)


def read(
    path: Path,
    check: Callable[[Mapping[str, Any], Arrays], None],
    form: str = FORMAT,
    what: str = "recording",
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read a recording, or what else is kept in this way: ``check`` refuses what does not fit.

    Raises
    ------
    ValueError
        If the file is none, or damaged.
    OSError
        If it cannot be read at all.
    """
    with path.open("rb") as file:
        try:
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no .npz file, or only a part of one")
            file.seek(0)
            with np.load(file, allow_pickle=False) as held:
                if _META not in held.files:
                    raise ValueError(f"it lacks {_META!r}, which every {what} has")
                arrays = {name: held[name] for name in held.files}
            meta = json.loads(str(arrays.pop(_META)))
            if meta.pop("format") != form:
                raise ValueError(f"its format is not {form!r}")
            check(meta, arrays)
        except _BROKEN as error:
            why = str(error) or type(error).__name__
            if "pickle" in why:  # numpy's advice would run what the file says
                why = "it holds other things than numbers"
            raise ValueError(f"{path} is not a {what}, or it is damaged: {why}") from error
    return meta, arrays


_TYPES: dict[str, Any] = {
    "layer": str, "module": str, "kind": str, "mode": str, "layer_mode": str, "device": str,
    "dtype": str, "loss": float, "calls": int, "cuts": list, "transformed": bool,
    "parameters": list, "spec": dict,
}  # fmt: skip


def check(meta: Mapping[str, Any], arrays: Arrays) -> None:
    """Refuse what does not make a recording.

    Raises
    ------
    ValueError, KeyError, TypeError
        Naming what is missing or does not fit.
    """
    for name, kind in _TYPES.items():
        if name not in meta:
            raise ValueError(f"it lacks {name!r}")
        if type(meta[name]) is not kind:
            raise ValueError(f"{name!r} is {meta[name]!r}")
    if type(meta.get("model_dtype", "")) is not str:
        raise ValueError(f"'model_dtype' is {meta['model_dtype']!r}")
    spec = LayerSpec(**meta["spec"])
    frozen, fed_back = meta.get("frozen", []), meta.get("fed_back", False)
    if type(frozen) is not list or not all(isinstance(one, str) for one in frozen):
        raise ValueError(f"'frozen' is {frozen!r}")
    if type(fed_back) is not bool:
        raise ValueError(f"'fed_back' is {fed_back!r}")
    for name, others in dict(meta.get("shared", {})).items():
        if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
            raise ValueError(f"'shared' has {others!r} for {name!r}")
    sizes = (spec.input_size, spec.hidden_size, spec.num_layers, spec.directions)
    if (
        spec.kind not in GATES
        or spec.nonlinearity not in NONLINEARITIES
        or any(type(n) is not int or n < 1 for n in sizes)
        or type(spec.proj_size) is not int
        or spec.proj_size < 0
        or spec.directions > 2
    ):
        raise ValueError("its layer is of no kind that there is")
    gates = meta.get("gates", {})
    if type(gates) is not dict or not set(gates.values()) <= set(spec.gates):
        raise ValueError(f"'gates' is {gates!r}")
    x = arrays.get("x")
    if x is None or x.ndim != 3 or not x.size:
        raise ValueError("it has no inputs")
    steps, samples, _ = x.shape
    dtype = np.dtype(meta["dtype"])
    for name, shape, needed in _expected(spec, steps, samples):
        if name not in arrays:
            if needed:
                raise ValueError(f"it lacks {name!r}")
            continue
        if arrays[name].shape != shape:
            raise ValueError(f"{name!r} has shape {arrays[name].shape}, not {shape}")
        kind = {"lengths": "i", "live": "b"}.get(name)
        if arrays[name].dtype.kind != kind if kind else arrays[name].dtype != dtype:
            raise ValueError(f"{name!r} is of type {arrays[name].dtype}")
    lengths = arrays.get("lengths")
    if lengths is not None and not ((lengths > 0) & (lengths <= steps)).all():
        raise ValueError("its lengths are not those of its sequences")
    if not all(type(t) is int and 0 < t < steps for t in meta["cuts"]):
        raise ValueError("its cuts are no steps")
    for parameter in meta["parameters"]:
        for source in parameter["sources"]:
            if f"weights.{source}" not in arrays or f"gradients.{source}" not in arrays:
                raise ValueError(f"it lacks {source!r}")


def _expected(
    spec: LayerSpec, steps: int, samples: int
) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Each array's name, shape, and whether it has to be there."""
    rows, hidden, units = spec.num_layers * spec.directions, spec.hidden_size, spec.output_size
    gates, lstm = len(spec.gates), spec.kind == "LSTM"
    yield "x", (steps, samples, spec.input_size), True
    yield "lengths", (samples,), False
    yield "live", (steps, samples), False
    yield "initial.h0", (rows, samples, units), True
    yield "initial.c0", (rows, samples, hidden), lstm
    of_h, of_c = (steps, samples, units), (steps, samples, hidden)
    of_gates = (steps, samples, gates, hidden)
    after = spec.kind == "GRU" and spec.reset_after
    for layer in range(spec.num_layers):
        yield f"mask_l{layer}", (steps, samples, spec.directions * units), False
        for reverse in range(spec.directions):
            end = suffix(layer, reverse)
            for name in ("h", "h_before", "direct", "carried"):
                yield name + end, of_h, True
            for name in ("gates", "adjoints"):
                yield name + end, of_gates, True
            for name in ("c", "c_before", "cell_kept"):
                yield name + end, of_c, lstm
            yield "recurrent" + end, of_c, after
            yield "outside_h" + end, of_h, False
            yield "outside_c" + end, of_c, False
    for name, shape in spec.weights().items():
        needed = not name.startswith("bias")
        yield f"weights.{name}", shape, needed
        yield f"gradients.{name}", shape, needed
