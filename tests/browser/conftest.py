"""A Jupyter server and Chromium for the browser tests; a missing one fails them, never skips."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import nbformat
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

# Chromium in a container has no user namespace to sandbox in, and must not phone home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SECONDS = 1000.0
PATIENCE = 60 * SECONDS


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the Chromium named by CHROMIUM, or the one on PATH."""
    executable = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    assert executable, "no Chromium: install it, or set CHROMIUM to its executable"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1400, "height": 1600})
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Open a fresh page, and fail the test whose page had an uncaught error."""
    page = context.new_page()
    errors = watch_errors(page)
    yield page
    assert not errors, errors


# Notebook 7.6 raises this by itself on every page, one without a widget too.
OF_THE_HOST = "Cannot read properties of undefined (reading 'schema')"


def watch_errors(page: Page) -> list[str]:
    errors: list[str] = []
    page.on("pageerror", lambda e: None if str(e) == OF_THE_HOST else errors.append(e.stack))
    return errors


@pytest.fixture
def logged(page: Page) -> list[str]:
    """What the page writes to its console as errors."""
    messages: list[str] = []
    page.on("console", lambda m: messages.append(m.text) if m.type == "error" else None)
    return messages


def started(
    command: list[str], log: Path, environment: dict[str, str]
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server and wait for the address that it logs."""
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
    for _ in range(600):
        found = re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/", log.read_text())
        if found:
            return process, found.group()
        try:
            code = process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the server ended with {code}: {log.read_text()}")
    raise AssertionError(f"the server did not start: {log.read_text()}")


class Server:
    """A Jupyter server in a folder of its own."""

    def __init__(self, root: Path, application: str) -> None:
        self.root = root / "notebooks"
        self.root.mkdir()
        home = {"HOME": str(root)} | {
            f"JUPYTER_{name}_DIR": str(root / name.lower())
            for name in ("CONFIG", "DATA", "RUNTIME")
        }
        settings = root / "config" / "lab" / "user-settings" / "@jupyterlab"
        overrides = {
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        }
        for name, values in overrides.items():
            path = settings / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        command = [
            *(sys.executable, "-m", "jupyter", application),
            *("--no-browser", "--allow-root", "--ServerApp.port=0", "--IdentityProvider.token="),
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]
        self.log = root / "server.log"
        self.process, self.url = started(command, self.log, home)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def end_kernels(self) -> None:
        """End every session with its kernel, which would hold its memory until the last test."""
        with urlopen(f"{self.url}api/sessions") as response:
            sessions = json.load(response)
        for session in sessions:
            urlopen(Request(f"{self.url}api/sessions/{session['id']}", method="DELETE")).close()

    def write(self, name: str, *cells: str, kernel: str = "python3") -> None:
        """Save a notebook of code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel}
        nbformat.write(notebook, self.root / name)


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("lab"), "lab")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def notebook_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("notebook"), "notebook")
    yield server
    server.stop()


@pytest.fixture
def voila(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Serve one cell of code as a page of Voilà; gives its address."""
    processes: list[subprocess.Popen[bytes]] = []

    def serve(code: str) -> str:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "python3"}
        path = tmp_path / "page.ipynb"
        nbformat.write(notebook, path)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "voila", str(path), "--no-browser", f"--port={port}"]
        process, url = started(command, tmp_path / "voila.log", {"HOME": str(tmp_path)})
        processes.append(process)
        return url

    yield serve
    for process in processes:
        process.terminate()
        process.wait(20)


class OpenNotebook:
    """A notebook in a page of JupyterLab or Notebook 7."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url)
        page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext")
        page.evaluate(
            """async () => {
                const { currentWidget } = window.jupyterapp.shell;
                await currentWidget.context.ready;
                await currentWidget.sessionContext.ready;
            }"""
        )

    def run_all(self) -> None:
        """Run every cell and wait until the last is done; an error output fails the test."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.check_outputs()

    def run_cell(self, index: int) -> None:
        """Run one cell again."""
        self.page.evaluate(
            """async (index) => {
                window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )
        self.check_outputs()

    def check_outputs(self) -> None:
        errors = self.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
                .filter((cell) => cell.type === 'code')
                .flatMap((cell) => cell.outputs.toJSON())
                .filter((output) => output.output_type === 'error')
                .map((output) => output.evalue)"""
        )
        assert not errors, errors

    def python(self, code: str) -> Any:
        """Run code in the notebook's kernel and return what its last line, an expression, is.

        The expression must be one that JSON can say.
        """
        *before, last = code.strip().split("\n")
        source = "\n".join([*before, "import json as _json", f"print(_json.dumps({last}))"])
        text = self.page.evaluate(
            """async (code) => {
                const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
                const future = kernel.requestExecute({ code, store_history: false });
                let text = '';
                future.onIOPub = ({ content }) => {
                    if (content.name === 'stdout') text += content.text;
                    if (content.ename) text += 'ERROR ' + content.evalue;
                };
                await future.done;
                return text;
            }""",
            source,
        )
        assert not text.startswith("ERROR"), text
        return json.loads(text.splitlines()[-1])

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Poll until a condition about the kernel or the page holds."""
        for _ in range(600):
            if condition():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never came true: {what}")

    def handle(self, entry: str) -> Locator:
        """The handle of the slider for an entry."""
        return self.page.get_by_role("slider", name=entry, exact=True)


@pytest.fixture
def open_lab(lab_server: Server, page: Page) -> Iterator[Callable[..., OpenNotebook]]:
    """Open a notebook, given as a name or as cells, in JupyterLab."""

    def opened(name: str, *cells: str, run: bool = True, kernel: str = "python3") -> OpenNotebook:
        if cells:
            lab_server.write(name, *cells, kernel=kernel)
        notebook = OpenNotebook(page, f"{lab_server.url}lab/tree/{name}?reset")
        if run:
            notebook.run_all()
        return notebook

    yield opened
    page.close()
    lab_server.end_kernels()


@pytest.fixture
def open_tutorial(
    lab_server: Server, open_lab: Callable[..., OpenNotebook], logged: list[str]
) -> Iterator[Callable[[str], OpenNotebook]]:
    """Run a tutorial in JupyterLab, and fail the test whose page has logged an error."""

    def opened(name: str) -> OpenNotebook:
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", lab_server.root)
        return open_lab(f"{name}.ipynb")

    yield opened
    assert logged == []
