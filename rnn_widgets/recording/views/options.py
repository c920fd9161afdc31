"""What the figures of a recording can be told: one table of options, read and checked here."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from inspect import Parameter, Signature, cleandoc
from textwrap import indent, wrap
from typing import TYPE_CHECKING, Any, TypeVar

from rnn_widgets.core.names import unknown

from .images import SCHEMES, colours
from .pick import EVERY, check_direction, index_list
from .scales import Norm, ScaleName, given_norm, positive_norm

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

    from .selection import Selection

Method = TypeVar("Method", bound=Callable[..., Any])

FEATURES = ("features_0d", "features_1d", "features_2d")
FIGURES = (*FEATURES, "flow", "lag", "histogram", "heatmap")
OF_NORMS = ("flow", "lag")
ORIENTATIONS = ("horizontal", "vertical")


@dataclass(frozen=True)
class Option:
    """What an option is, for `help`, and the views that take it."""

    kind: str
    meaning: str
    default: object = None
    views: tuple[str, ...] = FIGURES


EVERYWHERE = (*FIGURES, "summary")
OPTIONS = {
    "what": Option(
        "str",
        'Any recorded quantity, as `quantity` takes it: "total", "layers[0].direct", "cell.total", '
        '"gates.f.adjoints", "inputs", "by_source[weight_hh_l0]", "contributions[weight_hh_l0]". '
        "Of by_source the features are norms of what belongs to a unit, of contributions they are "
        "loss steps. What has no steps, weights, gradients and initial states, is drawn by "
        'features_0d, histogram and heatmap. flow also takes "h", "c", "layers[0]" and '
        '"layers[0].cell" for the three adjoints of that state, lag and heatmap a parameter.',
        views=EVERYWHERE,
    ),
    "samples": Option(
        "int, slice or list, optional",
        "Which. Otherwise the selection decides, and of what is summed over the batch, all.",
        views=EVERYWHERE,
    ),
    "channels": Option(
        "int, slice, list or str, optional",
        'Which, also as text such as "0:16, 20": of a parameter the units that its rows belong to. '
        "Otherwise the selection decides.",
        views=EVERYWHERE,
    ),
    "direction": Option(
        '{"both", "forward", "reverse"}, optional',
        "Which direction of a bidirectional layer. Otherwise the selection decides.",
        views=EVERYWHERE,
    ),
    "max_timesteps": Option(
        "int, optional", "Show, count or sum only so many of the last steps.", views=EVERYWHERE
    ),
    "gate": Option(
        "str, optional",
        'Of parameters one gate, or "all". Otherwise the selection decides.',
    ),
    "layer": Option(
        "int",
        "Which layer of a stack is meant where ``what`` names no parameter.",
        -1,
        ("lag", "histogram", "heatmap"),
    ),
    "step": Option(
        'int or "sum"',
        "The step, from 0 to T − 1, or the sum over time; heatmap: of by_source.",
        "sum",
        ("features_0d", "heatmap"),
    ),
    "bins": Option(
        "int", "How many bars; one more if odd, so that none has both signs.", 40, ("histogram",)
    ),
    "rows": Option("int, optional", "Rows of panels."),
    "norm": Option(
        '"auto", float or (low, high)',
        'Ends of the scale of numbers; "auto" has room for all, symmetric where they have signs, '
        "and a single number stands for both signs.",
        "auto",
    ),
    "scale": Option(
        '{"linear", "symlog"}',
        '"symlog" is logarithmic in both signs down to a millionth of the ends, for gradients that '
        "vanish.",
        "linear",
    ),
    "scheme": Option(
        "str or (negative, positive), optional",
        f"Colours by sign: {', '.join(map(repr, SCHEMES))} or two such as "
        '("#2b6cb0", "#d9680b"). Zero is the background. Of sizes, which have no sign, the second '
        "is the line's; in flow the first is carried and the second direct. Where none is given "
        'maps and bars are "blue-orange", and curves and dashes grey.',
    ),
    "share_axes": Option(
        "bool", "One scale for all panels; otherwise each has its own, said in its caption.", True
    ),
    "orientation": Option(
        '{"horizontal", "vertical"}',
        "How time, or what else runs along the figure, goes: across or down.",
        "horizontal",
    ),
    "reflect": Option(
        "bool",
        "Mirror the reverse direction, so that the halves meet like pages of a book; time stays "
        "input time. Features run from the last channel to the first, a parameter from its last "
        "column; sizes and counts in flow, lag and histogram hang down.",
        False,
    ),
    "title": Option("str, optional", 'Instead of the figure\'s own; "" for none.'),
    "labels": Option("bool", "Whether to write along the axes what they are.", True),
    "width": Option("int or str, optional", 'In pixels, or as CSS has it, such as "50%".'),
    "height": Option("int, optional", "In pixels, from 60."),
    "controls": Option("bool", "Whether the controls of the selection are shown.", True),
    "selection": Option("Selection, optional", "What to follow instead of ``rec.selection``."),
}
OF_SIZES = {  # as flow and lag have them
    "norm": Option(
        '"auto" or (low, high)', 'Ends of the scale of sizes; "auto" has room for all.', "auto"
    ),
    "scale": Option(
        '{"log", "linear"}', "On the logarithmic one zero stands at the bottom.", "log"
    ),
}
SCALES = {view: ("log", "linear") if view in OF_NORMS else ("linear", "symlog") for view in FIGURES}
OTHER_WORDS = {
    "cmap": "scheme", "colormap": "scheme", "palette": "scheme", "colors": "scheme",
    "vmin": "norm", "vmax": "norm", "ylim": "norm", "figsize": "width", "units": "channels",
    "neurons": "channels", "timesteps": "max_timesteps", "batch": "samples",
}  # fmt: skip
LEAST, MOST = 60, 10_000  # pixels of a figure's sides
LENGTH = re.compile(
    r"\d+(\.\d+)?(px|%|r?em|ch|ex|v[wh]|vmin|vmax|[cm]m|in|pt)|auto|(calc|m\w+)\(.+\)"
)
DEFAULTS: dict[str, dict[str, object]] = {
    **{name: {"what": "total"} for name in FEATURES},
    "flow": {"what": "h", "scale": "log"},
    "lag": {"scale": "log"},
    "histogram": {"what": "gradients"},
    "heatmap": {"what": "gradients"},
    "summary": {},
}
RAISES = """Raises
------
KeyError, IndexError, ValueError, TypeError
    For what does not exist or has no meaning here, naming the nearest that does.
