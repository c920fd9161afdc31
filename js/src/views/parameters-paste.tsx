/** A matrix pasted as text. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useUniqueId } from "./kit";
import type { Leaf } from "./parameters-leaves";
import type { Host } from "./parameters-numbers";
import { type ReadMatrix, readClasses, readMatrix, shapeText } from "./parameters-read";
import { Act } from "./parameters-tools";

export type Refused = ReadMatrix & { readonly error: string };

interface PasteProps {
  readonly host: Host;
  readonly leaf: Leaf;
  readonly onDone: (what: string) => void;
  /** What was pasted last and could not be taken; any other action forgets it. */
  readonly refused: Refused | null;
  readonly onRefused: (refused: Refused | null) => void;
  /** Other buttons of the same line. */
  readonly children: ComponentChildren;
}

export function Paste({ host, leaf, onDone, refused, onRefused, children }: PasteProps) {
  const id = useUniqueId();
  const [text, setText] = useState("");

  function put(numbers: Float64Array, what: string) {
    host.lab.assign({ [leaf.name]: numbers });
    setText("");
    onDone(what);
  }
  function paste() {
    const found =
      leaf.kind === "classes"
        ? readClasses(text, leaf.shape, leaf.program.outputSize)
        : readMatrix(text, leaf.shape);
    if ("is" in found) put(found.is, "pasted");
    else {
      onDone("");
      onRefused(found);
    }
  }
  const turned = refused?.transpose;

  return (
    <>
      <textarea
        class="rw-paste"
        rows={3}
        value={text}
        placeholder={
          leaf.kind === "classes"
            ? "[0, 2, 1], tensor([…]), 0 2 1 …"
            : "[[1, 2], [3, 4]], tensor([…]), 1 2; 3 4, a table …"
        }
        aria-label={`numbers for ${leaf.name}, shape ${shapeText(leaf.shape)}`}
        aria-invalid={refused !== null}
        aria-describedby={refused ? id : undefined}
        spellcheck={false}
        data-lm-suppress-shortcuts="true"
        onInput={(event) => {
          setText(event.currentTarget.value);
          onRefused(null);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) paste();
        }}
      />
      {refused && (
        <p id={id} class="rw-refused" role="alert">
          {refused.error}
          {turned && ". This is the transpose: "}
          {turned && <Act name="apply transposed" act={() => put(turned, "pasted transposed")} />}
        </p>
      )}
      <div class="rw-box-line">
        <Act name="apply" act={paste} />
        {children}
      </div>
    </>
  );
}
