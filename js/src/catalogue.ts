/** What the toolbar offers, as Python made it: cells by label and bias form, and presets. */

import { type Program, programToJson } from "./engine/program";
import { type Template, templateFromJson, templateToJson } from "./engine/template";
import { type Network, readNetwork } from "./network";

export const BIASES = ["two", "one", "none"] as const;
export type Bias = (typeof BIASES)[number];

export interface CellChoice {
  readonly label: string;
  readonly templates: Readonly<Record<Bias, Template>>;
}

export interface Preset {
  readonly name: string;
  /** Its name, and what it is where the name alone does not say. */
  readonly label: string;
  readonly say: string;
  /** The entry that shows it best. */
  readonly entry: string;
  /** The contribution that shows it best: loss step and source step. */
  readonly cell: readonly [t: number, k: number];
  readonly network: Network;
}

export interface Catalogue {
  readonly cells: readonly CellChoice[];
  readonly presets: readonly Preset[];
}

interface CatalogueJson {
  readonly cells: { label: string; templates: Record<Bias, object> }[];
  readonly presets: {
    name: string;
    label: string;
    say: string;
    entry: string;
    cell: [number, number];
    network: object;
  }[];
}

export function readCatalogue(data: unknown): Catalogue {
  const { cells, presets } = data as CatalogueJson;
  return {
    cells: cells.map(({ label, templates: { two, one, none } }) => ({
      label,
      templates: {
        two: templateFromJson(two),
        one: templateFromJson(one),
        none: templateFromJson(none),
      },
    })),
    presets: presets.map((preset) => ({ ...preset, network: readNetwork(preset.network) })),
  };
}

/** Which choice a program's cell is; null for a cell of the user's own. */
export function chosen(
  cells: readonly CellChoice[],
  { cell }: Program,
): { label: string; bias: Bias } | null {
  const text = JSON.stringify(templateToJson(cell));
  for (const { label, templates } of cells) {
    const bias = BIASES.find((form) => JSON.stringify(templateToJson(templates[form])) === text);
    if (bias) return { label, bias };
  }
  return null;
}

export function sameProgram(a: Program, b: Program): boolean {
  return JSON.stringify(programToJson(a)) === JSON.stringify(programToJson(b));
}
