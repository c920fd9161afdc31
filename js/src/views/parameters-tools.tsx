/** What can be done to a whole matrix: paste, copy, draw at random, and matrices with a name. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { threeDigits } from "../format";
import { classes, identity, normal, orthogonal, pythonList, uniform, withPart } from "../matrices";
import { useUniqueId } from "./kit";
import { keepPlaced } from "./parameters-bubble";
import { countOf, type Leaf, type Part } from "./parameters-leaves";
import { type Host, initialOf } from "./parameters-numbers";
import { Paste, type Refused } from "./parameters-paste";
import { Radius } from "./parameters-radius";
import { shapeText } from "./parameters-read";

interface ToolsProps {
  readonly host: Host;
  readonly leaf: Leaf;
}

export function Tools({ host, leaf }: ToolsProps) {
  const id = useUniqueId();
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open || !box.current || !button.current) return undefined;
    box.current.querySelector<HTMLElement>("button, select")?.focus();
    return keepPlaced(box.current, button.current);
  }, [open]);

  return (
    <>
      <button
        ref={button}
        type="button"
        class="rw-more"
        popovertarget={id}
        tabIndex={host.current.value === leaf.name ? 0 : -1}
        aria-label={`tools for ${leaf.name}`}
        title="paste, copy, randomise …"
        data-lm-suppress-shortcuts="true"
      >
        ⋯
      </button>
      <div
        ref={box}
        id={id}
        class="rw-box"
        popover="auto"
        role="dialog"
        aria-label={`tools for ${leaf.name}`}
        onToggle={(event) => setOpen((event as unknown as ToggleEvent).newState === "open")}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key !== "Escape") return;
          event.preventDefault();
          box.current?.hidePopover?.();
          button.current?.focus();
        }}
      >
        {open && <Menu host={host} leaf={leaf} />}
      </div>
    </>
  );
}

/** The same under the head of a leaf, for good. */
export function OpenTools({ host, leaf }: ToolsProps) {
  return (
    <section class="rw-box rw-box-open" aria-label={`tools for ${leaf.name}`}>
      <Menu host={host} leaf={leaf} named={false} />
    </section>
  );
}

interface MenuProps extends ToolsProps {
  /** Whether it says of which leaf it is. */
  readonly named?: boolean;
}

