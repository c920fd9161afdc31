"""The plain way: what a notebook author would write, as cells for a notebook.

A kernel observer computes with numpy once per move and sends every widget that changes one
message: bqplot's marks their arrays, panels of numbers and the graph the text of an HTML widget.
"""

from __future__ import annotations

from collections.abc import Sequence


def marks(entry: str, start: float, steps: int) -> str:
    """Stacked bars and a line over lags, and `figure`, which puts a mark between axes."""
    return f"""
import bqplot
import numpy as np
from ipywidgets import HTML, FloatSlider, HBox, Layout, VBox
from rnn_widgets.widgets.transforms import transformed
from rnn_widgets.widgets.figures import NEGATIVE, POSITIVE, TRANSPARENT

steps, lags = np.arange(1.0, {steps} + 1.0), np.arange({steps}.0)
ordinal = bqplot.OrdinalScale
bars = bqplot.Bars(
    x=steps, y=np.ones(({steps}, {steps})), type="stacked", colors=[POSITIVE], padding=0.2,
    scales={{"x": ordinal(), "y": bqplot.LinearScale(min=0.0, max=1.0)}},
)
heights = bars.scales["y"]
decades = bqplot.LogScale(min=0.1, max=1.0)
line = bqplot.Lines(
    x=lags, y=np.ones({steps}), colors=["#7a4fd0"], marker="circle", marker_size=36,
    scales={{"x": bqplot.LinearScale(min=0.0, max={steps - 1}.0), "y": decades}},
)

def moved(value):
    weight[0, 1] = value
    return net.replace(weight_hh_l0=weight)

def contributions(moved_net):
    return moved_net.contributions()["weight_hh_l0"][:, :, 0, 1]

def show_bars(c):
    ends = [float(transformed(c, f"stack_{{end}}")) for end in ("bottom", "top")]
    with heights.hold_sync():
        heights.min, heights.max = ends
    bars.y = c

def show_line(c):
    sizes = np.abs([np.trace(c, -lag) for lag in range({steps})])
    low, high = sizes[sizes > 0].min(), sizes.max()
    floor = 10.0 ** np.floor(np.log10(low))
    with decades.hold_sync():
        decades.min, decades.max = floor, 10.0 ** np.ceil(np.log10(high))
    line.y = np.where(sizes > 0, sizes, floor)

def figure(mark, across, up, height="320px", **up_axis):
    text = "var(--jp-content-font-color1)"
    both = dict(grid_lines="none", label_offset="34px", label_color=text, color=text)
    return bqplot.Figure(
        marks=[mark],
        axes=[
            bqplot.Axis(scale=mark.scales[across], label="step", **both),
            bqplot.Axis(scale=mark.scales[up], side="left", **both, **up_axis),
        ],
        title="the plain way", title_style={{"fill": text, "font-size": "14px"}},
        background_style={{"fill": "none"}}, display_toolbar=False, animation_duration=0,
        layout=Layout(width="100%", height=height, min_width="0"),
        fig_margin={{"top": 36, "bottom": 50, "left": 64, "right": 16}},
    )

slider = FloatSlider(
    value={start}, min=-2.0, max=2.0, step=0.01, readout_format=".3f",
    description="{entry}", layout=Layout(width="640px"), style={{"description_width": "initial"}},
)
"""


HEAT = """
color_scale = bqplot.ColorScale(
    colors=[NEGATIVE, TRANSPARENT, POSITIVE], min=-1.0, mid=0.0, max=1.0
)
heat = bqplot.GridHeatMap(
    color=np.ones((len(steps), len(steps))), row=steps, column=steps,
    stroke="var(--jp-border-color2)",
    scales={"row": ordinal(reverse=True), "column": ordinal(), "color": color_scale},
    tooltip=bqplot.Tooltip(fields=["row", "column", "color"], formats=["", "", ".3g"]),
)

def show(value):
    c = contributions(moved(value))
    limit = float(transformed(c, "limit"))
    with color_scale.hold_sync():
        color_scale.min, color_scale.max = -limit, limit
    heat.color = c
    show_bars(c)
    show_line(c)

show(slider.value)
slider.observe(lambda change: show(change.new), "value")
VBox([
    slider,
    HBox([
        figure(heat, "column", "row"),
        figure(bars, "x", "y", tick_format=".3~g"),
        figure(line, "x", "y", tick_format=".0e", num_ticks=5),
    ]),
]).add_class("side-plain")
"""


