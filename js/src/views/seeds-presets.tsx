/** Seeds to begin with: one row alone, all rows, the question's own, what a loss makes of z. */

import type { SeedState } from "../seeds-state";
import { Buttons } from "./buttons";

/** The vector of the question that was really asked. */
const ASKED = [0.1, 1, 0.0001];

const SAYS: Readonly<Record<string, string>> = {
  sum: "loss = z.sum(): every weight is 1",
  mean: "loss = z.mean(): every weight is 1/m",
  sse: "loss = ((z − target)²).sum(): weights 2 (z − target)",
  mse: "loss = ((z − target)²).mean(): weights 2 (z − target) / m",
  own: "the loss that was passed",
  network: "the network's own loss",
};

export function Presets({ state }: { state: SeedState }) {
  const { outputs, symbol } = state;
  const seed = state.seed.value;
  const m = outputs.length;
  const rows =
    m > 1 ? outputs.map((name, i) => [name, oneHot(m, i), `${name} alone`] as const) : [];
  const whole = [
    ["ones", new Float64Array(m).fill(1), `the same as ${symbol}.sum().backward()`] as const,
    ...(m === ASKED.length
      ? [["[0.1, 1.0, 0.0001]", Float64Array.from(ASKED), "the question's own vector"] as const]
      : []),
  ];
  const pressed = [...rows, ...whole].find(([, vector]) => same(vector, seed))?.[0] ?? null;
  const choose = (name: string) => {
    const found = [...rows, ...whole].find(([one]) => one === name);
    if (found) state.put(found[1].slice());
  };
  const losses = [...state.point.value.losses];
  return (
    <div class="rw-seeds-presets">
      {rows.length > 0 && (
        <span class="rw-seeds-choice">
          one row
          <Buttons
            name="seed of one row alone"
            value={pressed}
            choices={rows.map(([name, , title]) => [name, name, title])}
            choose={choose}
          />
        </span>
      )}
      <span class="rw-seeds-choice">
        all
        <Buttons
          name="seed of all rows"
          value={pressed}
          choices={whole.map(([name, , title]) => [name, name, title])}
          choose={choose}
        />
      </span>
      <span class="rw-seeds-choice">
        ∂loss/∂{symbol} of
        <Buttons
          name="seed that a loss makes"
          value={state.loss.value || null}
          choices={losses.map(([name, vector]) => [
            name,
            name,
            vector ? SAYS[name] : `∂${name}/∂${symbol} is not finite here`,
          ])}
          choose={(name) => {
            const vector = state.point.value.losses.get(name);
            if (vector) state.put(vector.slice(), name);
          }}
        />
      </span>
    </div>
  );
}

function oneHot(m: number, i: number): Float64Array {
  const seed = new Float64Array(m);
  seed[i] = 1;
  return seed;
}

const same = (a: Float64Array, b: Float64Array) => a.every((x, i) => x === b[i]);
