/** One leaf of the network: its name, its tools and its entries. */

import { useComputed } from "@preact/signals";
import { useUniqueId } from "./kit";
import { Classes } from "./parameters-classes";
import { Cards, Cells, hasRoom } from "./parameters-grid";
import { countOf, type Leaf, positionOf } from "./parameters-leaves";
import type { Host } from "./parameters-numbers";
import { shapeText } from "./parameters-read";
import { OpenTools, Tools } from "./parameters-tools";

interface LeafGroupProps {
  readonly host: Host;
  readonly leaf: Leaf;
  readonly open: boolean;
  /** Whether the tools are in sight, or behind a button. */
  readonly tools: boolean;
  readonly onToggle: () => void;
}

export function LeafGroup({ host, leaf, open, tools, onToggle }: LeafGroupProps) {
  const id = useUniqueId();
  const { lab } = host;
  const { name, kind, shape } = leaf;
  const aliases = lab.aliases.value[name] ?? [];
  const onFocusIn = () => {
    host.current.value = name;
  };
  return (
    <div class="rw-leaf" data-leaf={name} data-kind={kind} onFocusIn={onFocusIn}>
      <div class="rw-leaf-head">
        <h4>
          <button
            type="button"
            class="rw-leaf-name"
            tabIndex={host.current.value === name ? 0 : -1}
            aria-expanded={open}
            aria-controls={open ? id : undefined}
            title={[`${name}, shape ${shapeText(shape)}`, ...aliases].join("\n")}
            data-lm-suppress-shortcuts="true"
            onClick={onToggle}
          >
            <code>{name}</code> <span class="rw-hint">{shapeText(shape)}</span>
          </button>
        </h4>
        {!open && <Chosen host={host} leaf={leaf} />}
        {kind !== "made" && !(tools && open) && <Tools host={host} leaf={leaf} />}
      </div>
      {open && (
        <div id={id} class="rw-leaf-body">
          <Body host={host} leaf={leaf} />
          {kind !== "made" && tools && <OpenTools host={host} leaf={leaf} />}
        </div>
      )}
    </div>
  );
}

function Body({ host, leaf }: { host: Host; leaf: Leaf }) {
  const roomy = useComputed(() => hasRoom(leaf, host.width.value)).value;
  if (leaf.kind === "classes") return <Classes host={host} leaf={leaf} />;
  if (leaf.kind === "made") {
    return (
      <>
        <p class="rw-hint">
          read-only: the loss “{leaf.program.loss}” makes v<sub>t</sub> = ∂L<sub>t</sub>/∂y
          <sub>t</sub>
        </p>
        <Cells host={host} leaf={leaf} />
      </>
    );
  }
  return roomy ? <Cards host={host} leaf={leaf} /> : <Cells host={host} leaf={leaf} />;
}

/** The selected entry of a leaf that is closed. */
function Chosen({ host, leaf }: { host: Host; leaf: Leaf }) {
  const entry = host.lab.selection.value;
  if (leaf.kind !== "parameter" || positionOf(leaf, entry) === null) {
    return <span class="rw-hint">{countOf(leaf)} numbers</span>;
  }
  return <span class="rw-chosen">{entry.slice(leaf.name.length)} selected</span>;
}
