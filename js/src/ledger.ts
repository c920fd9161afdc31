/** The bundle of a ledger that stands alone, without a lab. */

import type { RenderProps } from "@anywidget/types";
import { h, render } from "preact";
import { TensorLedger } from "./views/ledger-tensors";

export default {
  render({ model, el }: RenderProps) {
    render(h(TensorLedger, { view: model }), el);
    return () => render(null, el);
  },
};
