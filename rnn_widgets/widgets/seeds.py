"""The seed explorer: a Jacobian as rows, a slider for each row's weight, and their sum."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets

from rnn_widgets.core.frozen import frozen
from rnn_widgets.core.names import unknown
from rnn_widgets.core.ops import Array
from rnn_widgets.core.values import array
from rnn_widgets.network import Network
from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.jacobian import jacobian

from .bundle import bundle
from .sync import Strict, close_earlier_runs


class SeedExplorer(Strict, Still, anywidget.AnyWidget):
    """What backward's argument means: weights for the rows of a Jacobian, to be moved by hand.

    The gradient that ``z.backward(v)`` leaves is Σ_i v_i ∂z_i/∂x = vᵀJ. The seed v moves in the
    browser, without a kernel too; when x moves, the kernel computes z and J anew.

    Parameters
    ----------
    f : callable or Network
        A torch function of one or several tensors to a tensor z, of which every entry is a row; it
        is called with float64 tensors on the CPU. Of a network z is its outputs y (T, O).
    x : array-like, or tuple or list of arrays
        Where to differentiate: one array, or one for each argument. float32 is promoted to
        float64, lists of numbers are taken as float64. Of a network: not given.
    names : list of str, optional
        Names for the arguments; by default the function's own.
    seed : array-like, optional
        v, (m,), to begin with; ones by default, or what ``loss`` makes of z.
    loss : str or callable, optional
        Take ∂loss/∂z for v: "sum", "mean", "sse", "mse", of a network also "network", its own (the
        default there), or a function of z to a single number.
    target : array-like, optional
        What "sse" and "mse" compare z with; zeros by default.
    wrt : list of str, optional
        Of a network: the leaves to differentiate by; x, the initial states and all parameters by
        default.

    Raises
    ------
    ValueError, TypeError, KeyError
        For more than 16 outputs or 64 inputs in total; for inputs, a seed or a target that are not
        real, finite numbers of the right shape; for a function that raises, draws random numbers,
        changes its inputs in place, returns no tensor, or cannot be differentiated.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> explorer = rw.SeedExplorer(lambda x: 2 * x, [1, 2, 3, 4], seed=[0, 1, 0, 0])
    >>> explorer.gradient["x"]
    array([0., 2., 0., 0.])
    >>> explorer.loss = "sum"
    >>> explorer.gradient["x"], explorer
    (array([2., 2., 2., 2.]), SeedExplorer(f(x): 4 inputs → 4 outputs, seed=[1, 1, 1, 1]))
    """

    _esm = bundle("seeds.js")
    _css = bundle("seeds.css")

    _about = traitlets.Dict().tag(sync=True)
    """What does not move: title, whether z are a network's outputs, arguments, names of outputs."""

    _point = traitlets.Dict().tag(sync=True)
    """x, z, J, ∂loss/∂z and backward's behaviour at one place, and whose request that answers."""

    _seed = traitlets.List(traitlets.Float()).tag(sync=True)
    """v, (m,). Written by Python and browser."""

    _loss = traitlets.Unicode().tag(sync=True)
    """The loss whose derivative v is, "" for none. Written by Python and browser."""

    _id = traitlets.Unicode().tag(sync=True)
    """The widget's own id, by which the browser finds its model. Written once by Python."""

    def __init__(
        self,
        f: Callable[..., Any] | Network,
        x: Any = None,
        names: Sequence[str] | None = None,
        seed: Any = None,
        loss: str | Callable[..., Any] | None = None,
        *,
        target: Any = None,
        wrt: Sequence[str] | None = None,
    ) -> None:
        # Comm messages may arrive in another thread of the kernel than the one running a cell.
        self._lock = threading.RLock()
        flat = None if target is None else array("target", target).reshape(-1)
        if isinstance(f, Network):
            self._open_network(f, x, names, loss, flat, wrt)
        else:
            self._open_function(f, x, names, loss, flat, wrt)
        held = loss if isinstance(loss, str) else "own" if loss is not None else ""
        if not held and seed is None and isinstance(f, Network):
            held = "network"
        if held and seed is not None:
            raise TypeError("seed and loss both choose the seed: give one of them")
        point = self._found
        labels = self._explored.labels(point)
        chosen = np.ones(len(labels)) if seed is None else self._checked_seed(seed)
        if held:
            chosen = self._derivative(held)
        super().__init__(
            _about={
                "title": self._title,
                "network": isinstance(f, Network),
                "arguments": [
                    {"name": name, "shape": list(values.shape)} for name, values in point.x.items()
                ],
                "outputs": labels,
            },
            _point=self._to_json(""),
            _seed=chosen.tolist(),
            _loss=held,
        )
        self._id = self.model_id
        self.on_msg(self._on_message)
        close_earlier_runs(self)

    def _open_function(
        self, f: Any, x: Any, names: Any, loss: Any, target: Array | None, wrt: Any
    ) -> None:
        from rnn_widgets.interop import seeds

        if not callable(f):
            raise TypeError(f"f must be a torch function or a network, not {type(f).__name__}")
        if wrt is not None:
            raise TypeError("wrt= chooses leaves of a network; a function has all its arguments")
        if x is None:
            raise TypeError("give x, where f is to be differentiated: an array, or several")
        given = seeds.arguments(x, names)
        self._names = seeds.checked_names(names, len(given)) or seeds.argument_names(f, len(given))
        self._title = f"f({', '.join(self._names)})"
        losses = _losses(loss)
        self._explored = seeds.of_function(f, self._names, losses, target)
        self._open(dict(zip(self._names, given, strict=True)), losses, loss)

    def _open_network(
        self, net: Network, x: Any, names: Any, loss: Any, target: Array | None, wrt: Any
    ) -> None:
        from rnn_widgets.interop import seeds

        if x is not None or names is not None:
            raise TypeError(
                "a network has its inputs and their names: change them with net.replace(x=…), "
                "choose among its leaves with wrt=[…]"
            )
        if isinstance(wrt, str):
            wrt = [wrt]
        self._names = seeds.network_leaves(net.program, None if wrt is None else list(wrt))
        if not self._names or len(set(self._names)) < len(self._names):
            raise ValueError(f"wrt must name at least one leaf, each once, not {wrt!r}")
        self._title = f"y({', '.join(self._names)})"
        losses = _losses(loss)
        self._explored = seeds.of_network(net.program, dict(net.values), losses, target)
        self._open(
            {name: net.values[name] for name in self._names},
            [*losses, "network"],
            loss,
            "; choose among the network's leaves with wrt=['h0', …]",
        )

    def _open(self, given: dict[str, Any], losses: Any, loss: Any, hint: str = "") -> None:
        from rnn_widgets.interop.rows import refuse_many

        if isinstance(loss, str) and loss not in losses:
            raise unknown("loss", loss, losses)
        values = {name: _numbers(name, value) for name, value in given.items()}
        count = sum(numbers.size for numbers in values.values())
        refuse_many(inputs=count, hint=hint)
        self._found = self._explored.at(values)

    # What it holds, all read-only copies

    @property
    def seed(self) -> Array:
        """v, (m,): a weight for each row. Assign to change it; refused values change nothing."""
        return frozen(np.array(self._seed))

    @seed.setter
    def seed(self, value: Any) -> None:
        with self._lock:
            self._put(self._checked_seed(value), "")

    @property
    def loss(self) -> str | None:
        """The loss whose derivative v is, None where v is free. Assign a name to take it for v."""
        return self._loss or None

    @loss.setter
    def loss(self, name: str | None) -> None:
        with self._lock:
            self._put(self.seed if name is None else self._derivative(name), name or "")

    @property
    def x(self) -> dict[str, Array]:
        """Argument name to array. Assign the same, some of it, or what the constructor takes."""
        return dict(self._found.x)

    @x.setter
    def x(self, value: Any) -> None:
        self._move(value, "")

    @property
    def output(self) -> Array:
        """The vector z, in the shape that f gave it."""
        return self._found.output

    @property
    def jacobian(self) -> dict[str, Array]:
        """Argument name to ∂z/∂argument, (m, *shape)."""
        return dict(self._found.jacobian)

    @property
    def gradient(self) -> dict[str, Array]:
        """Argument name to Σ_i v_i ∂z_i/∂argument, of the argument's shape."""
        with self._lock, np.errstate(all="ignore"):
            v = np.array(self._seed)
            return {n: frozen(np.tensordot(v, j, 1)) for n, j in self._found.jacobian.items()}

    def __repr__(self) -> str:
        inputs = sum(values.size for values in self._found.x.values())
        outputs = self._found.output.size
        seed = ", ".join(f"{v:.4g}" for v in self._seed)
        return (
            f"SeedExplorer({self._title}: {_counted(inputs, 'input')} → "
            f"{_counted(outputs, 'output')}, seed=[{seed}])"
        )

    def _still(self, width: float = 860) -> Picture:
        rows = {name: j.reshape(len(j), -1) for name, j in self._found.jacobian.items()}
        title = f"The Jacobian of {self._title}"
        return jacobian(self._about["outputs"], np.array(self._seed), rows, title, width)

    # Changing it

    def _put(self, seed: Array, loss: str) -> None:
        with self.hold_sync():
            self._seed, self._loss = seed.tolist(), loss

    def _checked_seed(self, value: Any) -> Array:
        seed = array("seed", value)
        count = self._found.output.size
        if seed.shape not in ((count,), self._found.output.shape):
            raise ValueError(
                f"seed must have one weight for each of the {_counted(count, 'output')}, shape "
                f"({count},), not {seed.shape}"
            )
        return seed.reshape(-1)

    def _derivative(self, name: Any) -> Array:
        losses = self._found.losses
        if name not in losses:
            raise unknown("loss", name, losses)
        seed = losses[name]
        if seed is None:
            raise ValueError(f"∂{name}/∂z is not finite here")
        return seed

    def _move(self, value: Any, request: str) -> None:
        with self._lock:
            names, known = self._names, self._found.x
            if isinstance(value, Mapping):
                for name in value:
                    if name not in known:
                        raise unknown("argument", name, names)
                given = dict(value)
            else:
                from rnn_widgets.interop.seeds import arguments

                parts = arguments(value, names)
                if len(parts) != len(names):
                    raise ValueError(
                        f"x must have an array for each of {', '.join(names)}, not {len(parts)}"
                    )
                given = dict(zip(names, parts, strict=True))
            values = {**known, **{name: _numbers(name, part) for name, part in given.items()}}
            for name, part in values.items():
                if part.shape != known[name].shape:
                    raise ValueError(
                        f"{name} must have shape {known[name].shape}, not {part.shape}: "
                        "another shape needs another SeedExplorer"
                    )
            found = self._explored.at(values)
            if found.output.shape != self._found.output.shape:
                raise ValueError(
                    f"z has shape {found.output.shape} there, not {self._found.output.shape}: "
                    "its rows would be others"
                )
            if self._loss and found.losses[self._loss] is None:
                raise ValueError(f"∂{self._loss}/∂z, the seed, is not finite there")
            self._found = found
            with self.hold_sync():
                self._point = self._to_json(request)
                if self._loss:
                    self._seed = self._derivative(self._loss).tolist()

    def _to_json(self, request: str) -> dict[str, Any]:
        point = self._found
        m = point.output.size
        return {
            "request": request,
            "x": [values.reshape(-1).tolist() for values in point.x.values()],
            "z": point.output.reshape(-1).tolist(),
            "jacobian": [rows.reshape(m, -1).tolist() for rows in point.jacobian.values()],
            "unused": list(point.unused),
            "losses": {n: None if v is None else v.tolist() for n, v in point.losses.items()},
            "bare": point.backward.bare,
            "again": point.backward.again,
            "reached": list(point.backward.reached),
        }

    @traitlets.validate("_seed")
    def _validate_seed(self, proposal: Any) -> list[float]:
        try:
            seed: list[float] = self._checked_seed(proposal["value"]).tolist()
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from error
        return seed

    @traitlets.validate("_loss")
    def _validate_loss(self, proposal: Any) -> str:
        name = proposal["value"]
        try:
            if name:
                self._derivative(name)
        except (KeyError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from error
        return str(name)

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict) or content.get("kind") != "move":
            return
        request = str(content.get("request"))
        try:
            shapes = (values.shape for values in self._found.x.values())
            parts = [
                np.reshape(np.array(part, dtype=float), shape)
                for part, shape in zip(content["x"], shapes, strict=True)
            ]
            self._move(dict(zip(self._names, parts, strict=True)), request)
        except (KeyError, TypeError, ValueError) as error:
            self.send({"kind": "refused", "request": request, "error": str(error)})


def _numbers(name: str, value: Any) -> Array:
    from rnn_widgets.interop.seeds import refuse_whole_numbers

    refuse_whole_numbers(name, value)
    numbers = frozen(array(name, value))
    if not numbers.size:
        raise ValueError(f"{name} is empty: there is nothing to differentiate by")
    return numbers


def _losses(loss: Any) -> dict[str, Any]:
    from rnn_widgets.interop.seeds import LOSSES

    if loss is None or isinstance(loss, str):
        return dict(LOSSES)
    if not callable(loss):
        raise TypeError(f"loss must be a name or a function of z, not {loss!r}")
    return {**LOSSES, "own": loss}


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