def panels(loss_step: int, source_step: int, leaves: Sequence[str]) -> str:
    """The explorer's panels; the heat map is a table of colours with its numbers and sums, as the
    explorer's is, so that the plain way does not draw the contributions twice."""
    return f"T, K, OPEN = {loss_step}, {source_step}, {tuple(leaves)!r}\n" + PANELS


PANELS = """
H, lstm = net.program.hidden_size, "c0" in net.values
STRUCTURE = "" if lstm else "".join(  # the lines of units without flow: too many for the LSTM
    f"M{40 + 70 * t} {60 + 34 * j}L{110 + 70 * t} {60 + 34 * i}"
    for t in range(len(steps)) for i in range(H) for j in range(H)
)

def text(x):
    return f"{x:.3g}"

def cell(x, limit, tag="span", more=""):
    depth = round(100 * min(1, abs(x) / limit))
    colour = f"color-mix(in srgb, {POSITIVE if x > 0 else NEGATIVE} {depth}%, transparent)"
    return f'<{tag} {more} data-value="{x!r}" style="background:{colour}">{text(x)}</{tag}>'

def table(rows):
    return "<table><tr>" + "<tr>".join("".join(row) for row in rows) + "</table>"

def matrix(m, limit=None):
    m = np.atleast_2d(m)
    limit = limit or np.abs(m).max() or 1
    return table([cell(x, limit, "td") for x in row] for row in m.tolist())

def values_html(now, gradients):
    def entry(name, index, x, slope):
        place = ",".join(map(str, index))
        return (f'<td data-plain="{name}[{place}]" title="{slope!r}">{text(x)}<br>'
                f'<input type="range" min="-2" max="2" step="any" value="{x}"><br>'
                f'<small>∂ {text(slope)}</small></td>')

    parts = []
    for name in OPEN:
        value = now.values[name]
        if value.size > 64:
            parts += [f"<div><b>{name}</b>", matrix(value), "</div>"]
            continue
        slopes = gradients[name] if name != "v" else now.forward().output
        rows = value if value.ndim == 2 else value[None]
        below = slopes if slopes.ndim == 2 else slopes[None]
        parts += [f"<div><b>{name}</b>", table(
            [entry(name, (i, j), x, s) for j, (x, s) in enumerate(zip(*pair))]
            for i, pair in enumerate(zip(rows.tolist(), below.tolist()))
        ), "</div>"]
    return '<div style="display:flex;flex-wrap:wrap;gap:8px">' + "".join(parts) + "</div>"

def contributions_html(c):
    limit, sums = np.abs(c).max(), np.abs(c.sum(0)).max()
    rows = [
        [f"<th>t={t + 1}</th>"]
        + [cell(x, limit, "td", f'data-cell="{t},{k}"') for k, x in enumerate(row)]
        + [cell(sum(row), sums, "td", f'data-sum="loss,{t}"')]
        for t, row in enumerate(c.tolist())
    ]
    by_source = [
        cell(x, sums, "td", f'data-sum="source,{k}"') for k, x in enumerate(c.sum(0).tolist())
    ]
    total = cell(float(c.sum()), sums, "td", 'data-sum="total,0"')
    return table([*rows, ["<th>Σ</th>", *by_source, total]])

def immediate(trace):
    # ∂⁺s_K/∂weight_hh_l0[0,1]: unit 0 of h, or by way of the input gate of c
    before = trace.hidden[K, 1]  # the initial state comes first
    if not lstm:
        return np.eye(H)[0] * (1 - trace.hidden[K + 1, 0] ** 2) * before
    i, g, o = (trace[gate][K, 0] for gate in "igo")
    of_c = g * i * (1 - i) * before
    return np.concatenate([
        np.eye(H)[0] * o * (1 - np.tanh(trace.cell[K + 1, 0]) ** 2) * of_c, np.eye(H)[0] * of_c
    ])

def flow(now):
    # adjoints by loss T alone and tangents by step K's copy alone, at the steps between
    trace, jacobians = now.forward(), now.jacobians()
    between = {s: jacobians[s] for s in range(K + 1, T + 1)}
    adjoints = {T: np.concatenate([now.values["v"][T], np.zeros(H if lstm else 0)])}
    for s in range(T, K, -1):
        adjoints[s - 1] = adjoints[s] @ between[s]
    tangents = {K: immediate(trace)}
    for s, jacobian in between.items():
        tangents[s] = jacobian @ tangents[s - 1]
    return between, adjoints, tangents

def graph_html(now, between, adjoints, tangents):
    shares = {s: adjoints[s] * tangents[s] for s in adjoints}
    edges = {s: adjoints[s][:, None] * j * tangents[s - 1] for s, j in between.items()}
    limit = max(np.abs(x).max() for x in [*shares.values(), *edges.values()])
    def colour(x):
        return POSITIVE if x > 0 else NEGATIVE
    drawn = [f'<path d="{STRUCTURE}" stroke="#bbb" stroke-width="0.6"/>']
    for s, flows in edges.items():
        for i, row in enumerate(flows.tolist()):
            for j, x in enumerate(row):
                width = 7 * abs(x) / limit
                if width >= 0.5:
                    drawn.append(
                        f'<line x1="{40 + 70 * s}" y1="{60 + 34 * j}" x2="{110 + 70 * s}" '
                        f'y2="{60 + 34 * i}" stroke="{colour(x)}" stroke-width="{width:.1f}"/>'
                    )
    hidden = now.forward()
    states = np.hstack([hidden.hidden, hidden.cell]) if lstm else hidden.hidden
    for s in range(len(steps)):
        share = shares.get(s)
        for i in range(states.shape[1]):
            x = 0.0 if share is None else float(share[i])
            drawn.append(
                f'<circle cx="{110 + 70 * s}" cy="{60 + 34 * i}" r="9" fill="{colour(x)}" '
                f'fill-opacity="{abs(x) / limit:.2f}" stroke="#777"/>'
            )
            if abs(x) > 0.05 * limit:
                drawn.append(f'<text x="{122 + 70 * s}" y="{52 + 34 * i}">{text(x)}</text>')
        for y, row in ((20, now.values["x"][s]), (80 + 34 * states.shape[1], now.values["v"][s])):
            numbers = " ".join(f"{x:.1f}" for x in row[:4].tolist())
            drawn.append(f'<text x="{80 + 70 * s}" y="{y}">{numbers}</text>')
    size = f'width="{160 + 70 * len(steps)}" height="{100 + 34 * states.shape[1]}"'
    return f'<svg {size} font-size="9" fill="currentColor">' + "".join(drawn) + "</svg>"

def product_html(c, between, adjoints, tangents):
    limit = max((np.abs(j).max() for j in between.values()), default=1.0)
    factors = [matrix(adjoints[T])]
    factors += [matrix(between[s], limit) for s in range(T, K, -1)]
    factors += ["=", matrix(adjoints[K]), matrix(tangents[K][:, None])]
    result = f'= <b data-factor="result">{cell(float(c[T, K]), 1.0)}</b>'
    return '<div style="display:flex;gap:8px">' + " · ".join(factors) + result + "</div>"

def terms_html(now):
    terms = now.terms("weight_hh_l0[0,1]", loss_step=T, source_step=K, top=8)
    rows = [[f"<td>{' → '.join(one.path)}</td>", cell(one.value, 1.0, "td")] for one in terms]
    rest = [f"<td>the others of {terms.count}</td>", cell(terms.remainder, 1.0, "td")]
    return table([*rows, rest])

graph, values, heat, product, ranked = (HTML().add_class("plain-html") for _ in range(5))

def show(value):
    now = moved(value)
    c = contributions(now)
    flows = flow(now)
    graph.value = graph_html(now, *flows)
    values.value = values_html(now, now.gradients())
    heat.value = contributions_html(c)
    show_bars(c)
    show_line(c)
    product.value = product_html(c, *flows)
    ranked.value = terms_html(now)

show(slider.value)
slider.observe(lambda change: show(change.new), "value")
charts = VBox([
    figure(bars, "x", "y", "230px", tick_format=".3~g"),
    figure(line, "x", "y", "230px", tick_format=".0e", num_ticks=5),
], layout=Layout(flex="0 0 480px"))
VBox([slider, graph, values, HBox([heat, charts]), product, ranked]).add_class("side-plain")
"""
