/** Which view a stub's model asks for. */

import type { AnyModel } from "@anywidget/types";
import { type ComponentType, render } from "preact";
import type { LiveLab } from "../live";
import { Chain } from "./chain";
import { Contributions } from "./contributions";
import { Graph } from "./graph";
import { LabLedger } from "./ledger-lab";
import { Parameters } from "./parameters";
import { Predict } from "./predict";
import { mountTable } from "./table";
import { Toolbar } from "./toolbar";

interface ViewProps {
  readonly lab: LiveLab;
  /** The stub's own model, with the view's options. */
  readonly view: AnyModel;
}

const VIEWS: Readonly<Record<string, ComponentType<ViewProps>>> = {
  chain: Chain,
  contributions: Contributions,
  graph: Graph,
  ledger: LabLedger,
  parameters: Parameters,
  predict: Predict,
  toolbar: Toolbar,
};

/** Draw a view into an element; returns its clean-up. */
export function mount(el: HTMLElement, view: AnyModel, lab: LiveLab): () => void {
  const unmount = draw(el, view, lab);
  lab.places.add(el);
  return () => {
    lab.places.delete(el);
    unmount();
  };
}

function draw(el: HTMLElement, view: AnyModel, lab: LiveLab): () => void {
  const kind = view.get("_kind");
  if (kind === "table") return mountTable(el, view, lab);
  const View = VIEWS[kind];
  render(<View lab={lab} view={view} />, el);
  return () => render(null, el);
}
