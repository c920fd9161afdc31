/** The bundle's entry: the lab's model computes, and lends its views to the stubs. */

import type { AnyModel, InitializeProps } from "@anywidget/types";
import { LiveLab } from "./live";
import { mount } from "./views/views";

export default {
  initialize({ model, signal }: InitializeProps) {
    const lab = new LiveLab(model, signal);
    return {
      lab,
      /** Draw the view that a stub's model asks for; returns its clean-up. */
      mount(el: HTMLElement, view: AnyModel): () => void {
        return mount(el, view, lab);
      },
    };
  },
};
