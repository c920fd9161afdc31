/** Negative and positive stay apart for colour-blind readers, and lines can be seen on the page. */

import { readdirSync, readFileSync } from "node:fs";
import {
  type Color,
  converter,
  differenceCiede2000,
  filterDeficiencyDeuter,
  filterDeficiencyProt,
  filterDeficiencyTrit,
  parse,
  wcagContrast,
} from "culori";
import { describe, expect, test } from "vitest";

const CSS = readFileSync(new URL("../src/views/kit.css", import.meta.url), "utf8");

interface Theme {
  readonly colors: Readonly<Record<string, string>>;
  readonly grounds: readonly string[];
}

/** The colours that a rule sets, by name. */
function colors(selector: string): Record<string, string> {
  const [, rule] = CSS.split(`${selector} {`);
  const set = rule.slice(0, rule.indexOf("}")).matchAll(/--rw-([\w-]+): (#\w+);/g);
  return Object.fromEntries([...set].map(([, name, color]) => [name, color]));
}

/** With the grounds that JupyterLab's themes have, and those of their raised parts. */
const THEMES: Record<string, Theme> = {
  light: { colors: colors(".rw-panel,\n.rw-explorer"), grounds: ["#ffffff", "#f5f5f5"] },
  dark: {
    colors: colors('[data-jp-theme-light="false"] :is(.rw-panel, .rw-explorer)'),
    grounds: ["#111111", "#212121"],
  },
};

type Sight = (color: string) => Color;

const linear = converter("lrgb");

/** A colour as somebody sees it (Machado, Oliveira & Fernandes 2009). Their matrices are for linear
 * light, and the library multiplies whatever it is given as "rgb". */
const blind =
  (filter: ReturnType<typeof filterDeficiencyProt>): Sight =>
  (color) => {
    const { r, g, b } = linear(parse(color)) as { r: number; g: number; b: number };
    return { ...filter({ mode: "rgb", r, g, b }), mode: "lrgb" } as Color;
  };

const SIGHTS: [string, Sight][] = [
  ["full sight", (color) => parse(color) as Color],
  ["protanopia", blind(filterDeficiencyProt(1))],
  ["deuteranopia", blind(filterDeficiencyDeuter(1))],
  ["tritanopia", blind(filterDeficiencyTrit(1))],
];

// CIEDE2000: 2 or so can just be told apart side by side. Cells and edges are small, apart, and
// mostly paler than full depth: at a quarter of it 40 are still some 10, a difference at a glance.
const APART = 40;
const CONTRAST = 3; // WCAG 2.2, 1.4.11: what is no text

const difference = differenceCiede2000();

describe.each(Object.entries(THEMES))("in the %s theme", (_, { colors: theme, grounds }) => {
  describe.each(SIGHTS)("to %s", (_, seen) => {
    test.each(["", "-line"])("negative%s and positive%s stay apart", (kind) => {
      const [negative, positive] = [theme[`negative${kind}`], theme[`positive${kind}`]].map(seen);
      expect(difference(negative, positive)).toBeGreaterThan(APART);
    });

    test.each(["negative-line", "positive-line", "accent"])("%s is seen on the page", (name) => {
      for (const ground of grounds) {
        expect(wcagContrast(seen(theme[name]), seen(ground))).toBeGreaterThan(CONTRAST);
      }
    });

    test("a pale cell is told from a pale one of the other sign", () => {
      const [negative, positive] = ["negative", "positive"].map((name) =>
        mixed(seen(theme[name]), seen(grounds[0]), 0.25),
      );
      expect(difference(negative, positive)).toBeGreaterThan(APART / 4);
    });
  });
});

/** As color-mix(in srgb, …) has it. */
function mixed(color: Color, ground: Color, part: number): Color {
  const [a, b] = [color, ground].map((one) => converter("rgb")(one));
  const mix = (x: number, y: number) => part * x + (1 - part) * y;
  return { mode: "rgb", r: mix(a.r, b.r), g: mix(a.g, b.g), b: mix(a.b, b.b) };
}

test("no panel has fills of its own: a number has one colour in a cell and in a sum", () => {
  const folder = new URL("../src/views/", import.meta.url);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".css"))) {
    if (file === "kit.css") continue;
    const css = readFileSync(new URL(file, folder), "utf8");
    expect([file, /--rw-(negative|positive)(-line)?:/.exec(css)]).toEqual([file, null]);
  }
});
