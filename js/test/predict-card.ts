/** A card of questions on a mocked page, what its reader does, and what the page tells. */

import type { AnyModel } from "@anywidget/types";
import { afterEach, beforeEach, vi } from "vitest";
import { mount } from "../src/views/views";
import { buttonOf, stubWidth } from "./dom";
import { Model, Page, SLIDER, settle } from "./page";
import { QUANTITIES } from "./vectors";

const REST = 400;

export interface Asked {
  what?: string;
  quantity: string;
  index?: number[];
  ask?: "number" | "sign" | "step";
  tolerance?: number;
  hint?: string;
  axis?: string;
}

/** As Python sends them. */
export const questions = (...all: Asked[]) =>
  all.map((one) => ({
    what: one.quantity,
    index: [],
    ask: "number",
    tolerance: 0.1,
    question: `What is ${one.quantity}?`,
    hint: "",
    axis: "",
    ...one,
  }));

export const GRADIENT: Asked = { quantity: "gradient[weight_hh_l0]", index: [0, 1] };
/** The vectors' own numbers: what Python makes of the network. */
export const known = (text: string) => {
  const found = QUANTITIES[0].quantities.find((one) => one.text === text);
  if (!found) throw new Error(`no vector ${text}`);
  return found.values;
};
export const TRUTH = known("gradient[weight_hh_l0]")[1];

export let page: Page;
export let card: HTMLElement;
export let model: Model;
let unmount: () => void;

export async function open(...asked: Asked[]): Promise<void> {
  model = new Model("predict", {
    _kind: "predict",
    _questions: questions(...asked),
    _turn: 0,
    guesses: [],
  });
  card = document.body.appendChild(document.createElement("div"));
  unmount = mount(card, model as unknown as AnyModel, page.live);
  await rest();
}

export async function rest(): Promise<void> {
  await settle();
  await vi.advanceTimersByTimeAsync(REST);
}

export async function click(name: string): Promise<void> {
  buttonOf(card, name).click();
  await rest();
}

export async function type(text: string): Promise<void> {
  const input = card.querySelector("input") as HTMLInputElement;
  input.value = text;
  card.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
  await rest();
}

export const text = (selector: string) => card.querySelector(selector)?.textContent ?? "";
export const verdict = () => card.querySelector("[data-verdict]")?.getAttribute("data-verdict");
export const guesses = () =>
  model.get("guesses") as { guess: unknown; truth: unknown; right: boolean }[];

/** Everything that the page says: each text, each field, and every attribute but styles. */
export function everything(root: Element = document.body): string[] {
  const texts: string[] = [];
  for (const el of root.querySelectorAll("*")) {
    for (const { name, value } of el.attributes) {
      if (!["class", "style", "id"].includes(name)) texts.push(value);
    }
    for (const node of el.childNodes) if (node instanceof Text) texts.push(node.data);
    if (el instanceof HTMLInputElement) texts.push(el.value);
  }
  return texts.map((text) => text.replaceAll("−", "-"));
}

const NUMBER = /\d+(?:\.\d+)?(?:e-?\d+)?/g;

/** What on the page tells a number, of either sign, to three digits or more. */
export function told(x: number, root?: Element): string[] {
  return everything(root).filter((said) =>
    (said.match(NUMBER) ?? []).some((text) => {
      const [mantissa, exponent = "0"] = text.split("e");
      const digits = mantissa.replace(/^0\.?0*|\./g, "").length;
      const unit = 10 ** (Number(exponent) - (mantissa.split(".")[1] ?? "").length);
      return (
        digits >= 3 && Math.abs(Number(text) - Math.abs(x)) <= 0.5001 * unit + 1e-11 * Math.abs(x)
      );
    }),
  );
}

/** Point at everything, so that hover text is written. */
export function point(): void {
  for (const el of document.body.querySelectorAll("*")) {
    for (const kind of ["pointerover", "pointermove", "pointerenter"]) {
      el.dispatchEvent(new PointerEvent(kind, { bubbles: kind !== "pointerenter", clientX: 5 }));
    }
    for (const kind of ["focusin"]) el.dispatchEvent(new FocusEvent(kind, { bubbles: true }));
  }
}

beforeEach(async () => {
  vi.useFakeTimers();
  stubWidth(900);
  page = new Page({
    sliders: [SLIDER],
    drives: [
      {
        id: "label",
        trait: "value",
        kind: "text",
        quantity: "gradient[weight_hh_l0[0,1]]",
        text: "∂ {}",
      },
      { id: "bars", quantity: "by_source[weight_hh_l0[0,1]]" },
    ],
  });
  page.at("bars").set("visible", true);
  await settle();
});

afterEach(() => {
  unmount();
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Take the card away. */
export function takeAway(): void {
  unmount();
  unmount = () => {};
}
