/** Every number that can be moved: parameters, inputs, initial states, targets and seeds. */

import type { AnyModel } from "@anywidget/types";
import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { LiveLab } from "../live";
import { Panel } from "./kit";
import { LeafGroup } from "./parameters-leaf";
import { leavesOf, openAtFirst } from "./parameters-leaves";
import { Host, troubleOf } from "./parameters-numbers";
import { HELP } from "./parameters-walk";

export function Parameters({ lab, view }: { lab: LiveLab; view: AnyModel }) {
  const host = useMemo(() => new Host(lab), [lab]);
  const chosen = useChosen(view);
  const program = useComputed(() => {
    lab.revision.value;
    return lab.network.program;
  }).value;
  const trouble = useComputed(() => {
    lab.revision.value;
    return troubleOf(lab);
  }).value;
  const all = useMemo(() => leavesOf(program), [program]);
  const first = useMemo(() => openAtFirst(all), [all]);
  /** What people have opened and closed. */
  const said = useSignal<Readonly<Record<string, boolean>>>({});
  const groups = useRef<HTMLDivElement>(null);
  useWidth(groups, host);
  const toggled = useRef("");
  useLayoutEffect(() => {
    // What is opened or closed moves in or out of a stack, and is drawn anew.
    headOf(groups.current, toggled.current)?.focus();
    toggled.current = "";
  }, [said.value]);

  const names = useMemo(() => chosen ?? all.map(({ name }) => name), [chosen, all]);
  useLayoutEffect(() => {
    if (names.includes(host.current.value)) return;
    const [leaf] = lab.selection.peek().split("[");
    host.current.value = names.includes(leaf) ? leaf : (names[0] ?? "");
  }, [names, host, lab]);
  const isOpen = (name: string) => said.value[name] ?? (chosen !== null || first.has(name));
  const group = (name: string) => {
    const leaf = all.find((one) => one.name === name);
    if (!leaf) return <Gone key={name} name={name} among={all.map((one) => one.name)} />;
    const open = isOpen(name);
    const onToggle = () => {
      toggled.current = name;
      said.value = { ...said.value, [name]: !open };
    };
    // Of another kind or shape it has other entries: what was drawn for the old ones goes.
    const key = `${name} ${leaf.kind} ${leaf.shape.join()}`;
    const shown = { open, tools: Boolean(view.get("tools")), onToggle };
    return <LeafGroup key={key} host={host} leaf={leaf} {...shown} />;
  };
  return (
    <Panel
      name="parameters"
      title={chosen ? "parameters" : "parameters and data"}
      say={
        trouble ? <b data-trouble>{trouble}</b> : <Legend truncated={program.truncation !== null} />
      }
    >
      <span id={host.help} hidden>
        {HELP}
      </span>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the names inside take the focus */}
      <div ref={groups} class="rw-leaves" onKeyDown={walkNames}>
        {stacked(names, isOpen).map((stack) =>
          stack.length === 1 ? (
            group(stack[0])
          ) : (
            <div key={stack[0]} class="rw-stack">
              {stack.map(group)}
            </div>
          ),
        )}
      </div>
    </Panel>
  );
}

/** Neighbours that are closed stand one under the other. */
function stacked(names: readonly string[], isOpen: (name: string) => boolean): string[][] {
  const stacks: string[][] = [];
  for (const [i, name] of names.entries()) {
    if (i > 0 && !isOpen(name) && !isOpen(names[i - 1])) stacks[stacks.length - 1].push(name);
    else stacks.push([name]);
  }
  return stacks;
}

/** Up and down from the name of one leaf to another's. */
function walkNames(event: KeyboardEvent): void {
  const names = [...(event.currentTarget as HTMLElement).querySelectorAll(".rw-leaf-name")];
  const at = names.indexOf(event.target as Element);
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: names.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  (names[to] as HTMLElement | undefined)?.focus();
  event.preventDefault();
  event.stopPropagation();
}

function headOf(groups: HTMLElement | null, leaf: string): HTMLElement | null | undefined {
  return leaf ? groups?.querySelector(`[data-leaf="${leaf}"] .rw-leaf-name`) : null;
}

function Legend({ truncated }: { truncated: boolean }) {
  return (
    <>
      drag, or click a number to type one; <b>∂</b> is the{" "}
      {truncated ? "truncated gradient" : "derivative"} of the whole loss by it;{" "}
      <span class="rw-key" data-side="−">
        ▬ negative
      </span>{" "}
      <span class="rw-key" data-side="+">
        ▬ positive
      </span>
    </>
  );
}

function Gone({ name, among }: { name: string; among: readonly string[] }) {
  return (
    <p class="rw-gone" data-leaf={name}>
      The network has no <code>{name}</code> any more; it has {among.join(", ")}.
    </p>
  );
}

/** The leaves that Python wants shown, null for all. */
function useChosen(view: AnyModel): readonly string[] | null {
  const chosen = useSignal<readonly string[] | null>(view.get("leaves") ?? null);
  useLayoutEffect(() => {
    const read = () => {
      chosen.value = view.get("leaves") ?? null;
    };
    view.on("change:leaves", read);
    return () => view.off("change:leaves", read);
  }, [view, chosen]);
  return chosen.value;
}

function useWidth(element: { readonly current: HTMLElement | null }, host: Host): void {
  useLayoutEffect(() => {
    const el = element.current;
    if (!el) return;
    const observer = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width > 0) host.width.value = contentRect.width;
    });
    observer.observe(el);
    return () => observer.disconnect();
  }, [element, host]);
}
