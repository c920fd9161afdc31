/** The entry of the seed explorer's bundle: one state per model, drawn as often as it is shown. */

import type { InitializeProps, RenderProps } from "@anywidget/types";
import { SeedState } from "./seeds-state";
import { mountSeeds } from "./views/seeds";

export default () => {
  let state: SeedState;
  return {
    initialize({ model, signal }: InitializeProps) {
      state = new SeedState(model, signal);
    },
    render({ el }: RenderProps) {
      return mountSeeds(el, state);
    },
  };
};
