/** The sentence for a name that does not exist; `rnn_widgets/core/names.py` has its like. */

/** The error for an unknown name: what was given, the nearest valid name, and all there are. */
export function unknown(what: string, name: string, names: readonly string[]): Error {
  const near = nearest(name, names);
  const hint = near === undefined ? "" : `did you mean "${near}"? `;
  return new Error(`there is no ${what} "${name}"; ${hint}There are: ${names.join(", ")}.`);
}

/** The valid name most like a given one, upper and lower case alike; none if none is. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let most = 0.4;
  for (const valid of names) {
    const alike = likeness(name.toLowerCase(), valid.toLowerCase());
    if (alike > most) [best, most] = [valid, alike];
  }
  return best;
}

/** 1 for equal texts, 0 for texts without a letter in common: the share of both that is their
 * longest common subsequence. */
function likeness(a: string, b: string): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const letter of a) {
    const next = [0];
    for (let j = 0; j < b.length; j++) {
      next.push(letter === b[j] ? row[j] + 1 : Math.max(row[j + 1], next[j]));
    }
    row = next;
  }
  return (2 * row[b.length]) / (a.length + b.length);
}
