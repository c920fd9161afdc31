// @vitest-environment happy-dom
/** While a contribution is asked about, the list of its terms does not tell whether it is zero. */

import { expect, test } from "vitest";
import { click, open, page, point, rest, takeAway } from "./predict-card";

const ENTRY = "weight_hh_l0[0,1]";

/** The leaves that are zero, the cell, and what is said of its terms once it is told. */
const CASES = [
  [[], [2, 1], /× the total: /],
  [["v"], [2, 1], /Each of its \d terms is exactly zero/],
  [[], [0, 2], /There is no way, and so no term/],
] as const;

test.each(["sign", "number"] as const)("asked for a %s", async (ask) => {
  const seen: string[] = [];
  const { el } = page.view("chain");
  const { network } = page.live;
  for (const [zeros, [t, k], said] of CASES) {
    const nothing = zeros.map((leaf) => [leaf, network.values[leaf].map(() => 0)] as const);
    page.live.assign({ ...network.values, ...Object.fromEntries(nothing) });
    const look = async () => {
      point(); // which selects what takes the focus
      page.live.select(ENTRY);
      page.live.selectCell(t, k);
      await rest();
    };
    await look();
    const terms = () => el.querySelector(".rw-chain-terms") as HTMLElement;
    expect(terms().textContent).toMatch(said);
    await open({ quantity: `contribution[${ENTRY}]`, index: [t, k], ask });
    await look();
    seen.push(terms().outerHTML); // with each title, number and width
    await click("show me");
    await look();
    expect(terms().textContent).toMatch(said);
    takeAway();
  }
  expect(seen[0]).toContain("?");
  expect(seen[1]).toBe(seen[0]);
  expect(seen[2]).toBe(seen[0]);
});