function Menu({ host, leaf, named = true }: MenuProps) {
  const { lab } = host;
  const [done, setDone] = useState("");
  const [refused, setRefused] = useState<Refused | null>(null);
  function tell(what: string) {
    setDone(what);
    setRefused(null);
  }
  /** Which gate, by its place among the parts; −1 for all of them. */
  const chosen = useSignal(-1);
  const copy = useRef<HTMLTextAreaElement>(null);
  const [written, setWritten] = useState("");
  const gates = leaf.parts.length > 1;
  const parts = chosen.value < 0 ? leaf.parts : [leaf.parts[chosen.value]];
  const square = leaf.shape.length === 2 && leaf.parts.every(({ rows }) => rows === leaf.columns);
  const which = !gates ? "" : chosen.value < 0 ? "every gate: " : `gate ${parts[0].gate}: `;

  const whole = leaf.kind === "classes";

  function fill(what: string, make: (count: number, part: Part) => Float64Array) {
    let all = lab.network.values[leaf.name];
    for (const part of parts) {
      all = withPart(all, part.start * leaf.columns, make(part.rows * leaf.columns, part));
    }
    lab.assign({ [leaf.name]: all });
    tell(`${which}${what}`);
  }

  function randomise(seed: number) {
    host.seed.value = seed;
    const { hiddenSize, outputSize } = leaf.program;
    if (whole) {
      fill(`classes, each as likely, seed ${seed}`, (count, part) =>
        classes(count, outputSize, seed, salt(leaf, part)),
      );
    } else if (leaf.kind === "parameter") {
      const bound = 1 / Math.sqrt(hiddenSize);
      const what = `uniform within ±1/√${hiddenSize} = ±${threeDigits(bound)}, seed ${seed}`;
      fill(what, (count, part) => uniform(count, bound, seed, salt(leaf, part)));
    } else {
      fill(`standard normal, seed ${seed}`, (count, part) => normal(count, seed, salt(leaf, part)));
    }
  }

  function reset() {
    const first = initialOf(host, leaf);
    fill("as it was opened", (count, { start }) => {
      const from = start * leaf.columns;
      return first.slice(from, from + count);
    });
  }

  async function copyOut() {
    const text = pythonList(lab.network.values[leaf.name], leaf.shape, whole);
    try {
      await navigator.clipboard.writeText(text);
      tell("copied as a Python list");
    } catch {
      setWritten(text); // a page that may not write to the clipboard
      tell("press Ctrl+C to copy what is marked");
      requestAnimationFrame(() => copy.current?.select());
    }
  }

  return (
    <>
      <div class="rw-box-line" hidden={!named && !gates}>
        {named && (
          <>
            <b>{leaf.name}</b> <span class="rw-hint">{shapeText(leaf.shape)}</span>
          </>
        )}
        {gates && (
          <select
            aria-label="which gate"
            data-lm-suppress-shortcuts="true"
            value={chosen.value}
            onChange={(event) => {
              chosen.value = Number(event.currentTarget.value);
              tell("");
            }}
          >
            <option value={-1}>all gates</option>
            {leaf.parts.map(({ gate, words }, i) => (
              <option key={gate} value={i}>
                {gate} {words}
              </option>
            ))}
          </select>
        )}
      </div>
      <div class="rw-box-line">
        <Act name="reset" act={reset} />
        {!whole && <Act name="zero" act={() => fill("zero", (count) => new Float64Array(count))} />}
        {square && (
          <>
            <Act name="identity" act={() => fill("the identity", () => identity(leaf.columns))} />
            <Act
              name="orthogonal"
              act={() => {
                const seed = host.seed.value;
                const made = (_: number, part: Part) =>
                  orthogonal(leaf.columns, seed, salt(leaf, part));
                fill(`random orthogonal, seed ${seed}`, made);
              }}
            />
          </>
        )}
        <Act name="randomise" act={() => randomise(host.seed.value)} />
        <label>
          random seed{" "}
          <input
            type="number"
            class="rw-seed"
            min={0}
            step={1}
            value={host.seed.value}
            data-lm-suppress-shortcuts="true"
            onInput={(event) => {
              const seed = event.currentTarget.valueAsNumber;
              if (Number.isInteger(seed) && seed >= 0) host.seed.value = seed;
            }}
            onKeyDown={(event) => event.key === "Enter" && randomise(host.seed.value)}
          />
        </label>
        <Act name="next seed" act={() => randomise(host.seed.value + 1)} />
      </div>
      {square && leaf.kind === "parameter" && (
        <Radius host={host} leaf={leaf} which={chosen.value} />
      )}
      <Paste host={host} leaf={leaf} onDone={tell} refused={refused} onRefused={setRefused}>
        <Act name="copy as Python list" act={copyOut} />
      </Paste>
      {written && (
        <textarea
          ref={copy}
          class="rw-paste"
          readOnly
          aria-label="to copy"
          rows={Math.min(4, leaf.rows)}
          value={written}
        />
      )}
      <p class="rw-hint rw-done" role="status">
        {done || `${countOf(leaf)} numbers; every change can be undone`}
      </p>
    </>
  );
}

/** Parts of one leaf are drawn apart. */
const salt = ({ name }: Leaf, { gate }: Part) => `${name} ${gate}`;

export function Act({ name, act }: { name: string; act: () => void }) {
  return (
    <button type="button" data-lm-suppress-shortcuts="true" onClick={act}>
      {name}
    </button>
  );
}
