/** What `backward()` without an argument needs, and what calls of it leave in `.grad`. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { allDigits, fitting } from "../format";
import { called, emptied, rerun, type Tape } from "../seeds-math";
import type { SeedState } from "../seeds-state";
import { limitOf, tint, useUniqueId } from "./kit";
import { entryOf } from "./seeds-table";

export function Bare({ state }: { state: SeedState }) {
  const id = useUniqueId();
  const { symbol: z, outputs } = state;
  const { bare } = state.point.value.backward;
  return (
    <article class="rw-seeds-card" data-card="bare" aria-labelledby={id}>
      <h4 id={id}>
        What <code>backward()</code> without an argument needs
      </h4>
      <pre class="rw-seeds-code">
        {`${z}.backward()\n`}
        <span data-error={bare !== null || undefined}>{bare ?? "# runs, with the seed 1"}</span>
      </pre>
      {bare === null ? (
        <p>
          {z} has a single entry, and so J a single row: torch takes 1 for its weight. Another
          weight v only scales the gradient.
        </p>
      ) : (
        <p>
          {z} has {outputs.length} entries, and each is a row of J: somebody has to say how much
          each row weighs, and only for a scalar can torch guess (1). Give the weights,{" "}
          <code>{z}.backward(v)</code>, or make a scalar of {z} first:{" "}
          <code>{z}.sum().backward()</code> weighs all rows by 1, a loss by ∂loss/∂{z}.
        </p>
      )}
    </article>
  );
}

export function Accumulation({ state }: { state: SeedState }) {
  const id = useUniqueId();
  const retain = useSignal(false);
  const { symbol, names, args } = state;
  const tape = state.tape.value;
  const zero = `${names.map((name) => `${name}.grad = `).join("")}None`;
  return (
    <article class="rw-seeds-card" data-card="accumulation" aria-labelledby={id}>
      <h4 id={id}>
        What calls of <code>backward(v)</code> leave in <code>.grad</code>
      </h4>
      <div class="rw-tools">
        <button
          type="button"
          data-lm-suppress-shortcuts="true"
          onClick={() => {
            state.tape.value = called(tape, state.point.value, names, state.seed.value, {
              symbol,
              retain: retain.value,
            });
          }}
        >
          call {symbol}.backward(v)
        </button>
        <label class="rw-seeds-switch">
          <input
            type="checkbox"
            checked={retain.value}
            data-lm-suppress-shortcuts="true"
            onInput={(event) => {
              retain.value = event.currentTarget.checked;
            }}
          />{" "}
          retain_graph
        </label>
        <button
          type="button"
          data-lm-suppress-shortcuts="true"
          onClick={() => {
            state.tape.value = emptied(tape, zero);
          }}
        >
          zero grad
        </button>
        <button
          type="button"
          title={`a new forward pass makes a new graph: ${state.run}`}
          data-lm-suppress-shortcuts="true"
          onClick={() => {
            state.tape.value = rerun(tape, state.run);
          }}
        >
          {state.network ? "run the network again" : "run f again"}
        </button>
      </div>
      <div class="rw-seeds-grads">
        {args.map((argument, a) => {
          const grad = tape.grads[a];
          const limit = limitOf(grad ?? []);
          return (
            <div key={argument.name} class="rw-seeds-grad" data-grad={argument.name}>
              <code>{argument.name}.grad</code>
              <span class="rw-seeds-cells">
                {Array.from({ length: argument.size }, (_, j) => {
                  const entry = entryOf(argument, j);
                  if (!grad) {
                    return (
                      <span key={entry} class="rw-cell" data-none>
                        {j === 0 ? "None" : " "}
                      </span>
                    );
                  }
                  return (
                    <span
                      key={entry}
                      class="rw-cell"
                      data-value={grad[j]}
                      title={`.grad of ${entry} = ${allDigits(grad[j])}`}
                      {...tint(grad[j], limit)}
                    >
                      {fitting(grad[j], 8)}
                    </span>
                  );
                })}
              </span>
            </div>
          );
        })}
      </div>
      <p class="rw-seeds-why" aria-live="polite">
        {why(state, tape)}
      </p>
      <Log tape={tape} />
    </article>
  );
}

/** What has been run, the last of it in sight. */
function Log({ tape }: { tape: Tape }) {
  const log = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    const el = log.current as HTMLPreElement;
    el.scrollTop = el.scrollHeight;
  }, [tape]);
  return (
    <pre
      ref={log}
      class="rw-seeds-code rw-seeds-log"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
      tabIndex={0}
      role="log"
      aria-label="what has been run"
      data-lm-suppress-shortcuts="true"
    >
      {tape.lines.map(({ code, error }, i) => (
        <span key={i}>
          {`${code}\n`}
          {error && <span data-error>{`${error}\n`}</span>}
        </span>
      ))}
    </pre>
  );
}

function why({ point, symbol, network }: SeedState, { lines, added, freed }: Tape): string {
  const last = lines[lines.length - 1];
  const { again, reached } = point.value.backward;
  const run = network ? "run the network" : "run f";
  if (last.error) {
    const passed = reached.size
      ? ` What torch came by before has been added to all the same: ${[...reached].join(", ")}.`
      : "";
    return (
      "The call before freed what the forward pass had saved, and this one needs it: " +
      `keep it with retain_graph, or ${run} again.${passed}`
    );
  }
  if (!added) return "Nothing has been added: .grad is None.";
  if (added === 1) return `One call: .grad is vᵀJ.${kept(again, freed)}`;
  return (
    `${added} calls: backward adds to .grad, which now holds the sum of ${added} gradients. ` +
    `Zero it where only the next one is wanted.${again === null ? nothingSaved(symbol) : ""}`
  );
}

const kept = (again: string | null, freed: boolean) =>
  again !== null && freed ? " The graph is freed." : "";

const nothingSaved = (symbol: string) =>
  ` No retain_graph is needed: ${symbol} was computed without saving any tensor.`;
