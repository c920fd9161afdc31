/** The toolbar: which network there is, what was done to it, and one step downhill. */

import type { AnyModel } from "@anywidget/types";
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import {
  BIASES,
  type Bias,
  type Catalogue,
  chosen,
  readCatalogue,
  sameProgram,
} from "../catalogue";
import { totalLoss } from "../engine/forward";
import { type Changes, LOSSES, type Loss, type Program, refold } from "../engine/program";
import { allDigits, threeDigits } from "../format";
import type { LiveLab } from "../live";
import { copied, sameNumbers } from "../network";
import { refit } from "../refit";
import { KernelNotice } from "./kit";

const REFUSED_RATE = "a rate is a number such as 0.1";
const MOST_UNITS = 16;
const MOST_STEPS = 32;
const MOST_OTHERS = 8;

export function Toolbar({ lab, view }: { lab: LiveLab; view: AnyModel }) {
  lab.revision.value;
  const catalogue = useMemo(() => readCatalogue(view.get("_catalogue")), [view]);
  useLayoutEffect(() => recognise(lab, catalogue), [lab, catalogue]);
  const [refused, setRefused] = useState("");
  const { program } = lab.network;
  const change = (changes: Changes) => {
    try {
      lab.adopt(refit(lab.network, refold(program, changes), lab.initial));
      setRefused("");
    } catch (error) {
      setRefused((error as Error).message);
    }
  };
  return (
    <section class="rw-panel rw-toolbar" data-panel="toolbar" aria-label="Network">
      <div class="rw-row">
        <Presets lab={lab} catalogue={catalogue} />
        <Acts lab={lab} />
        <Descent lab={lab} />
      </div>
      <div class="rw-row">
        <Cell program={program} catalogue={catalogue} change={change} />
        <Sizes program={program} change={change} />
        <LossAndCut program={program} change={change} />
      </div>
      <p class="rw-say" role="status">
        {refused || saying(lab)}
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
      sameProgram(preset.network.program, network.program) &&
      sameNumbers(preset.network, { ...network, program: preset.network.program }),
  );
  if (found) lab.recognise({ network, preset: found.name, say: found.say });
}

/** What the preset shows, as long as it is that network. */
function saying(lab: LiveLab): string {
  const { network, preset, say } = lab.origin.value;
  if (!preset) return "Choose a preset, or move any number below.";
  if (sameProgram(network.program, lab.network.program)) return say;
  return `This was “${preset}”, which reset brings back.`;
}

interface Part {
  readonly program: Program;
  readonly change: (changes: Changes) => void;
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
  const names = catalogue.presets.map(({ name }) => name);
  const { preset } = lab.origin.value;
  return (
    <Choice
      label="preset"
      title="A network that shows something"
      value={preset}
      options={preset ? names : [["", "your own"], ...names]}
      choose={choose}
    />
  );
}

function Acts({ lab }: { lab: LiveLab }) {
  const { canUndo, canRedo } = lab.history;
  return (
    <fieldset class="rw-tools">
      <legend class="rw-hidden">History</legend>
      <button type="button" disabled={!canUndo.value} onClick={() => lab.undo()}>
        ↶ undo
      </button>
      <button type="button" disabled={!canRedo.value} onClick={() => lab.redo()}>
        ↷ redo
      </button>
      <button
        type="button"
        title="Back to the network as it was opened, or to the preset"
        onClick={() => lab.reset()}
      >
        reset
      </button>
    </fieldset>
  );
}

function Descent({ lab }: { lab: LiveLab }) {
  lab.revision.value; // else it would not be drawn anew: its props stay the same
  const [text, setText] = useState("0.1");
  const rate = Number(text.replace("−", "-").replace(",", "."));
  const valid = text.trim() !== "" && Number.isFinite(rate);
  const { gradients, program, values, trace } = lab.results;
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
  const loss = totalLoss(trace);
  return (
    <fieldset class="rw-tools">
      <legend class="rw-hidden">Gradient descent</legend>
      <button
        type="button"
        disabled={!valid || !finite}
        title="Every parameter moves against its gradient: θ − rate · ∂L/∂θ"
        onClick={descend}
      >
        gradient-descent step
      </button>
      <label>
        rate{" "}
        <input
          class="rw-rate"
          value={text}
          inputMode="decimal"
          aria-invalid={!valid}
          title={valid ? "How far one step goes" : REFUSED_RATE}
          data-lm-suppress-shortcuts="true"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <span class="rw-refused" role="alert">
        {valid ? "" : REFUSED_RATE}
      </span>
      <output class="rw-loss" title={`The total loss L = ${allDigits(loss)}`} data-value={loss}>
        L = {threeDigits(loss)}
      </output>
    </fieldset>
  );
}

