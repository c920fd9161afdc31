"""Standing in for a torch layer's forward: each call runs our own pass inside autograd's graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from .spec import LayerSpec
from .stack import Reach, Rows, Sweep, Tape, gradients, handed_down, run_stack, sweep_stack


@dataclass(frozen=True)
class Arrived:
    """What a backward pass brought to a call: adjoints are linear in it, so several add up."""

    reach: Reach
    swept: Sweep
    gradients: dict[str, Tensor]

    def __add__(self, other: Arrived) -> Arrived:
        """What both brought, one after the other, as ``.grad`` has it."""
        rows = zip(self.swept, other.swept, strict=True)
        return Arrived(
            Reach(_sums(self.reach.h, other.reach.h), _sums(self.reach.c, other.reach.c)),
            tuple(tuple(map(add, one, two)) for one, two in rows),
            {name: made + other.gradients[name] for name, made in self.gradients.items()},
        )

    def initial(self, state: str) -> Tensor:
        """The adjoint of an initial state, (L·D, N, ·)."""
        return torch.stack([getattr(made, state)[0] for here in self.swept for made in here])


def _sums(one: Rows, two: Rows) -> Rows:
    return tuple(
        tuple(b if a is None else a if b is None else a + b for a, b in zip(*here, strict=True))
        for here in zip(one, two, strict=True)
    )


@dataclass
class Call:
    """One call of the layer.

    ``weights`` are copies of the layer's; ``given`` the state tensors that the call was given
    (None: zeros) and ``returned`` those that it returned, as objects of autograd's graph;
    ``lengths`` (N,) those of a packed batch. ``latest`` came with the last backward pass,
    ``arrived`` with all that reached ``.grad`` and ``aside`` with others; `settle` tells which of
    them count. ``seconds`` is how long it all took; ``tracked`` is False where autograd was off.
    """

    spec: LayerSpec
    weights: dict[str, Tensor]
    lengths: Tensor | None = None
    live: Tensor | None = None
    dropout: float = 0.0
    tape: Tape | None = None
    given: tuple[Tensor | None, ...] = ()
    returned: tuple[Tensor, ...] = ()
    latest: Arrived | None = None
    arrived: Arrived | None = None
    aside: Arrived | None = None
    seconds: float = 0.0
    tracked: bool = True

    @property
    def steps(self) -> int:
        """T."""
        assert self.tape is not None
        return self.tape.directions[0][0].steps

    @property
    def samples(self) -> int:
        """N."""
        assert self.tape is not None
        return self.tape.directions[0][0].x.shape[1]

    def forward(self, x: Tensor, h0: Tensor | None, c0: Tensor | None) -> tuple[Tensor, ...]:
        """Run the call: outputs (T, N, D·P) and final states."""
        begun = perf_counter()
        self.tape, y, h, c = run_stack(self.spec, self.weights, x, h0, c0, self.live, self.dropout)
        self.seconds += perf_counter() - begun
        return (y, h) if c is None else (y, h, c)

    def sweep(self, y: Tensor | None, h: Tensor | None, c: Tensor | None) -> Arrived:
        """Run the reverse sweep from the adjoints of outputs and final states."""
        assert self.tape is not None
        begun = perf_counter()
        reach = self._reach(self.tape, y, h, c)
        swept = sweep_stack(self.tape, reach)
        found = Arrived(reach, swept, gradients(self.tape, swept))
        self.seconds += perf_counter() - begun
        return found

    def receive(self, found: Arrived) -> None:
        """Take what a backward pass has brought, of which the next one tells more."""
        self.aside, self.latest = _both(self.aside, self.latest), found

    def reached(self) -> None:
        """The last backward pass went on to ``.grad``."""
        self.arrived, self.latest = _both(self.arrived, self.latest), None

    @property
    def touched(self) -> bool:
        """Whether any backward pass came here."""
        return any(found is not None for found in (self.latest, self.arrived, self.aside))

    def forget(self) -> None:
        """Drop what has come so far."""
        self.latest = self.arrived = self.aside = None

    def let_go(self) -> None:
        """Drop the tensors of autograd's graph, whose node for this call holds the call in turn.

        Python's garbage collector does not see through the graph: the circle would stay for ever.
        """
        self.given = self.returned = ()

    def _reach(self, tape: Tape, y: Tensor | None, h: Tensor | None, c: Tensor | None) -> Reach:
        size, layers = self.spec.output_size, self.spec.num_layers
        of_h: list[tuple[Tensor | None, ...]] = []
        of_c: list[tuple[Tensor | None, ...]] = []
        for layer, here in enumerate(tape.directions):
            row_h: list[Tensor | None] = []
            row_c: list[Tensor | None] = []
            for at, d in enumerate(here):
                row = layer * len(here) + at
                to_h = torch.zeros_like(d.h) if layer == layers - 1 else None
                if y is not None and to_h is not None:
                    to_h.copy_(y[..., at * size : (at + 1) * size])
                if h is not None:
                    to_h = torch.zeros_like(d.h) if to_h is None else to_h
                    self._at_the_end(to_h, h[row], d.reverse)
                to_c = None
                if c is not None and d.c is not None:
                    to_c = torch.zeros_like(d.c)
                    self._at_the_end(to_c, c[row], d.reverse)
                row_h.append(None if to_h is None else to_h.unsqueeze(1))
                row_c.append(None if to_c is None else to_c.unsqueeze(1))
            of_h.append(tuple(row_h))
            of_c.append(tuple(row_c))
        return Reach(tuple(of_h), tuple(of_c))

    def _at_the_end(self, over_time: Tensor, final: Tensor, reverse: bool) -> None:
        """Add the adjoint of final states at the step after which each sample had them."""
        if self.live is None:
            over_time[0 if reverse else -1] += final
            return
        live = self.live.to(torch.uint8)  # which argmax takes on every device
        last = live.argmax(0) if reverse else len(live) - 1 - live.flip(0).argmax(0)
        over_time[last, torch.arange(len(last), device=last.device)] += final


def fed_back(calls: Sequence[Call]) -> bool:
    """Whether what an earlier call gave reaches a later one as its input, by autograd's graph."""
    nodes = [_node(call) for call in calls]
    held, seen = {node for node in nodes if node is not None}, set[Any]()
    for node in held:
        waiting = [node.next_functions[1][0]]  # after the dummy's
        while waiting:
            at = waiting.pop()
            if at is None or at in seen:
                continue
            if at in held:
                return True
            seen.add(at)
            waiting += [before for before, _ in at.next_functions]
    return False


