/** How the paths of listed terms are written in the room there is: what they share gives way first, for
 * what tells them apart to be seen. */

import type { Term } from "../engine/paths";

type Path = readonly string[];

/** A text for each term, in so many characters where that can be. */
export function pathTexts(terms: readonly Term[], room: number): string[] {
  const paths = terms.map(({ path }) => path);
  const ways = [whole, withoutEnds(paths), shortest(paths)];
  const texts = ways.map((write) => paths.map(write));
  const written = texts.find((all) => all.every((text) => text.length <= room)) ?? texts[2];
  return written.map((text, i) => text + apart(terms, i));
}

const ARROW = " → ";
const LEFT_OUT = "⋯";

const whole = (path: Path) => path.join(ARROW);

/** What all paths begin and end with is left out, but for the loss. */
function withoutEnds(paths: readonly Path[]) {
  const [first, last] = commonEnds(paths);
  return (path: Path) =>
    [...start(path, first), ...middle(path, first, last), ...end(last)].join(ARROW);
}

function shortest(paths: readonly Path[]) {
  const [first, last] = commonEnds(paths);
  return (path: Path) =>
    [...start(path, first), ...runs(middle(path, first, last)), ...end(last)].join(ARROW);
}

const start = (path: Path, first: number) => (first > 1 ? [path[0], LEFT_OUT] : [path[0]]);
const middle = (path: Path, first: number, last: number) => path.slice(first, path.length - last);
const end = (last: number) => (last ? [LEFT_OUT] : []);

/** How many places all paths have in common from the loss on, and how many at their other end. A
 * single path, and one that goes on where another ends, keeps what lies between. */
function commonEnds(paths: readonly Path[]): readonly [number, number] {
  const [one, ...others] = paths;
  if (!others.length) return [1, 0];
  const shortestPath = Math.min(...paths.map(({ length }) => length));
  let first = 1;
  while (first < shortestPath - 1 && others.every((path) => path[first] === one[first])) first++;
  let last = 0;
  while (
    last < shortestPath - first &&
    others.every((path) => path.at(-1 - last) === one.at(-1 - last))
  )
    last++;
  return [first, last];
}

const STATE = /^(.*?)([₀-₉]+)\[(\d+)\]$/;

/** A state step by step, as one: h₉[0] → h₈[1] → h₇[1] is h₉…h₇[0 1 1], and c₉[0] → c₈[0] is c₉…c₈[0]. */
function runs(path: Path): string[] {
  const found: { name: string; steps: string[]; units: string[] }[] = [];
  for (const place of path) {
    const [, name = place, step = "", unit = ""] = STATE.exec(place) ?? [];
    const before = found.at(-1);
    if (step && before?.name === name) {
      before.steps.push(step);
      before.units.push(unit);
    } else found.push({ name, steps: [step], units: [unit] });
  }
  return found.map(({ name, steps, units }) => {
    if (!steps[0]) return name;
    const passed = new Set(units).size === 1 ? units[0] : units.join(" ");
    const to = steps.length > 1 ? `…${name}${steps.at(-1)}` : "";
    return `${name}${steps[0]}${to}[${passed}]`;
  });
}

/** Terms may pass the same names by other derivatives: then one of these tells them apart. */
function apart(terms: readonly Term[], i: number): string {
  const text = whole(terms[i].path);
  const same = terms.filter((term) => term !== terms[i] && whole(term.path) === text);
  if (!same.length) return "";
  const labels = ({ factors }: Term) => new Set(factors.map(([label]) => label));
  const others = same.map(labels);
  const own = [...labels(terms[i])].find((label) => others.every((theirs) => !theirs.has(label)));
  return own ? ` (× ${own})` : "";
}
