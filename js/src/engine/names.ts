/** The sentences for names that do not exist, word for word those of `core/names.py`. */

/** The error for an unknown name: what was given, the nearest valid name, and all there are. */
export function unknown(what: string, name: string, names: readonly string[]): Error {
  const near = nearest(name, names);
  const hint = near === undefined ? "there are" : `did you mean ${quoted(near)}? There are`;
  return new Error(`there is no ${what} ${quoted(name)}; ${hint}: ${names.join(", ")}.`);
}

/** A text in quotation marks, as Python shows it. */
export function quoted(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escapes: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  const written = [...text].map((c) => escapes[c] ?? (c === mark || c === "\\" ? `\\${c}` : c));
  return mark + written.join("") + mark;
}

/** The valid name most like a given one, upper and lower case alike; none if none is. Of equals
 * the last in the alphabet, as Python's `difflib.get_close_matches` has it. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const given = [...name.toLowerCase()];
  const lowered = new Map(names.map((valid) => [valid.toLowerCase(), valid]));
  const ranked = [...lowered].map(([lower, valid]) => {
    const letters = [...lower];
    return { lower, valid, alike: (2 * common(letters, given)) / (letters.length + given.length) };
  });
  ranked.sort((a, b) => b.alike - a.alike || (a.lower < b.lower ? 1 : -1));
  return ranked[0]?.alike >= 0.4 ? ranked[0].valid : undefined;
}

/** How many letters match: those of the longest run in common, and likewise on its either side. */
function common(a: readonly string[], b: readonly string[]): number {
  let [length, i, j] = [0, 0, 0];
  a.forEach((_, p) => {
    b.forEach((_, q) => {
      let run = 0;
      while (p + run < a.length && q + run < b.length && a[p + run] === b[q + run]) run++;
      if (run > length) [length, i, j] = [run, p, q];
    });
  });
  if (!length) return 0;
  const left = common(a.slice(0, i), b.slice(0, j));
  return length + left + common(a.slice(i + length), b.slice(j + length));
}
