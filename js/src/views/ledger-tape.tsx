/** The tape: from the result down through the operations to the leaves. */

import { useMemo } from "preact/hooks";
import {
  above,
  layOut,
  NODE_HEIGHT,
  nodeText,
  type TapeEdge,
  type TapeNode,
} from "./ledger-layout";
import type { Pointing } from "./ledger-table";

/** What Python sends of a tape. */
export interface TapeData {
  readonly nodes: readonly TapeNode[];
  readonly edges: readonly TapeEdge[];
  /** Whether all nodes are here, or the leaves alone. */
  readonly whole: boolean;
  readonly operations: number;
  readonly leaves: number;
  /** Whether Python walked through all of it. */
  readonly complete: boolean;
}

interface TapeProps {
  readonly tape: TapeData;
  /** The names that are lit. */
  readonly lit: readonly string[];
  readonly pointing: Pointing;
}

/** The positions of the nodes that stand for some names. */
export function nodesOf(tape: TapeData, names: readonly string[]): number[] {
  return tape.nodes.flatMap((node, i) => (namesOf(node).some((n) => names.includes(n)) ? [i] : []));
}

function namesOf({ kind, label }: TapeNode): readonly string[] {
  return kind === "recorded" ? label.split(", ") : [];
}

export function Tape({ tape, lit, pointing }: TapeProps) {
  const { nodes, edges, whole } = tape;
  const layout = useMemo(() => layOut(nodes, edges), [nodes, edges]);
  if (!whole) return <Leaves tape={tape} lit={lit} pointing={pointing} />;
  const shown = above(edges, nodesOf(tape, lit));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within the keyboard's reach
    <section class="rw-ledger-tape" aria-label="the tape, drawn" tabIndex={0}>
      <svg
        role="img"
        aria-label={summary(tape)}
        width={layout.width}
        height={layout.height}
        viewBox={`0 0 ${layout.width} ${layout.height}`}
      >
        {edges.map(([user, read], i) => (
          <path
            key={i}
            class="rw-ledger-edge"
            data-lit={shown.has(user) && shown.has(read)}
            d={curve(layout.edges[i])}
          />
        ))}
        {nodes.map((node, i) => {
          const { x, y, width } = layout.nodes[i];
          const [first = ""] = namesOf(node);
          return (
            <g
              key={i}
              class="rw-ledger-node"
              data-kind={node.kind}
              data-label={node.label}
              data-lit={shown.has(i)}
              onPointerEnter={() => {
                pointing.hovered.value = first;
              }}
              onPointerLeave={() => {
                pointing.hovered.value = "";
              }}
            >
              <title>{titleOf(node)}</title>
              <rect
                x={x - width / 2}
                y={y - NODE_HEIGHT / 2}
                width={width}
                height={NODE_HEIGHT}
                rx={node.kind === "operation" ? 3 : NODE_HEIGHT / 2}
              />
              <text x={x} y={y + 4} text-anchor="middle">
                {nodeText(node)}
              </text>
            </g>
          );
        })}
      </svg>
    </section>
  );
}

/** Of a tape too large to be drawn. */
function Leaves({ tape, lit, pointing }: TapeProps) {
  const { nodes, operations, leaves, complete } = tape;
  return (
    <div class="rw-ledger-leaves">
      <p>
        {complete ? "" : "More than "}
        {operations} operations are too many to draw. These are the leaves that the result leads
        back to{leaves > nodes.length ? `, the first ${nodes.length} of ${leaves}` : ""}:
      </p>
      <ul>
        {nodes.map((node, i) => {
          const names = namesOf(node);
          return (
            <li
              key={i}
              class="rw-ledger-leaf"
              data-kind={node.kind}
              data-label={node.label}
              data-lit={names.some((name) => lit.includes(name))}
              title={titleOf(node)}
              onPointerEnter={() => {
                pointing.hovered.value = names[0] ?? "";
              }}
              onPointerLeave={() => {
                pointing.hovered.value = "";
              }}
            >
              {nodeText(node)}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

export function summary({ nodes, operations }: TapeData): string {
  const named = (kind: TapeNode["kind"]) =>
    nodes.filter((node) => node.kind === kind).map(nodeText);
  const [kept, grey] = [named("recorded"), named("unasked")];
  const also = grey.length ? `; also touched, not asked for: ${grey.join("; ")}` : "";
  const many = operations === 1 ? "1 operation" : `${operations} operations`;
  return `the tape from y through ${many} to ${kept.join("; ") || "no recorded tensor"}${also}`;
}

function titleOf(node: TapeNode): string {
  const shape = node.shape?.length ? node.shape.join(" × ") : "one number";
  if (node.kind === "result") return "y, the result of the function";
  if (node.kind === "operation") return `the operation ${node.label}, as autograd recorded it`;
  if (node.kind === "recorded") return `${node.label}: object ${node.object}, ${shape}`;
  return `${nodeText(node)}: the tape touched it (${shape}), but its gradient was not asked for`;
}

function curve(points: readonly (readonly [number, number])[]): string {
  const half = NODE_HEIGHT / 2;
  return points
    .map(([x, y], i) => {
      if (i === 0) return `M${x} ${y + half}`;
      const [x0, y0] = [points[i - 1][0], points[i - 1][1] + (i === 1 ? half : 0)];
      const end = i === points.length - 1 ? y - half : y;
      const middle = (y0 + end) / 2;
      return `C${x0} ${middle} ${x} ${middle} ${x} ${end}`;
    })
    .join("");
}
