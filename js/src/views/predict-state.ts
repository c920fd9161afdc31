/** A card's questions: which is open, what the truth is, and what has been guessed. */

import type { AnyModel } from "@anywidget/types";
import { type Signal, signal } from "@preact/signals";
import { parseQuantity } from "../engine/quantities";
import type { LiveLab } from "../live";
import type { Secret } from "../veil";

export interface Question {
  readonly what: string;
  readonly quantity: string;
  /** Which entry of the quantity, or which row of it for a step. */
  readonly index: readonly number[];
  readonly ask: "number" | "sign" | "step";
  readonly tolerance: number;
  readonly question: string;
  readonly hint: string;
  /** The symbol of the steps to choose from. */
  readonly axis: string;
}

export type Sign = "+" | "0" | "-";

/** As Python gets it. */
export interface Guess {
  readonly turn: number;
  readonly what: string;
  readonly ask: Question["ask"];
  /** A number, a sign or a 0-based step; null where the reader gave up. */
  readonly guess: number | Sign | null;
  /** For a step all those that are right. */
  readonly truth: number | Sign | readonly number[];
  readonly right: boolean;
  /** The numbers that the truth was read from. */
  readonly seen: readonly number[];
}

/** The numbers that are asked about, or why there is nothing to guess. */
export type Truth =
  | { readonly numbers: Float64Array; readonly scale: number }
  | { readonly missing: string };

/** Smaller numbers than this part of the largest are judged as if they were as large. */
const SMALL = 0.1;
const TIE = 1e-9;
/** Beside numbers so much larger, what is left of a sum may be its rounding: zero is right, too. */
const ROUNDING = 1e-13;

/** What the graph draws, in one place or another. */
const DRAWN: ReadonlySet<string> = new Set([
  ...["hidden", "cell", "node", "output", "losses"],
  ...["adjoint", "cell_adjoint"].flatMap((of) =>
    ["direct", "carried", "total"].map((part) => `${of}.${part}`),
  ),
]);

export function truthOf(lab: LiveLab, { quantity, index }: Question): Truth {
  const { results } = lab;
  let tensor: ReturnType<typeof results.quantity>;
  try {
    tensor = results.quantity(quantity);
  } catch (error) {
    return { missing: gone((error as Error).message) };
  }
  const { data, shape } = tensor;
  if (index.length > shape.length || index.some((i, axis) => i >= shape[axis])) {
    const written = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
    return { missing: gone(`${quantity} has the shape (${written}) now`) };
  }
  const width = shape.slice(index.length).reduce((n, m) => n * m, 1);
  const start = width * index.reduce((at, i, axis) => at * shape[axis] + i, 0);
  const numbers = data.slice(start, start + width);
  if (!numbers.every(Number.isFinite)) {
    return { missing: "There is nothing to guess: the numbers overflow. Move a weight back." };
  }
  const finite = data.filter(Number.isFinite);
  return { numbers, scale: finite.reduce((most, x) => Math.max(most, Math.abs(x)), 0) };
}

const gone = (why: string) =>
  `The network has no such number any more: ${why.replace(/\.$/, "")}. The question waits until it has.`;

export const signOf = (x: number): Sign => (x > 0 ? "+" : x < 0 ? "-" : "0");

/** How far a guess may be off. */
export function allowance({ tolerance }: Question, truth: number, scale: number): number {
  return tolerance * Math.max(Math.abs(truth), SMALL * scale);
}

/** The steps with the largest absolute value. */
export function largestOf(numbers: Float64Array): number[] {
  const largest = numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return [...numbers.keys()].filter((i) => Math.abs(numbers[i]) >= largest * (1 - TIE));
}

function judged(
  question: Question,
  guess: Guess["guess"],
  { numbers, scale }: { numbers: Float64Array; scale: number },
): Pick<Guess, "truth" | "right"> {
  const [x] = numbers;
  switch (question.ask) {
    case "number":
      return {
        truth: x,
        right: typeof guess === "number" && Math.abs(guess - x) <= allowance(question, x, scale),
      };
    case "sign": {
      const next = Math.abs(x) <= ROUNDING * scale ? "0" : null;
      return { truth: signOf(x), right: guess === signOf(x) || guess === next };
    }
    case "step": {
      const truth = largestOf(numbers);
      return { truth, right: truth.includes(guess as number) };
    }
  }
}