"""


@dataclass(frozen=True)
class Options:
    """The options of one view, read and checked; those that are not given have their default."""

    what: Any
    samples: list[int] | None
    channels: object
    direction: str | None
    max_timesteps: int | None
    gate: str | None
    layer: int
    step: int | None
    bins: int
    rows: int | None
    norm: Norm | None
    scale: ScaleName
    scheme: tuple[str, str] | None
    share_axes: bool
    orientation: str
    reflect: bool
    title: str | None
    labels: bool
    width: str
    height: int | None
    controls: bool
    selection: Selection | None

    @property
    def vertical(self) -> bool:
        """Whether time runs down."""
        return self.orientation == "vertical"


def defaults(view: str) -> dict[str, object]:
    """The options that a view takes, with their defaults."""
    taken = {name: option.default for name, option in OPTIONS.items() if view in option.views}
    return taken | DEFAULTS[view]


def read(view: str, rec: Recording, given: Mapping[str, object]) -> Options:
    """Read the options of a view.

    Raises
    ------
    TypeError
        For an unknown option, naming the nearest, and one of other views, naming these.
    KeyError, IndexError, ValueError
        For a value that is none of an option's.
    """
    valid = defaults(view)
    for name in given:
        if name in OPTIONS and name not in valid:
            views = ", ".join(OPTIONS[name].views)
            raise TypeError(f"{view} has no {name}: it is an option of {views}")
        if name not in valid and OTHER_WORDS.get(name) in valid:
            raise TypeError(f"there is no option of {view} {name!r}: it is {OTHER_WORDS[name]}")
        if name not in valid:
            raise TypeError(str(unknown(f"option of {view}", name, sorted(valid))))
    raw = {name: option.default for name, option in OPTIONS.items()} | valid | dict(given)
    made: dict[str, Any] = {name: _READERS[name](rec, raw[name]) for name in raw}
    _one_of("scale", raw["scale"], SCALES.get(view, SCALES["features_0d"]))
    of_sizes = view in OF_NORMS
    made["norm"] = positive_norm(raw["norm"], raw["scale"]) if of_sizes else given_norm(raw["norm"])
    return Options(**{field.name: made[field.name] for field in fields(Options)})


def documented(method: Method) -> Method:
    """Give a view's method its signature and the meaning of its options, from the table."""
    taken = defaults(method.__name__)
    text = cleandoc(method.__doc__ or "")
    entries = []
    for name, default in taken.items():
        of_sizes = OF_SIZES.get(name) if method.__name__ in OF_NORMS else None
        option = of_sizes or OPTIONS[name]
        more = "optional" if default is None else f"default {default!r}"
        kind = option.kind if more in option.kind else f"{option.kind}, {more}"
        entries.append(f"{name} : {kind}\n{indent(_lines(option.meaning), '    ')}")
    about = "Parameters\n----------\n" + "\n".join(entries) + "\n\n" + RAISES
    before, examples, after = text.partition("Examples\n--------\n")
    method.__doc__ = f"{before}{about}\n{examples}{after}\n"
    keyword = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default) for name, default in taken.items()
    ]
    own = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *keyword]
    method.__signature__ = Signature(own)  # type: ignore[attr-defined]
    return method


