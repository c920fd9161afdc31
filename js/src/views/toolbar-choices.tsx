/** The toolbar's choices: what is chosen every day, and the other settings. */

import { BIASES, type Bias, type Catalogue, chosen } from "../catalogue";
import { type Changes, LOSSES, type Loss, type Program } from "../engine/program";

const MOST_UNITS = 16;
const MOST_STEPS = 32;
const MOST_OTHERS = 8;

interface ChoicesProps {
  readonly program: Program;
  readonly catalogue: Catalogue;
  readonly change: (changes: Changes) => void;
}

export function Everyday({ program, catalogue, change }: ChoicesProps) {
  const { hiddenSize, seqLen, loss } = program;
  const now = chosen(catalogue.cells, program);
  const labels = catalogue.cells.map(({ label }) => label);
  return (
    <>
      <Choice
        label="cell"
        title="The equations of one step"
        value={now?.label ?? ""}
        options={now ? labels : [["", program.cell.name], ...labels]}
        choose={(label) => change(templateOf(catalogue, label, now?.bias ?? "two"))}
      />
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
        label="loss"
        title="Free seeds: the weights v of the outputs are yours; else the loss makes them"
        value={loss}
        options={LOSSES.map((name) => [name, LOSS_NAMES[name]])}
        choose={(name) => change({ loss: name as Loss })}
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

export function Others({ program, catalogue, change }: ChoicesProps) {
  const { inputSize, numLayers, bidirectional, readout } = program;
  const now = chosen(catalogue.cells, program);
  return (
    <>
      <Choice
        label="bias"
        title="PyTorch adds two bias vectors, Flux and Keras one"
        value={now?.bias ?? ""}
        options={now ? BIASES : [["", "its own"]]}
        choose={(bias) => change(templateOf(catalogue, now?.label ?? "", bias as Bias))}
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
      <LossSteps program={program} change={change} />
      <Truncation program={program} change={change} />
    </>
  );
}

type PartProps = Omit<ChoicesProps, "catalogue">;

function LossSteps({ program, change }: PartProps) {
  const { lossSteps, seqLen } = program;
  const all = lossSteps.length === seqLen;
  const last = lossSteps.length === 1 && lossSteps[0] === seqLen - 1;
  const steps = all ? "all" : last ? "last" : lossSteps.map((t) => t + 1).join(", ");
  return (
    <Choice
      label="loss at"
      title="Which steps enter the loss"
      value={steps}
      options={[["all", "all steps"], ["last", "the last step"], ...(all || last ? [] : [steps])]}
      choose={(name) => change({ lossSteps: name as "all" | "last" })}
    />
  );
}

function Truncation({ program, change }: PartProps) {
  const { seqLen, truncation } = program;
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

function templateOf({ cells }: Catalogue, label: string, bias: Bias): Changes {
  const found = cells.find((cell) => cell.label === label);
  return found ? { cell: found.templates[bias] } : {};
}

/** Whole numbers up to a most, and the present one. */
function count(most: number, now: number, first = 1): string[] {
  const all = Array.from({ length: most - first + 1 }, (_, i) => String(i + first));
  return all.includes(String(now)) ? all : [...all, String(now)];
}

export function Choice(props: {
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
