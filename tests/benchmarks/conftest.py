"""The browser and the JupyterLab of the browser tests, for the browser's benchmark."""

from tests.browser.conftest import (  # noqa: F401 - fixtures are found by their names
    browser,
    context,
    lab_server,
    open_lab,
    page,
)