def _lines(text: str) -> str:
    return "\n".join(wrap(text, 92, break_long_words=False, break_on_hyphens=False))


def _one_of(name: str, value: object, valid: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in valid:
        raise ValueError(f"{name} is one of {', '.join(valid)}, not {value!r}")
    return value


def _text(name: str) -> Callable[[Recording, object], str | None]:
    def read(_: Recording, value: object) -> str | None:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} is text, not {value!r}")
        return value

    return read


def _flag(name: str) -> Callable[[Recording, object], bool]:
    def read(_: Recording, value: object) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {value!r}")
        return value

    return read


def _count(name: str) -> Callable[[Recording, object], int | None]:
    def read(_: Recording, value: object) -> int | None:
        if value is None:
            return None
        count = _whole(name, value)
        if count < 1:
            raise ValueError(f"{name} is at least 1, not {count}")
        return count

    return read


def _whole(name: str, value: object) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} is a whole number, not {value!r}") from None


def _what(_: Recording, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"a quantity is named by text such as 'direct', not {value!r}")
    return value


def _samples(rec: Recording, value: object) -> list[int] | None:
    return None if value is None else index_list(value, rec.samples, "sample")


def _gate(rec: Recording, value: object) -> object:
    known = rec.gates.known_as(value) if isinstance(value, str) else value
    if known not in (None, EVERY, *rec.gates):
        raise unknown("gate", value, rec.gates)
    return known


def _layer(rec: Recording, value: object) -> int:
    layer = _whole("layer", value)
    if not -rec.num_layers <= layer < rec.num_layers:
        raise IndexError(f"layer goes from 0 to {rec.num_layers - 1}, not {layer}")
    return layer % rec.num_layers


def _step(rec: Recording, value: object) -> int | None:
    if isinstance(value, str) and value == "sum":
        return None
    try:
        at = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        last = rec.steps - 1
        raise TypeError(f'step is "sum" or a step from 0 to {last}, not {value!r}') from None
    if not -rec.steps <= at < rec.steps:
        raise IndexError(f"step is one of 0 to {rec.steps - 1}, not {at}")
    return at % rec.steps


def _reflect(rec: Recording, value: object) -> bool:
    reflect = _flag("reflect")(rec, value)
    if reflect and rec.directions == 1:
        raise ValueError("reflect=True mirrors the reverse direction; this layer has only one")
    return reflect


def _height(_: Recording, value: object) -> int | None:
    if value is None:
        return None
    text = str(value).removesuffix("px")
    if not text.isdecimal() or not LEAST <= int(text) <= MOST:
        raise ValueError(f"height is a number of pixels from {LEAST} to {MOST}, not {value!r}")
    return int(text)


def _width(_: Recording, value: object) -> str:
    if value is None:
        return "100%"
    whole = isinstance(value, int) and not isinstance(value, bool) and LEAST <= value <= MOST
    if not whole and not (isinstance(value, str) and LENGTH.fullmatch(value.strip())):
        raise ValueError(
            f'width is a number of pixels from {LEAST} to {MOST} or such as "50%", not {value!r}'
        )
    return f"{value}px" if whole else str(value)


def _selection(_: Recording, value: object) -> Selection | None:
    from .selection import Selection

    if value is not None and not isinstance(value, Selection):
        raise TypeError(f"selection is a Selection such as rec.selection, not {value!r}")
    return value


_READERS: dict[str, Callable[[Recording, Any], Any]] = {
    "what": _what,
    "samples": _samples,
    "channels": lambda _, value: value,  # how many there are, the quantity says
    "direction": check_direction,
    "max_timesteps": _count("max_timesteps"),
    "gate": _gate,
    "layer": _layer,
    "step": _step,
    "bins": _count("bins"),
    "rows": _count("rows"),
    "norm": lambda _, value: value,  # what it may be, the scale says
    "scale": lambda _, value: value,
    "scheme": lambda _, value: None if value is None else colours(value),
    "share_axes": _flag("share_axes"),
    "orientation": lambda _, value: _one_of("orientation", value, ORIENTATIONS),
    "reflect": _reflect,
    "title": _text("title"),
    "labels": _flag("labels"),
    "width": _width,
    "height": _height,
    "controls": _flag("controls"),
    "selection": _selection,
}
