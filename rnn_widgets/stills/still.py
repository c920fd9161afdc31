"""What gives a widget a still picture."""

from __future__ import annotations

from typing import Any

from .picture import Picture


class Still:
    """A mixin, before the widget's class: a widget with a picture for where it cannot be drawn.

    A page that draws widgets prefers the widget; a code host's preview, a PDF and a page exported
    without widgets show the picture, and what shows no pictures the text.

    Examples
    --------
    >>> import ipywidgets
    >>> class Mark(Still, ipywidgets.Label):
    ...     def _still(self):
    ...         picture = Picture(120, 30, [f"It says {self.value}."])
    ...         picture.text(10, 19, self.value)
    ...         return picture
    ...
    ...     def __repr__(self):
    ...         return "Mark()"
    >>> data, _ = Mark(value="a < b")._repr_mimebundle_()
    >>> print(data["text/plain"])
    Mark()
    It says a < b.
    >>> "a &lt; b" in data["image/svg+xml"]
    True
    """

    def _still(self) -> Picture:
        """The picture of what the widget shows now, with its summary in words."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        made = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if made is None:  # what has no view
            return None
        data, metadata = made if isinstance(made, tuple) else (made, {})
        picture = self._still()
        told = "\n".join([repr(self), *picture.summary])
        return {**data, "text/plain": told, "image/svg+xml": picture.svg()}, metadata