def _node(call: Call) -> Any:
    """A call's node in autograd's graph, which its states may have left by a change of shape."""
    at = next((state.grad_fn for state in call.returned if state.grad_fn is not None), None)
    while at is not None and getattr(at, "call", None) is not call:
        at = next((before for before, _ in at.next_functions if before is not None), None)
    return at


def _both(one: Arrived | None, other: Arrived | None) -> Arrived | None:
    return other if one is None else one if other is None else one + other


def settle(calls: Sequence[Call]) -> list[Arrived]:
    """What came back to each call: all that went on to ``.grad``, or else all there was.

    So several ``loss.backward()`` add up, and what ``torch.autograd.grad`` takes beside them does
    not count, unless it is all that the loop uses. A call that nothing reached has zeros.
    """
    plain = any(call.arrived is not None for call in calls)
    found = [call.arrived if plain else _both(call.aside, call.latest) for call in calls]
    return [
        call.sweep(None, None, None) if one is None else one
        for call, one in zip(calls, found, strict=True)
    ]


class Calls(list[Call]):
    """The calls of a layer, told when a backward pass went on to ``.grad``.

    Parameters
    ----------
    dummy : tensor
        A scalar that requires grad, given to each call: it gets a gradient where parameters do.
    """

    def __init__(self, dummy: Tensor) -> None:
        super().__init__()
        self._hook: Any = dummy.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
            self._accumulated
        )

    def _accumulated(self, _: Tensor) -> None:
        for call in self:
            call.reached()

    def close(self) -> None:
        """Free autograd's graph of the calls, when nothing more will be asked of it."""
        self._hook.remove()
        for call in self:
            call.let_go()


