/** Numbers in little room, and the words for one number. */

import { threeDigits } from "../format";

/** A number in at most so many characters, "" if it cannot be said in them. */
export function fitted(x: number, characters: number): string {
  for (const digits of [3, 2, 1]) {
    const text = threeDigits(Number(x.toPrecision(digits)));
    const short =
      digits < 3 ? text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "") : text;
    if (short.length <= characters) return short;
  }
  return "";
}
