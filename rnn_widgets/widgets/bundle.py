"""Where the browser's code is."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"


def bundle(name: str) -> Path:
    """Path of a built bundle.

    Raises
    ------
    FileNotFoundError
        If it has not been built, naming the command that builds it.
    """
    path = STATIC / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is missing from {STATIC}: run `make build` in a checkout, "
            "or install a released wheel of rnn_widgets"
        )
    return path
