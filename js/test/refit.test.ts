import { describe, expect, it } from "vitest";
import { type Changes, programFromJson, refold } from "../src/engine";
import type { Network } from "../src/network";
import { refit } from "../src/refit";
import { VECTORS } from "./vectors";

function saved(file: string, name: string): Network {
  const found = VECTORS[file].find((one) => one.name === name);
  if (!found) throw new Error(`no case ${name} in ${file}`);
  const values = Object.entries(found.values).map(([leaf, list]) => [
    leaf,
    Float64Array.from(list),
  ]);
  return { program: programFromJson(found.program), values: Object.fromEntries(values) };
}

const rnn = saved("rnn", "tanh, bias True");
const lstm = saved("lstm", "bias True");

const changed = (net: Network, changes: Changes, initial = net) =>
  refit(net, refold(net.program, changes), initial);

/** A matrix as rows. */
function rows(net: Network, leaf: string): number[][] {
  const [height, width] = net.program.leaves[leaf];
  return Array.from({ length: height }, (_, i) => [
    ...net.values[leaf].subarray(i * width, (i + 1) * width),
  ]);
}

describe("refit", () => {
  it("keeps what both sizes have", () => {
    const H = rnn.program.hiddenSize;
    const grown = changed(rnn, { hiddenSize: H + 2 });
    const kept = rows(grown, "weight_hh_l0")
      .slice(0, H)
      .map((row) => row.slice(0, H));
    expect(kept).toEqual(rows(rnn, "weight_hh_l0"));
    expect(grown.values["x"]).toEqual(rnn.values["x"]);
    expect(changed(grown, { hiddenSize: H }).values).toEqual(rnn.values);
  });

  it("matches stacked gates one by one", () => {
    const H = lstm.program.hiddenSize;
    const grown = rows(changed(lstm, { hiddenSize: H + 1 }), "weight_hh_l0");
    rows(lstm, "weight_hh_l0").forEach((row, r) => {
      const gate = Math.floor(r / H);
      expect(grown[gate * (H + 1) + (r % H)].slice(0, H)).toEqual(row);
    });
  });

  it("draws what is new as Python does, the same every time", () => {
    const H = rnn.program.hiddenSize + 6;
    const grown = changed(rnn, { hiddenSize: H, seqLen: rnn.program.seqLen + 3 });
    expect(changed(rnn, { hiddenSize: H, seqLen: rnn.program.seqLen + 3 })).toEqual(grown);
    const fresh = rows(grown, "weight_hh_l0").slice(rnn.program.hiddenSize).flat();
    expect(Math.max(...fresh.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(H));
    expect(new Set(fresh).size).toBe(fresh.length);
    expect([...grown.values["h0"]].slice(rnn.program.hiddenSize)).toEqual(new Array(6).fill(0));
  });

  it("takes lost entries back from where reset leads", () => {
    const T = rnn.program.seqLen;
    const short = changed(rnn, { seqLen: T - 1 });
    expect(changed(short, { seqLen: T }, rnn).values["x"]).toEqual(rnn.values["x"]);
  });

  it("draws another cell's matrices anew where shapes differ, and keeps the inputs", () => {
    const as = refit(rnn, refold(rnn.program, { cell: lstm.program.cell }), rnn);
    expect(as.values["x"]).toEqual(rnn.values["x"]);
    expect(as.values["weight_hh_l0"]).toHaveLength(4 * rnn.program.hiddenSize ** 2);
    const earlier = new Set(rnn.values["weight_hh_l0"]);
    expect(as.values["weight_hh_l0"].some((x) => earlier.has(x))).toBe(false);
    expect(as.values["c0"].every((x) => x === 0)).toBe(true);
  });

  it("draws classes that exist", () => {
    const classes = changed(rnn, { loss: "cross_entropy", readout: 3 }).values["target"];
    expect(classes).toHaveLength(rnn.program.seqLen);
    expect(classes.every((c) => Number.isInteger(c) && c >= 0 && c < 3)).toBe(true);
  });

  it("never puts a class where there is none any more", () => {
    const many = changed(rnn, { loss: "cross_entropy", readout: 8 });
    many.values["target"].fill(7);
    const few = changed(many, { readout: 2 });
    expect(few.values["target"].every((c) => c < 2)).toBe(true);
  });
});