function Cell({ program, catalogue, change }: Part & { catalogue: Catalogue }) {
  const now = chosen(catalogue.cells, program);
  const take = (label: string, bias: Bias) => {
    const found = catalogue.cells.find((cell) => cell.label === label);
    if (found) change({ cell: found.templates[bias] });
  };
  const labels = catalogue.cells.map(({ label }) => label);
  return (
    <>
      <Choice
        label="cell"
        title="The equations of one step"
        value={now?.label ?? ""}
        options={now ? labels : [["", program.cell.name], ...labels]}
        choose={(label) => take(label, now?.bias ?? "two")}
      />
      <Choice
        label="bias"
        title="PyTorch adds two bias vectors, Flux and Keras one"
        value={now?.bias ?? ""}
        options={now ? BIASES : [["", "its own"]]}
        choose={(bias) => take(now?.label ?? "", bias as Bias)}
      />
    </>
  );
}

function Sizes({ program, change }: Part) {
  const { inputSize, hiddenSize, seqLen, numLayers, bidirectional, readout } = program;
  const count = (most: number, now: number, first = 1) => {
    const all = Array.from({ length: most - first + 1 }, (_, i) => String(i + first));
    return all.includes(String(now)) ? all : [...all, String(now)];
  };
  return (
    <>
      <Choice
        label="units"
        title="H, the length of the hidden state"
        value={String(hiddenSize)}
        options={count(MOST_UNITS, hiddenSize)}
        choose={(n) => change({ hiddenSize: Number(n) })}
      />
      <Choice
        label="steps"
        title="T, the length of the sequence"
        value={String(seqLen)}
        options={count(MOST_STEPS, seqLen)}
        choose={(n) => change({ seqLen: Number(n) })}
      />
      <Choice
        label="inputs"
        title="I, the numbers that each step reads"
        value={String(inputSize)}
        options={count(MOST_OTHERS, inputSize)}
        choose={(n) => change({ inputSize: Number(n) })}
      />
      <Choice
        label="layers"
        title="Each layer reads the one below it"
        value={String(numLayers)}
        options={count(3, numLayers)}
        choose={(n) => change({ numLayers: Number(n) })}
      />
      <Choice
        label="direction"
        title="Both: a second set of units reads the sequence from its end"
        value={bidirectional ? "both" : "forward"}
        options={["forward", "both"]}
        choose={(direction) => change({ bidirectional: direction === "both" })}
      />
      <Choice
        label="readout"
        title="A linear layer from the hidden state to the outputs y"
        value={String(readout ?? 0)}
        options={[["0", "none"], ...count(MOST_OTHERS, readout ?? 1)]}
        choose={(n) => change({ readout: Number(n) || null })}
      />
    </>
  );
}

const LOSS_NAMES: Readonly<Record<Loss, string>> = {
  seed: "free seeds",
  sum: "sum",
  sse: "squared errors",
  mse: "mean squared error",
  cross_entropy: "cross-entropy",
};

function LossAndCut({ program, change }: Part) {
  const { loss, lossSteps, seqLen, truncation } = program;
  const all = lossSteps.length === seqLen;
  const last = lossSteps.length === 1 && lossSteps[0] === seqLen - 1;
  const steps = all ? "all" : last ? "last" : lossSteps.map((t) => t + 1).join(", ");
  const kind = truncation?.kind ?? "off";
  const sizes = Array.from(
    { length: Math.max(seqLen, truncation?.size ?? 1) },
    (_, i) => `${i + 1}`,
  );
  const cut = (to: string, size: number) =>
    change({ truncation: to === "off" ? null : { kind: to as "window" | "chunk", size } });
  return (
    <>
      <Choice
        label="loss"
        title="Free seeds: the weights v of the outputs are yours; else the loss makes them"
        value={loss}
        options={LOSSES.map((name) => [name, LOSS_NAMES[name]])}
        choose={(name) => change({ loss: name as Loss })}
      />
      <Choice
        label="loss at"
        title="Which steps enter the loss"
        value={steps}
        options={[["all", "all steps"], ["last", "the last step"], ...(all || last ? [] : [steps])]}
        choose={(name) => change({ lossSteps: name as "all" | "last" })}
      />
      <Choice
        label="truncate"
        title="Window: each loss keeps only the last steps. Chunk: the state is cut at every edge."
        value={kind}
        options={["off", "window", "chunk"]}
        choose={(name) => cut(name, truncation?.size ?? Math.ceil(seqLen / 2))}
      />
      <Choice
        label="to steps"
        title="How many steps back the truncated gradient goes"
        value={truncation ? String(truncation.size) : ""}
        options={truncation ? sizes : [["", "–"]]}
        choose={(size) => cut(kind, Number(size))}
      />
    </>
  );
}

function Choice(props: {
  label: string;
  title: string;
  value: string;
  options: readonly (string | readonly [value: string, text: string])[];
  choose: (value: string) => void;
}) {
  const { label, title, value, options, choose } = props;
  return (
    <label class="rw-choice" title={title}>
      <span>{label}</span>
      <select
        value={value}
        disabled={options.length === 1}
        data-choice={label}
        data-lm-suppress-shortcuts="true"
        onChange={(event) => choose(event.currentTarget.value)}
      >
        {options.map((option) => {
          const [key, text] = typeof option === "string" ? [option, option] : option;
          return (
            <option key={key} value={key}>
              {text}
            </option>
          );
        })}
      </select>
    </label>
  );
}
