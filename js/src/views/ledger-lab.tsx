/** The ledger of a lab's leaves: which object each was copied from, and what others call it. */

import type { AnyModel } from "@anywidget/types";
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo } from "preact/hooks";
import { norm } from "../engine/norms";
import { allDigits, threeDigits } from "../format";
import type { LiveLab } from "../live";
import { KernelNotice, Panel } from "./kit";
import { LookAgain } from "./ledger-look";
import { type LedgerRow, LedgerTable, litNames, Pointing } from "./ledger-table";
import { truncatedText } from "./parameters-numbers";

const UNSAID = "not known: Python has not yet named the leaves of this structure";

interface SourceJson {
  readonly leaf: string;
  readonly object: number;
  readonly what: string;
  readonly recorded: number | null;
  readonly now: number | null;
  readonly state: string;
}

export function LabLedger({ lab, view }: { lab: LiveLab; view: AnyModel }) {
  const sources = useSignal<readonly SourceJson[]>(view.get("_sources"));
  const pointing = useMemo(() => new Pointing(), []);
  useLayoutEffect(() => {
    const follow = () => {
      sources.value = view.get("_sources");
    };
    view.on("change:_sources", follow);
    return () => view.off("change:_sources", follow);
  }, [view, sources]);
  const name = pointing.name.value;
  useLayoutEffect(() => {
    lab.pointed.value = name;
  }, [lab, name]);
  useLayoutEffect(() => {
    return () => {
      lab.pointed.value = "";
    };
  }, [lab]);
  lab.revision.value; // what this view follows
  const rows = rowsOf(lab, sources.value);
  const { program } = lab.results;
  const changed = rows.filter((row) => row.standing === "changed").map((row) => row.name);
  return (
    <Panel
      name="ledger"
      title="Which gradient is which"
      say="Each gradient belongs to a leaf of the lab, under the names that PyTorch, Keras and Flux have for it; a leaf that was copied from an object also says which."
      tools={<LookAgain view={view} changed={changed} />}
    >
      <KernelNotice lab={lab} />
      <LedgerTable
        rows={rows}
        pointing={pointing}
        caption={`∂L${truncatedText(program)} by every leaf, as the lab stands`}
      />
      <output class="rw-ledger-told">{told(rows, name)}</output>
    </Panel>
  );
}

function rowsOf(lab: LiveLab, sources: readonly SourceJson[]): LedgerRow[] {
  const { program, gradients, values } = lab.results;
  const { veil } = lab;
  const known = lab.known.knows(program);
  return Object.entries(gradients).map(([leaf, gradient]) => {
    const source = sources.find((one) => one.leaf === leaf);
    const size = norm(gradient);
    const opened = lab.initial.values[leaf];
    const moved =
      opened?.length !== values[leaf].length || values[leaf].some((x, i) => x !== opened[i]);
    return {
      name: leaf,
      also: lab.aliases.value[leaf] ?? (known || !program.parameters[leaf] ? [] : [UNSAID]),
      shape: program.leaves[leaf],
      dtype: "float64",
      object: source?.object ?? 0,
      what: source?.what ?? "",
      version: versionOf(source),
      norm: { text: veil.text(size, threeDigits), title: veil.text(size, allDigits) },
      gradient: null,
      ...stateOf(source, moved),
    };
  });
}

function versionOf(source: SourceJson | undefined): string {
  if (source?.recorded == null) return "—";
  return source.recorded === source.now
    ? `${source.recorded}`
    : `${source.recorded} → ${source.now}`;
}

/** Moves made here are known here, with or without Python. */
function stateOf(
  source: SourceJson | undefined,
  moved: boolean,
): Pick<LedgerRow, "state" | "standing"> {
  if (!source?.object) {
    const state = moved ? "the lab's own numbers, moved since" : "the lab's own numbers";
    return { state, standing: "none" };
  }
  if (source.state !== "current") return { state: source.state, standing: "changed" };
  if (!moved) return { state: "the same numbers", standing: "current" };
  return { state: "moved in the lab since; the object was not", standing: "changed" };
}

function told(rows: readonly LedgerRow[], name: string): string {
  const names = litNames(rows, name);
  if (!names.length) {
    return "Point at a name, or walk along them with the arrow keys: every graph of this lab marks where it is used.";
  }
  const object = rows.find((row) => row.name === name)?.object ?? 0;
  const shared = names.filter((one) => one !== name);
  const also = shared.length ? `, which ${shared.join(" and ")} share` : "";
  const whose = object ? `: copied from object ${object}${also}` : ": the lab's own numbers";
  return `${name} is marked in every graph of this lab, wherever it is used${whose}.`;
}
