"""Mistake replay: what a gradient looks like when backpropagation through time goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .core import values
from .core.gradients import Gradients
from .core.names import UnknownNameError, unknown
from .core.ops import Array
from .core.pitfalls import MISTAKES, Case, Replay, sensible
from .core.pitfalls_words import done, errors, furthest, sentence, share, where, where_of
from .core.results import Contributions
from .interop import names as other_names
from .network import Network

if TYPE_CHECKING:
    from .widgets.replay import ReplayMap


class WrongContributions(Contributions):
    """C[t, k] as a mistake makes them, or how far they are off; read like `Contributions`.

    Examples
    --------
    With h_t = x_t + 2 h_{t−1} and L = h_1 + h_2, pullbacks in forward order let step 2 serve L_1:

    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 1, 2, nonlinearity="identity", bias=False, loss="sum")
    >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1]])
    >>> rw.pitfalls(net)["forward order"].contributions()["weight_ih_l0"][..., 0, 0]
    array([[1., 2.],
           [0., 1.]])
    """

    def bound(self, wrt: str) -> Array:
        """Refused: the bound on contributions holds for right ones only."""
        raise ValueError(
            f"the bound of C[t, k] of {wrt} holds for right contributions, and these are a "
            "mistake's: ask net.contributions().bound"
        )


class Bench:
    """A network, or what a lab holds now, and its mistakes, each replayed once."""

    def __init__(self, owner: Any, previous: Any) -> None:
        self.lab = _lab_of(owner)
        self._net: Network | None = owner if self.lab is None else None
        self.previous = None if previous is None else _sequence(previous, self.net)
        self._for: Network | None = None
        self._replays: dict[tuple[str, ...], Replay] = {}

    @property
    def net(self) -> Network:
        """The network as it is now."""
        net: Network = self.lab.net if self._net is None else self._net
        return net

    @property
    def case(self) -> Case:
        """What mistakes are made on."""
        return Case(self.net.program, self.net.values, self.previous)

    def replay(self, *names: str) -> Replay:
        """The network as it is now with these mistakes made."""
        net = self.net
        if net is not self._for:
            self._for, self._replays = net, {}
        if names not in self._replays:
            self._replays[names] = Replay(self.case, names)
        return self._replays[names]


def _lab_of(owner: Any) -> Any:
    """The lab behind a lab or an explorer; None for a network."""
    if isinstance(owner, Network):
        return None
    lab = getattr(owner, "lab", owner)
    if isinstance(getattr(lab, "net", None), Network) and hasattr(lab, "observe"):
        return lab
    raise TypeError(f"a network or a lab is needed, such as rw.rnn(2, 3, 4), not {owner!r}")


def _sequence(previous: Any, net: Network) -> Array:
    before = values.array("previous", previous)
    width = net.program.input_size
    if before.ndim != 2 or not len(before) or before.shape[1] != width:
        raise ValueError(
            f"previous must be the sequence before, of shape (T, {width}) with T of at least 1, "
            f"not {before.shape}"
        )
    return before


class Pitfall:
    """One mistake replayed on one network. Made by `pitfalls`.

    Made from a lab it follows it: every answer is about the network as it is now.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.from_flux(Wi=[[0.5]], Wh=[[0.001]], b=[0.85], x=[[0.3], [2.5]],
    ...                    nonlinearity="identity", loss="sum")
    >>> rw.pitfalls(net)["forward order"].gradients()["Wi"].round(4)
    array([[2.8025]])
    """

    def __init__(self, name: str, bench: Bench) -> None:
        self._name = name
        self._bench = bench

    @property
    def name(self) -> str:
        """What the mistake is called."""
        return self._name

    @property
    def net(self) -> Network:
        """The network that it is replayed on."""
        return self._bench.net

    @property
    def lab(self) -> Any:
        """The lab that it follows, None if it was made from a network."""
        return self._bench.lab

    @property
    def why_not(self) -> str:
        """Why it makes no sense for the network as it is now; empty where it does."""
        return MISTAKES[self._name].why_not(self._bench.case)

    def _replay(self) -> Replay:
        if reason := self.why_not:
            raise ValueError(f"{self._name!r} makes no sense for this network: {reason}")
        return self._bench.replay(self._name)

    def gradients(self) -> Gradients:
        """The wrong gradient of every leaf, under all its names.

        Raises
        ------
        ValueError
            If the lab's network has changed so that the mistake makes no sense any more.
        """
        net = self.net
        aliases = other_names.aliases(net.program)
        return Gradients(self._replay().gradients, aliases, net.sources)

    def contributions(self) -> WrongContributions:
        """The wrong C[t, k] of every parameter: (T, T, *shape), [loss step, source step].

        They add up to `gradients`. With "reversed input" the source step counts the steps as they
        were run.
        """
        return self._contributions(self._replay().contributions)

    def difference(self) -> WrongContributions:
        """Wrong minus right contributions; their sum is how far each gradient is off.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 2, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1]])
        >>> rw.pitfalls(net)["detached each step"].difference()["weight_ih_l0"][..., 0, 0]
        array([[ 0.,  0.],
               [-2.,  0.]])
        """
        right, wrong = self._bench.replay().contributions, self._replay().contributions
        with np.errstate(all="ignore"):
            return self._contributions({name: wrong[name] - right[name] for name in right})

    def _contributions(self, arrays: Mapping[str, Array]) -> WrongContributions:
        replay = self._replay()
        copies = {name: np.array(array) for name, array in arrays.items()}
        return WrongContributions(copies, replay.program, replay.trace, replay.swept)

    @property
    def errors(self) -> dict[str, float]:
        """‖wrong − right‖ / ‖right‖ of every gradient, 0 where they agree to rounding."""
        return errors(self._bench.replay(), self._replay())

    @property
    def sentence(self) -> str:
        """What went wrong where, in this network.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> sentence = rw.pitfalls(rw.rnn(2, 3, 4))["detached each step"].sentence
        >>> sentence.split(": ")[1].split("; ")[0]
        'of 10 contributions C[t, k], 6 are missing'
        """
        if reason := self.why_not:
            return f"This mistake makes no sense for this network: {reason}."
        right, wrong = self._bench.replay(), self._replay()
        return sentence(self._name, self._bench.case, right, wrong)

    def _told(self, what: str, leaf: str, index: tuple[int, ...]) -> list[str]:
        """`sentence` in three: what was done, of what is shown, and of the whole network."""
        case, right, wrong = self._bench.case, self._bench.replay(), self._replay()
        entry = f"{leaf}[{','.join(map(str, index))}]" if index else leaf
        return [
            f"{done(self._name, case, wrong)}.",
            f"Shown is {what} of {entry}: {where_of(case, right, wrong, leaf, index)}.",
            f"In the whole network, over all parameters: {where(case, right, wrong)}.",
        ]

    def heatmap(self, wrt: str | None = None, **options: Any) -> ReplayMap:
        """Right contributions, the mistake's beside them, and their difference, on one scale.

        Parameters
        ----------
        wrt : str, optional
            A parameter (norms, the third that of the difference) or an entry (signed);
            by default the first recurrent weight. Of a lab also "selection", to follow the entry
            in focus.
        **options
            Traits of the three `bqplot.Figure`.

        Returns
        -------
        ReplayMap
            A widget, which follows the lab that the pitfall was made from.

        Raises
        ------
        KeyError, IndexError, ValueError
            For a parameter or entry that does not exist.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> maps = rw.pitfalls(rw.rnn(2, 3, 4))["forward order"].heatmap("weight_hh_l0[0,1]")
        >>> maps
        ReplayMap('forward order', 'weight_hh_l0[0,1]')
        """
        from .widgets.replay import ReplayMap

        return ReplayMap(self, wrt, **options)

    def __repr__(self) -> str:
        return f"{self._name}: {self.sentence}"


class Pitfalls(Mapping[str, Pitfall]):
    """The mistakes that make sense for a network: name to `Pitfall`. Made by `pitfalls`.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.from_flux(Wi=[[0.5]], Wh=[[0.001]], b=[0.85], x=[[0.3], [2.5]],
    ...                    nonlinearity="identity", loss="sum")
    >>> rw.pitfalls(net)
    pitfall                  off by at most  in
    forward order            0.1 %           weight_hh_l0
    reversed input           110 %           weight_hh_l0
    detached each step       0.05 %          bias_ih_l0
    off-by-one hidden state  210 %           weight_hh_l0
    transposed weight        nothing
    """

    def __init__(self, chosen: Iterable[str], bench: Bench) -> None:
        self._pitfalls = {name: Pitfall(name, bench) for name in chosen}
        self._bench = bench

    def __getitem__(self, name: str) -> Pitfall:
        if name in self._pitfalls:
            return self._pitfalls[name]
        if name in MISTAKES and (reason := MISTAKES[name].why_not(self._bench.case)):
            raise UnknownNameError(f"{name!r} makes no sense for this network: {reason}")
        raise unknown("pitfall", name, self._pitfalls)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pitfalls)

    def __len__(self) -> int:
        return len(self._pitfalls)

    def __repr__(self) -> str:
        rows = [("pitfall", "off by at most", "in")]
        for name, pitfall in self._pitfalls.items():
            if reason := pitfall.why_not:
                rows.append((name, "makes no sense:", reason))
                continue
            found = pitfall.errors
            parameters = {p: found[p] for p in pitfall.net.program.parameters}
            leaf, worst = furthest(parameters if any(parameters.values()) else found)
            if np.isnan(worst):
                rows.append((name, "unknown", "the numbers overflow"))
            else:
                rows.append((name, share(worst), leaf) if worst else (name, "nothing", ""))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        return "\n".join(line.rstrip() for line in lines)


def pitfalls(net: Any, *names: str, previous: Any = None) -> Pitfalls:
    """Replay the mistakes that people make with backpropagation through time.

    Each is what a hand-written or a framework's backward pass really does when it goes wrong:

    - "forward order": pullbacks in forward order, δ_1 = d_1, δ_{t+1} = d_{t+1} + J_tᵀ δ_t with d
      the direct adjoints; what the last one leaves over is taken for the gradient of h0
    - "reversed input": x read from its last step to its first
    - "state not reset": h0 (and c0) is where the sequence ``previous`` ended, and constant
    - "detached each step": the states cut between all steps, as ``net.truncate(chunk=1)``
    - "off-by-one hidden state": h_t for h_{t−1} in the immediate derivative by every parameter
      that multiplies the hidden state; of W (r ⊙ h) the gate r keeps its value
    - "cell carry dropped", "hidden carry dropped": nothing carried back into c_{t−1}, or h_{t−1},
      the initial one included; of cells with two states
    - "transposed weight": carried back through W where Wᵀ belongs, gate by gate; of cells with
      matrices made of H × H blocks
    - "reset gate mixed up": the gradient of the GRU with the other ``reset_after``
    - "update gate swapped": the gradient of the GRU h' = z ⊙ n + (1 − z) ⊙ h

    In a stack every layer makes the mistake, and in a bidirectional network each direction in its
    own order of time. A truncated network cuts where it did, and readout and loss are right.

    Parameters
    ----------
    net : Network, Lab or Explorer
        Of a lab the pitfalls follow the network as it is now.
    *names : str
        Which ones; by default all that make sense for the network.
    previous : array-like, shape (T', I), optional
        The sequence before, for "state not reset", begun in the network's own initial state.

    Returns
    -------
    Pitfalls
        Name to `Pitfall`.

    Raises
    ------
    KeyError
        For a name that does not exist, naming the nearest.
    ValueError
        For a mistake that makes no sense for the network, saying why, or a wrong ``previous``.
    TypeError
        If ``net`` is no network, or a name no text.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> pitfall = rw.pitfalls(rw.lstm(2, 3, 4), "cell carry dropped")["cell carry dropped"]
    >>> pitfall.contributions()["weight_hh_l0"].shape
    (4, 4, 12, 3)
    """
    bench = Bench(net, previous)
    case = bench.case
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                "names are given one by one, as in rw.pitfalls(net, 'forward order'), not as "
                f"{type(name).__name__}"
            )
        if name not in MISTAKES:
            raise unknown("pitfall", name, MISTAKES)
        if reason := MISTAKES[name].why_not(case):
            raise ValueError(f"{name!r} makes no sense for this network: {reason}")
    return Pitfalls([n for n in MISTAKES if n in names] if names else sensible(case), bench)
