"""A comm that remembers what was sent, and messages as a browser would send them."""

from collections.abc import Iterator
from typing import Any

import comm
import ipywidgets
import pytest
from comm.base_comm import BaseComm


class RecordingComm(BaseComm):
    """Keeps every message to the browser instead of sending it."""

    sent: list[tuple[str, dict[str, Any]]]

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
        self.__dict__.setdefault("sent", []).append((msg_type, data or {}))


class Browser:
    """What a browser would send to a widget, and what it received."""

    def update(self, widget: ipywidgets.Widget, **state: Any) -> None:
        self._send(widget, {"method": "update", "state": state})

    def custom(self, widget: ipywidgets.Widget, content: Any) -> None:
        self._send(widget, {"method": "custom", "content": content})

    def _send(self, widget: ipywidgets.Widget, data: dict[str, Any]) -> None:
        widget._handle_msg({"content": {"data": data}, "buffers": []})

    def clear(self, *widgets: ipywidgets.Widget) -> None:
        for widget in widgets:
            widget.comm.sent.clear()

    def updates(self, widget: ipywidgets.Widget, method: str = "update") -> dict[str, Any]:
        """The state that a widget has sent since `clear`, later messages over earlier ones."""
        state: dict[str, Any] = {}
        for _, data in widget.comm.sent:
            if data.get("method") == method:
                state |= data["state"]
        return state

    def messages(self, widget: ipywidgets.Widget) -> list[Any]:
        """The custom messages that a widget has sent since `clear`."""
        sent = [data for _, data in widget.comm.sent]
        return [data["content"] for data in sent if data.get("method") == "custom"]


@pytest.fixture(params=[True, False], ids=["echo", "no-echo"])
def browser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A browser, with ipywidgets' echo of updates on and off."""
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    monkeypatch.setattr("ipywidgets.widgets.widget.JUPYTER_WIDGETS_ECHO", request.param)
    yield Browser()
    ipywidgets.Widget.close_all()
