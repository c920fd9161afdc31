/** Predict, then reveal: a number is hidden on the whole page until the reader has guessed it. */

import type { AnyModel } from "@anywidget/types";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { allDigits, significant, threeDigits } from "../format";
import type { LiveLab } from "../live";
import { HIDDEN } from "../veil";
import { KernelNotice, Panel, useUniqueId } from "./kit";
import { readNumber } from "./parameters-read";
import { Asking, type Guess, type Question, type Sign, truthOf } from "./predict-state";

export function Predict({ lab, view }: { lab: LiveLab; view: AnyModel }) {
  lab.revision.value; // what this view follows
  const state = useMemo(() => new Asking(lab, view), [lab, view]);
  useLayoutEffect(() => {
    const uncover = lab.veil.cover(state, () => state.hidden());
    return () => {
      uncover();
      state.dispose();
    };
  }, [lab, state]);
  const card = useRef<HTMLDivElement>(null);
  useFocus(card, state);
  const { question, revealed } = state;
  const count = state.questions.value.length;
  const asked = state.guesses.value.length;
  return (
    <Panel
      name="predict"
      title={count > 1 ? `predict: question ${state.at + 1} of ${count}` : "predict, then reveal"}
      say={
        <>
          <code>{question.what}</code>
          {revealed
            ? " is shown by the other panels again"
            : ` is “${HIDDEN}” in the other panels until you have guessed`}
        </>
      }
      tools={
        <output class="rw-predict-score" aria-label="score">
          {asked ? `${state.score} of ${asked} right` : "no guess yet"}
        </output>
      }
    >
      <div ref={card} class="rw-predict-card" data-state={revealed ? "revealed" : "open"}>
        <p class="rw-predict-question">{question.question}</p>
        <Body key={state.turn.value} state={state} />
      </div>
      <KernelNotice lab={lab} />
    </Panel>
  );
}

/** What takes the guess, or after it the way on, has the focus that the other had. */
function useFocus(card: { readonly current: HTMLElement | null }, state: Asking): void {
  const now = `${state.turn.value} ${state.revealed !== null}`;
  const before = useRef(now);
  const held = useRef(false);
  useLayoutEffect(() => {
    const el = card.current as HTMLElement;
    const keep = () => {
      held.current = true;
    };
    const drop = (event: FocusEvent) => {
      // What is taken off the page loses its focus to nobody.
      if (event.relatedTarget && !el.contains(event.relatedTarget as Node)) held.current = false;
    };
    const elsewhere = (event: FocusEvent) => {
      if (!el.contains(event.target as Node)) held.current = false;
    };
    el.addEventListener("focusin", keep);
    el.addEventListener("focusout", drop);
    document.addEventListener("focusin", elsewhere);
    return () => {
      el.removeEventListener("focusin", keep);
      el.removeEventListener("focusout", drop);
      document.removeEventListener("focusin", elsewhere);
    };
  }, [card]);
  useLayoutEffect(() => {
    if (before.current === now) return;
    before.current = now;
    if (held.current) card.current?.querySelector<HTMLElement>("[data-first]")?.focus();
  });
}

function Body({ state }: { state: Asking }) {
  state.lab.revision.value; // followed here, too: its props stay the same
  const { question, revealed, lab } = state;
  const truth = truthOf(lab, question);
  const missing = "missing" in truth ? truth.missing : null;
  const [error, setError] = useState("");
  const id = useUniqueId();
  return (
    <>
      <div class="rw-predict-answer">
        {revealed ? (
          <Onward state={state} />
        ) : missing ? (
          <Skip state={state} />
        ) : (
          <Guessing state={state} id={id} error={error} refuse={setError} />
        )}
      </div>
      <div class="rw-predict-result" aria-live="polite">
        {revealed ? (
          <Result state={state} question={question} guess={revealed} />
        ) : (
          <p id={id} class={error && "rw-predict-error"} data-missing={missing ? "" : undefined}>
            {missing ?? (error && `${error}. It was not counted.`)}
          </p>
        )}
      </div>
      {state.questions.value.some(({ hint }) => hint) && (
        <div class="rw-predict-hint">
          {question.hint && (
            <details>
              <summary data-lm-suppress-shortcuts="true">a hint</summary>
              <p>{question.hint}</p>
            </details>
          )}
        </div>
      )}
    </>
  );
}

