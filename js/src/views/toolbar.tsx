/** The toolbar: which network there is, what was done to it, and one step downhill. */

import type { AnyModel } from "@anywidget/types";
import { useComputed } from "@preact/signals";
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { type Catalogue, readCatalogue, sameProgram } from "../catalogue";
import { totalLoss } from "../engine/forward";
import { type Changes, refold } from "../engine/program";
import { allDigits, threeDigits } from "../format";
import type { LiveLab } from "../live";
import { copied, type Network, sameNumbers } from "../network";
import { refit } from "../refit";
import { KernelNotice, useUniqueId } from "./kit";
import { Message } from "./parameters-bubble";
import { Choice, Everyday, Others } from "./toolbar-choices";
import { notable, RATE, rateOf, refusedRate } from "./toolbar-notable";

export function Toolbar({ lab, view }: { lab: LiveLab; view: AnyModel }) {
  const program = useComputed(() => {
    lab.revision.value;
    return lab.network.program;
  }).value;
  const catalogue = useMemo(() => readCatalogue(view.get("_catalogue")), [view]);
  useLayoutEffect(() => recognise(lab, catalogue), [lab, catalogue]);
  const [refused, setRefused] = useState("");
  const [rate, setRate] = useState(RATE);
  const [open, setOpen] = useState(false);
  const others = useUniqueId();
  const change = (changes: Changes) => {
    try {
      lab.adopt(refit(lab.network, refold(program, changes), lab.initial));
      setRefused("");
    } catch (error) {
      setRefused((error as Error).message);
    }
  };
  return (
    <section class="rw-panel rw-toolbar" data-panel="toolbar" aria-label="Network" tabIndex={-1}>
      <div class="rw-row">
        <Presets lab={lab} catalogue={catalogue} />
        <Everyday program={program} catalogue={catalogue} change={change} />
        <Acts lab={lab} />
        <Descent lab={lab} text={rate} />
      </div>
      <div class="rw-row rw-more-line">
        <button
          type="button"
          class="rw-others"
          aria-expanded={open}
          aria-controls={others}
          title="bias, inputs, layers, direction, readout, loss steps, truncation, rate"
          data-lm-suppress-shortcuts="true"
          onClick={() => setOpen(!open)}
        >
          more settings: <span>{notable(program, catalogue, rate).join(" · ")}</span>
        </button>
        <Loss lab={lab} />
      </div>
      <div id={others} class="rw-row" hidden={!open}>
        <Others program={program} catalogue={catalogue} change={change} />
        <Rate text={rate} set={setRate} />
      </div>
      <p class="rw-say" role="status">
        {refused || <Saying lab={lab} />}
      </p>
      <KernelNotice lab={lab} />
    </section>
  );
}

/** A network that was opened as a preset goes by its name. */
function recognise(lab: LiveLab, { presets }: Catalogue): void {
  const { network } = lab.origin.value;
  const found = presets.find(
    (preset) =>
      sameProgram(preset.network.program, network.program) && sameValues(preset.network, network),
  );
  if (found) lab.recognise({ network, preset: found.name, say: found.say });
}

/** Of networks with equal programs, which need not be the same object. */
const sameValues = (a: Network, b: Network) => sameNumbers(a, { ...b, program: a.program });

/** What the preset shows, as long as it is that network: its sentence tells of its very numbers. */
function Saying({ lab }: { lab: LiveLab }) {
  lab.revision.value;
  const { network, preset, say } = lab.origin.value;
  if (!preset) return "Choose a preset, or move any number below.";
  if (!sameProgram(network.program, lab.network.program)) {
    return `This was “${preset}”, which reset brings back; numbers that it did not have were drawn.`;
  }
  return sameValues(network, lab.network) ? say : `“${preset}”, edited: reset brings it back.`;
}

function Presets({ lab, catalogue }: { lab: LiveLab; catalogue: Catalogue }) {
  const choose = (name: string) => {
    const preset = catalogue.presets.find((one) => one.name === name);
    if (!preset) return;
    const { network, say, entry, cell } = preset;
    lab.adopt(copied(network), { network, preset: name, say });
    lab.select(entry);
    lab.selectCell(...cell);
  };
  const named = catalogue.presets.map(({ name, label }) => [name, label] as const);
  const { preset } = lab.origin.value;
  return (
    <Choice
      label="preset"
      title="A network that shows something"
      value={preset}
      options={preset ? named : [["", "your own"], ...named]}
      choose={choose}
    />
  );
}

function Acts({ lab }: { lab: LiveLab }) {
  const { canUndo, canRedo } = lab.history;
  return (
    <fieldset class="rw-tools">
      <legend class="rw-hidden">History</legend>
      {/* aria-disabled: what is disabled altogether would lose the focus, and the keys with it. */}
      <button
        type="button"
        aria-disabled={!canUndo.value}
        title="undo (Ctrl+Z)"
        data-lm-suppress-shortcuts="true"
        onClick={() => lab.undo()}
      >
        ↶<span class="rw-hidden"> undo</span>
      </button>
      <button
        type="button"
        aria-disabled={!canRedo.value}
        title="redo (Ctrl+Shift+Z)"
        data-lm-suppress-shortcuts="true"
        onClick={() => lab.redo()}
      >
        ↷<span class="rw-hidden"> redo</span>
      </button>
      <button
        type="button"
        title="Back to the network as it was opened, or to the preset"
        data-lm-suppress-shortcuts="true"
        onClick={() => lab.reset()}
      >
        reset
      </button>
    </fieldset>
  );
}

/** `text` is the rate as it was typed. */
function Descent({ lab, text }: { lab: LiveLab; text: string }) {
  lab.revision.value; // else it would not be drawn anew: its props stay the same
  const { gradients, program, values } = lab.results;
  const rate = rateOf(text);
  const refused = refusedRate(text);
  const descend = () => {
    const moved = Object.keys(program.parameters).map((leaf) => [
      leaf,
      values[leaf].map((x, i) => x - rate * gradients[leaf][i]),
    ]);
    lab.assign(Object.fromEntries(moved));
  };
  const finite = Object.keys(program.parameters).every((leaf) =>
    gradients[leaf].every(Number.isFinite),
  );
  return (
    <button
      type="button"
      aria-label="gradient-descent step"
      disabled={refused !== "" || !finite}
      title={
        refused
          ? `${refused} (more settings)`
          : `Every parameter moves against its gradient: θ − ${rate} · ∂L/∂θ (rate: more settings)`
      }
      data-lm-suppress-shortcuts="true"
      onClick={descend}
    >
      descent step
    </button>
  );
}

function Rate({ text, set }: { text: string; set: (text: string) => void }) {
  const id = useUniqueId();
  const refused = refusedRate(text);
  return (
    <label class="rw-choice">
      rate
      <input
        class="rw-rate"
        value={text}
        inputMode="decimal"
        aria-invalid={refused !== ""}
        aria-describedby={refused ? id : undefined}
        title={refused || "How far one gradient-descent step goes: a number above 0"}
        data-lm-suppress-shortcuts="true"
        onInput={(event) => set(event.currentTarget.value)}
      />
      {refused && <Message id={id}>{refused}</Message>}
    </label>
  );
}

function Loss({ lab }: { lab: LiveLab }) {
  lab.revision.value; // see above
  const loss = totalLoss(lab.results.trace);
  return (
    <output
      class="rw-loss"
      title={`The total loss L = ${lab.veil.text(loss, allDigits, "loss")}`}
      data-value={lab.veil.text(loss, String, "loss")}
    >
      L = {lab.veil.text(loss, threeDigits, "loss")}
    </output>
  );
}
