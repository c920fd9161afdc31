"""Still pictures: what a widget shows, as SVG and text, for places where no widget can be drawn."""

from .picture import Picture
from .still import Still

__all__ = ["Picture", "Still"]