interface GuessingProps {
  readonly state: Asking;
  /** Why what was typed is no guess, and the id of what says it. */
  readonly error: string;
  readonly id: string;
  readonly refuse: (error: string) => void;
}

function Guessing(props: GuessingProps) {
  const { state } = props;
  const { question } = state;
  return (
    <>
      {question.ask === "number" && <NumberGuess {...props} />}
      {question.ask === "sign" && <SignGuess state={state} />}
      {question.ask === "step" && <StepGuess state={state} />}
      <button
        type="button"
        class="rw-predict-plain"
        title="show it without a guess; counts as asked, not as right"
        data-lm-suppress-shortcuts="true"
        onClick={() => state.commit(null)}
      >
        show me
      </button>
    </>
  );
}

function NumberGuess({ state, error, id, refuse }: GuessingProps) {
  const input = useRef<HTMLInputElement>(null);
  const { tolerance } = state.question;
  function commit() {
    const read = readNumber(input.current?.value ?? "");
    if ("is" in read) state.commit(read.is);
    else {
      refuse(read.error);
      input.current?.focus();
    }
  }
  return (
    <form
      class="rw-predict-form"
      onSubmit={(event) => {
        event.preventDefault();
        commit();
      }}
    >
      <input
        ref={input}
        type="text"
        inputMode="decimal"
        size={12}
        placeholder="your guess"
        aria-label={`your guess: ${state.question.question}`}
        aria-invalid={error !== ""}
        aria-describedby={id}
        autocomplete="off"
        data-first
        data-lm-suppress-shortcuts="true"
        onInput={() => refuse("")}
        onKeyDown={(event) => event.stopPropagation()}
      />
      <button type="submit" data-lm-suppress-shortcuts="true">
        reveal
      </button>
      <span class="rw-predict-note">right within {percent(tolerance)}</span>
    </form>
  );
}

const SIGNS: readonly (readonly [sign: Sign, text: string, name: string])[] = [
  ["-", "−", "negative"],
  ["0", "0", "zero"],
  ["+", "+", "positive"],
];

function SignGuess({ state }: { state: Asking }) {
  return (
    <fieldset class="rw-predict-choices" aria-label={state.question.question}>
      {SIGNS.map(([sign, text, name], i) => (
        <button
          key={sign}
          type="button"
          aria-label={name}
          title={name}
          data-first={i === 0 || undefined}
          data-guess={sign}
          data-lm-suppress-shortcuts="true"
          onClick={() => state.commit(sign)}
        >
          {text}
        </button>
      ))}
    </fieldset>
  );
}

function StepGuess({ state }: { state: Asking }) {
  state.lab.revision.value; // see above
  const { axis } = state.question;
  const steps = Array.from({ length: state.lab.results.program.seqLen }, (_, i) => i);
  return (
    <fieldset class="rw-predict-choices" aria-label={state.question.question}>
      {steps.map((step) => (
        <button
          key={step}
          type="button"
          data-first={step === 0 || undefined}
          data-guess={step}
          data-lm-suppress-shortcuts="true"
          onClick={() => state.commit(step)}
        >
          {axis} = {step + 1}
        </button>
      ))}
    </fieldset>
  );
}

/** On to the next question, after the last one to the first again. */
function Onward({ state }: { state: Asking }) {
  const last = state.at === state.questions.value.length - 1;
  return (
    <button
      type="button"
      data-first
      title={last ? "ask the same of the numbers as they are now" : undefined}
      data-lm-suppress-shortcuts="true"
      onClick={() => state.next()}
    >
      {last ? "again" : "next"}
    </button>
  );
}

