"""Tiny recurrent networks in Jupyter, with every part of their gradients on show.

>>> import rnn_widgets as rw
>>> net = rw.rnn(input_size=2, hidden_size=3, seq_len=4)
>>> net.gradients()["weight_hh_l0"].shape
(3, 3)

Neither torch nor the widgets are imported before something that needs them is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import ops
from .build import custom, gru, lstm, rnn
from .convert import from_flux, from_keras, from_torch
from .core.cells import cell
from .diagnosis import diagnose
from .network import Network
from .pitfalls import pitfalls

if TYPE_CHECKING:
    from .interop.tape import Params, gradient
    from .recording.compare import compare
    from .recording.record import record
    from .recording.recording import Recording
    from .recording.watch import watch
    from .recording.watched import Watched
    from .widgets.explorer import explore
    from .widgets.lab import Lab
    from .widgets.ledger import Ledger
    from .widgets.predict import predict
    from .widgets.seeds import SeedExplorer

__version__ = "0.1.0"

__all__ = [
    "Lab",
    "Ledger",
    "Network",
    "Params",
    "Recording",
    "SeedExplorer",
    "Watched",
    "cell",
    "compare",
    "custom",
    "diagnose",
    "explore",
    "from_flux",
    "from_keras",
    "from_torch",
    "gradient",
    "gru",
    "lstm",
    "ops",
    "pitfalls",
    "predict",
    "record",
    "rnn",
    "watch",
]

_LAZY = {
    "Lab": ".widgets.lab",
    "Ledger": ".widgets.ledger",
    "Params": ".interop.tape",
    "Recording": ".recording.recording",
    "SeedExplorer": ".widgets.seeds",
    "Watched": ".recording.watched",
    "compare": ".recording.compare",
    "explore": ".widgets.explorer",
    "gradient": ".interop.tape",
    "predict": ".widgets.predict",
    "record": ".recording.record",
    "watch": ".recording.watch",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
