/** The ledger of gradients of tensors, with the tape that they were read from. */

import type { AnyModel } from "@anywidget/types";
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo } from "preact/hooks";
import { allDigits, threeDigits } from "../format";
import { Panel } from "./kit";
import { above } from "./ledger-layout";
import { LookAgain } from "./ledger-look";
import { type LedgerRow, LedgerTable, litNames, Pointing, type Standing } from "./ledger-table";
import { nodesOf, Tape, type TapeData } from "./ledger-tape";

/** A number as Python sends it: what is not finite as text. */
type Sent = number | string;

interface LookJson {
  readonly name: string;
  readonly object: number;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly norm: Sent | null;
  readonly recorded: number;
  readonly now: number;
  readonly state: string;
  readonly gradient: readonly Sent[] | null;
}

export function TensorLedger({ view }: { view: AnyModel }) {
  const looks = useSignal<readonly LookJson[]>(view.get("_rows"));
  const pointing = useMemo(() => new Pointing(), []);
  useLayoutEffect(() => {
    const follow = () => {
      looks.value = view.get("_rows");
    };
    view.on("change:_rows", follow);
    return () => view.off("change:_rows", follow);
  }, [view, looks]);
  const rows = looks.value.map(readRow);
  const tape: TapeData = view.get("_tape");
  const y = Number(view.get("_result"));
  const lit = litNames(rows, pointing.name.value);
  const changed = rows.filter((row) => row.standing === "changed").map((row) => row.name);
  return (
    <Panel
      name="ledger"
      title="Which gradient is which"
      say="Each gradient belongs to an object: the tensor that was there when it was computed. A name can be bound to another object since, and an object can be changed in place."
      tools={<LookAgain view={view} changed={changed} />}
    >
      <div class="rw-ledger-body">
        <div>
          <LedgerTable
            rows={rows}
            pointing={pointing}
            caption={`y = ${threeDigits(y)}, differentiated by ${count(rows)}`}
          />
          <output class="rw-ledger-told">{told(rows, tape, lit, y)}</output>
        </div>
        <div>
          <Tape tape={tape} lit={lit} pointing={pointing} />
          <p class="rw-ledger-key">{key(tape)}</p>
        </div>
      </div>
    </Panel>
  );
}

function readRow(look: LookJson): LedgerRow {
  const norm = look.norm === null ? null : Number(look.norm);
  return {
    ...look,
    also: [],
    what: "",
    version: look.recorded === look.now ? `${look.recorded}` : `${look.recorded} → ${look.now}`,
    norm: norm === null ? null : { text: threeDigits(norm), title: allDigits(norm) },
    standing: standing(look),
    gradient: look.gradient?.map(Number) ?? null,
  };
}

function standing({ norm, state }: LookJson): Standing {
  if (norm === null) return "none";
  return state.startsWith("changed") ? "changed" : "current";
}

function count(rows: readonly LedgerRow[]): string {
  const objects = new Set(rows.map((row) => row.object)).size;
  const names = rows.length === 1 ? "1 name" : `${rows.length} names`;
  return `${names} of ${objects === 1 ? "1 object" : `${objects} objects`}`;
}

function key({ nodes, whole }: TapeData): string {
  const grey = nodes.some((node) => node.kind === "unasked");
  const drawn = whole ? "The tape, from y down to the tensors that it was computed of." : "";
  return `${drawn}${grey ? " Dashed: touched too, but not asked for." : ""}`.trim();
}

/** What is pointed at, in words. */
function told(
  rows: readonly LedgerRow[],
  tape: TapeData,
  lit: readonly string[],
  y: number,
): string {
  const row = rows.find((one) => one.name === lit[0]);
  if (!row)
    return `Point at a name, or walk along them with the arrow keys: its way from y = ${threeDigits(y)} lights up.`;
  const who = lit.length > 1 ? `${lit.join(" and ")} are one object` : `${row.name} is an object`;
  if (!row.norm) return `${who} of its own; ${row.state}.`;
  const leaves = nodesOf(tape, lit);
  if (!tape.whole) return `${who}${lit.length > 1 ? "" : " of its own"}, a leaf of this tape.`;
  const way = above(tape.edges, leaves);
  const operations = [...way].filter((i) => tape.nodes[i].kind === "operation");
  const names = [...new Set(operations.sort((a, b) => a - b).map((i) => tape.nodes[i].label))];
  const through = names.length ? `through ${names.join(", ")}` : "directly";
  return `${who}${lit.length > 1 ? "" : " of its own"}: from y its gradient comes ${through}.`;
}
