"""The README's code, run from top to bottom."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_run_as_printed():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 10
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)  # noqa: S102
    assert names["C"].shape == (6, 6, 3, 3)  # type: ignore[attr-defined]