export class Asking {
  readonly questions: Signal<readonly Question[]>;
  readonly guesses: Signal<readonly Guess[]>;
  readonly turn: Signal<number>;
  private readonly listeners: [string, () => void][] = [];

  constructor(
    readonly lab: LiveLab,
    private readonly view: AnyModel,
  ) {
    this.questions = this.follow("_questions");
    this.guesses = this.follow("guesses");
    this.turn = this.follow("_turn");
  }

  /** Which of the questions is asked. */
  get at(): number {
    return this.turn.value % this.questions.value.length;
  }

  get question(): Question {
    return this.questions.value[this.at];
  }

  /** The guess that has been revealed; null while the question is open. */
  get revealed(): Guess | null {
    const last = this.guesses.value[this.guesses.value.length - 1];
    return last?.turn === this.turn.value ? last : null;
  }

  get score(): number {
    return this.guesses.value.filter(({ right }) => right).length;
  }

  /** The numbers of the questions of this round that are still open. */
  *hidden(): Generator<Secret> {
    const from = this.at + (this.revealed ? 1 : 0);
    for (const question of this.questions.value.slice(from)) {
      const truth = truthOf(this.lab, question);
      if ("missing" in truth) continue;
      const { name } = parseQuantity(question.quantity, this.lab.results.program);
      for (const number of truth.numbers)
        yield { number, quantity: DRAWN.has(name) ? "graph" : name };
      for (const secret of this.summands(question)) {
        if (!this.revealed?.seen.includes(secret.number)) yield secret; // else it is looked at now
      }
    }
  }

  /** What a sum over one index of C[t, k] is the sum of: whoever sees that need not guess. */
  private *summands({ quantity, index }: Question): Generator<Secret> {
    const { results } = this.lab;
    const { name, leaf, index: own } = parseQuantity(quantity, results.program);
    if (name !== "by_source" && name !== "by_loss") return;
    const [step] = index;
    if (!own.length) return; // norms over a whole leaf, of which no view shows the summands
    const summed = `contribution[${leaf}[${own.join(",")}]]`;
    const { data } = results.quantity(summed);
    const steps = results.program.seqLen;
    for (const [i, number] of data.entries()) {
      const at = name === "by_source" ? i % steps : Math.floor(i / steps);
      if (step === undefined || at === step) yield { number, quantity: summed };
    }
  }

  /** Take a guess, null for giving up, and reveal the truth as it is now. */
  commit(guess: Guess["guess"]): void {
    const { question, lab } = this;
    const truth = truthOf(lab, question);
    if (this.revealed || "missing" in truth) return;
    const { what, ask } = question;
    const seen = [...truth.numbers];
    const answer = judged(question, guess, truth);
    const made = { turn: this.turn.value, what, ask, guess, ...answer, seen };
    this.save({ guesses: [...this.guesses.value, made] });
    this.look(question, made);
  }

  /** On to the next question, after the last to the first again. */
  next(): void {
    this.save({ _turn: this.turn.value + 1 });
  }

  dispose(): void {
    for (const [event, act] of this.listeners) this.view.off(event, act);
  }

  /** Put in focus what the question was about, so that the other panels show it. */
  private look({ quantity, index }: Question, { truth }: Guess): void {
    const { lab } = this;
    const { name, leaf, index: own } = parseQuantity(quantity, lab.results.program);
    const shape = lab.results.program.parameters[leaf];
    if (!shape) return;
    const entry = own.length ? own : name === "gradient" ? index : [];
    if (entry.length === shape.length) lab.select(`${leaf}[${entry.join(",")}]`);
    const { t, k } = lab.cell.value;
    const [first, second] = Array.isArray(truth) ? [...index, truth[0]] : index;
    if (name === "contribution" && second !== undefined) lab.selectCell(first, second);
    else if (name === "by_source" && first !== undefined) lab.selectCell(t, first);
    else if (name === "by_loss" && first !== undefined) lab.selectCell(first, k);
  }

  private save(traits: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(traits)) this.view.set(name, value);
    if (this.lab.kernel.state.value !== "gone") this.view.save_changes();
  }

  private follow<T>(name: string): Signal<T> {
    const trait = signal<T>(this.view.get(name));
    const act = () => {
      trait.value = this.view.get(name);
    };
    this.view.on(`change:${name}`, act);
    this.listeners.push([`change:${name}`, act]);
    return trait;
  }
}