/** Past what cannot be guessed, if there is anything else. */
function Skip({ state }: { state: Asking }) {
  if (state.questions.value.length === 1) return <span class="rw-predict-note">{HIDDEN}</span>;
  return (
    <button type="button" data-first data-lm-suppress-shortcuts="true" onClick={() => state.next()}>
      skip
    </button>
  );
}

interface ResultProps {
  readonly state: Asking;
  readonly question: Question;
  readonly guess: Guess;
}

function Result({ state, question, guess }: ResultProps) {
  state.lab.revision.value; // see above
  const { axis } = question;
  const verdict = guess.guess === null ? "shown" : guess.right ? "right" : "wrong";
  return (
    <>
      <p class="rw-predict-verdict" data-verdict={verdict}>
        <b>{VERDICTS[verdict]}</b> {truthText(guess, axis)}
        {guess.guess !== null && `; you said ${guessText(guess.guess, axis)}`}
        {offText(guess)}.
      </p>
      <p class="rw-predict-where">
        {changed(state, question, guess)
          ? "The network has changed since: this is what it was when you guessed."
          : whereText(question)}
      </p>
    </>
  );
}

const VERDICTS = { shown: "· Shown:", right: "✓ Right:", wrong: "✗ Wrong:" } as const;

function truthText({ truth }: Guess, axis: string) {
  if (typeof truth === "number") {
    return (
      <>
        it is{" "}
        <b data-truth={truth} title={allDigits(truth)}>
          {threeDigits(truth)}
        </b>
      </>
    );
  }
  if (typeof truth === "string") return <>it is {guessText(truth, axis)}</>;
  const names = truth.map((step) => guessText(step, axis));
  const several = names.length > 1;
  return (
    <>
      it is{" "}
      {several ? `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]} alike` : names}
    </>
  );
}

function guessText(guess: number | Sign, axis: string): string {
  if (typeof guess !== "number") return SIGNS.find(([sign]) => sign === guess)?.[2] ?? "";
  return axis ? `${axis} = ${guess + 1}` : threeDigits(guess);
}

/** How far a number was off. */
function offText({ guess, truth }: Guess): string {
  if (typeof guess !== "number" || typeof truth !== "number") return "";
  const off = Math.abs(guess - truth);
  if (off === 0) return ", exactly";
  const part = off / Math.abs(truth);
  const share = part < 10 ? ` (${percent(part)})` : "";
  return `, off by ${threeDigits(off)}${share}`;
}

const percent = (part: number) => `${significant(100 * part, 2)} %`;

/** Whether the numbers are no longer those of the guess. */
function changed({ lab }: Asking, question: Question, guess: Guess): boolean {
  const now = truthOf(lab, question);
  if ("missing" in now) return true;
  return (
    guess.seen.length !== now.numbers.length || guess.seen.some((x, i) => x !== now.numbers[i])
  );
}

/** Where the page shows it, now that it may. */
function whereText({ quantity, ask }: Question): string {
  const [name] = /^[a-z_.]+?(?=_l\d|\[|$)/.exec(quantity) ?? [""];
  const where = WHERE[name.split(".")[0]];
  const whose = ask === "step" ? "Its numbers are" : "It is";
  return where ? `${whose} ${where}.` : "";
}

const CONTRIBUTIONS = "in the contributions map";
const WHERE: Readonly<Record<string, string>> = {
  gradient: "under the entry's slider (∂), in the table, and the total of its contributions",
  contribution: `${CONTRIBUTIONS}, row t and column k; the chain rule takes it apart`,
  by_source: `${CONTRIBUTIONS}, in the line of sums over t`,
  by_loss: `${CONTRIBUTIONS}, in the column of sums over k`,
  hidden: "in the unrolled graph, lens “values”",
  cell: "in the unrolled graph, lens “values”",
  node: "in the unrolled graph, lens “values”",
  output: "in the unrolled graph, row y",
  losses: "in the unrolled graph, row L",
  loss: "in the toolbar",
  adjoint: "in the unrolled graph, lens “adjoints”",
  cell_adjoint: "in the unrolled graph, lens “adjoints”",
  jacobian: "among the Jacobians of the chain-rule panel, if it is of one step",
};