class Caller:
    """What is called in a layer's place, by ``forward``, and keeps the calls.

    Parameters
    ----------
    dummy : tensor
        A scalar that requires grad, so that each call is in autograd's graph.
    """

    forward: Any

    def __init__(self, dummy: Tensor) -> None:
        self.dummy = dummy
        self.calls = Calls(dummy)

    def close(self) -> None:
        """Free autograd's graph of the calls, when nothing more will be asked of it."""
        self.calls.close()

    def again(self, *args: Any, **options: Any) -> Any:
        """Called for a pass that was there before, of which nothing is kept."""
        count = len(self.calls)
        made = self.forward(*args, **options)
        del self.calls[count:]
        return made


class _Recurrent(torch.autograd.Function):
    """A call as one node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, call: Call, dummy: Tensor, x: Tensor, h0: Any, c0: Any, *w: Any) -> Any:
        dtype = next(iter(call.weights.values())).dtype
        ctx.call = call
        ctx.dtypes = [None if t is None else t.dtype for t in (x, h0, c0, *w)]
        ctx.set_materialize_grads(False)
        with torch.autocast(x.device.type, enabled=False):
            made = call.forward(
                own(x, dtype),
                None if h0 is None else own(h0, dtype),
                None if c0 is None else own(c0, dtype),
            )
        # The model may change in place what it gets; the tape has to stay.
        return tuple(own(t, x.dtype) for t in made)

    @staticmethod
    def backward(ctx: Any, y: Any, h: Any, c: Any = None) -> Any:
        if torch.is_grad_enabled():  # by create_graph=True; what follows is no part of the graph
            raise NotImplementedError(
                "the loss contains a gradient through the layer (create_graph=True), as a gradient "
                "penalty does: a recorded layer cannot be differentiated twice"
            )
        call: Call = ctx.call
        assert call.tape is not None
        x = call.tape.directions[0][0].x
        with torch.autocast(x.device.type, enabled=False):
            made = call.sweep(*(None if g is None else g.to(x.dtype) for g in (y, h, c)))
            call.receive(made)
            needs = ctx.needs_input_grad[2:]
            found: list[Tensor | None] = [None, None, None]
            if needs[0]:
                found[0] = handed_down(call.tape, 0, made.swept[0])[:, 0]
            if needs[1]:
                found[1] = made.initial("h0")
            if needs[2]:
                found[2] = made.initial("c0")
            found += [
                made.gradients.get(name) if need else None
                for name, need in zip(call.spec.weights(), needs[3:], strict=True)
            ]
            cast = [
                None if g is None else g.to(to) for g, to in zip(found, ctx.dtypes, strict=True)
            ]
        return (None, x.new_zeros((), dtype=torch.float32), *cast)


def apply(
    call: Call,
    dummy: Tensor,
    x: Tensor,
    h0: Tensor | None,
    c0: Tensor | None,
    weights: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """Outputs (T, N, D·P) and final states of a call, as nodes of autograd's graph.

    ``weights`` are those of ``call.spec.weights()``, None for one that there is not.
    """
    call.tracked = torch.is_grad_enabled()
    try:
        made: tuple[Tensor, ...] = _Recurrent.apply(  # type: ignore[no-untyped-call]
            call, dummy, x, h0, c0, *weights
        )
    except RuntimeError as error:
        if "functorch" not in str(error):
            raise
        raise NotImplementedError(
            "the layer is called under torch.func (vmap, grad, jvp, …), where it cannot be "
            "recorded: call the model itself, and take gradients with loss.backward()"
        ) from error
    return made


def precision(dtype: torch.dtype) -> torch.dtype:
    """What numbers of a type are recorded in: numpy has no bfloat16, and half is soon infinite."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def own(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A contiguous copy that nobody else holds."""
    return tensor.detach().to(dtype, copy=True, memory_format=torch.contiguous_format)
