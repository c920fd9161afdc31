/** The chain-rule terms of one contribution, largest first, and what they leave. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Terms, terms } from "../engine/paths";
import { parseEntry } from "../engine/quantities";
import { allDigits, threeDigits } from "../format";
import type { LiveLab } from "../live";
import { COLOURLESS, HIDDEN, type Veil } from "../veil";
import type { ChainRule } from "./chain-factors";
import { mostTerms } from "./chain-most";
import { pathTexts } from "./chain-paths";
import { useWidth } from "./contributions-width";
import { limitOf, tint } from "./kit";

const TOP = 8;
const QUICK_MS = 3; // ranking that takes longer waits until the hand rests
const REST_MS = 150;
const BESIDE = 230; // pixels that bar, number and arrow take beside a path
const LETTER = 6.4; // and a letter of it

interface Ranked {
  readonly terms: Terms;
  /** Ranked for these. */
  readonly key: string;
}

/** The ranked terms, at once where that is quick, else when the hand rests: until then the old. */
function useRanked(lab: LiveLab, { leaf, entry, cell: { t, k }, total }: ChainRule) {
  const last = useRef<Ranked | null>(null);
  const cost = useRef(0);
  const [, show] = useState("");
  const key = [lab.revision.value, entry, t, k, lab.results.program.seqLen].join(" ");
  const rank = () => {
    const started = performance.now();
    const { index } = parseEntry(entry, lab.results.program.parameters);
    const found = terms(lab.results.trace, leaf, index, t, k, TOP, total);
    cost.current = performance.now() - started;
    last.current = { terms: found, key };
  };
  const stale = last.current?.key !== key;
  if (stale && (!last.current || cost.current <= QUICK_MS)) rank();
  const waits = last.current?.key !== key;
  useLayoutEffect(() => {
    if (!waits) return;
    const timer = setTimeout(() => {
      rank();
      show(key);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [key, waits]);
  return { ranked: (last.current as Ranked).terms, waits };
}

interface RankedTermsProps {
  readonly lab: LiveLab;
  readonly rule: ChainRule;
}

export function RankedTerms({ lab, rule }: RankedTermsProps) {
  const { ranked, waits } = useRanked(lab, rule);
  const [open, setOpen] = useState(-1);
  const [section, width] = useWidth<HTMLElement>();
  const { terms: found, remainder, count, gross } = ranked;
  const overflown = !rule.nothing && !Number.isFinite(rule.total);
  // The terms add up to what is asked, and hiding them of a zero only would say that it is one.
  const secret = lab.veil.hides(rule.total, "contribution");
  const zero = rule.nothing || gross === 0 ? zeroText(count) : null;
  const why = secret ? HIDDEN : overflown ? overflownText(lab) : zero; // one line, as short as a term
  // Of what is opened the factors need room; how much of it does not depend on the selection.
  const lines = open < 0 ? Math.max(1, mostTerms(lab.results.trace, TOP)) : TOP;
  const list = why === null ? found : [];
  const listed = open < 0 ? Math.min(lines, Math.max(1, list.length)) : TOP;
  const limit = limitOf([...list.map(({ value }) => value), remainder]);
  const others = count - BigInt(list.length);
  const texts = pathTexts(list, Math.floor(((width || 1_000) - BESIDE) / LETTER));
  return (
    <section
      ref={section}
      class="rw-chain-terms"
      aria-busy={waits}
      aria-label="chain-rule terms"
      style={{ "--rw-lines": lines, "--rw-listed": listed }}
    >
      <h4 title="a term is one path through the network: the product of the local derivatives along it">
        its terms, largest first
      </h4>
      {why !== null ? (
        <p class="rw-chain-nothing">{why}</p>
      ) : (
        /* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the keys */
        <ol tabIndex={0} aria-label="terms, largest first" data-lm-suppress-shortcuts="true">
          {list.map(({ value, path, factors }, i) => (
            <li key={i} data-term={i}>
              <div class="rw-chain-term">
                <button
                  type="button"
                  aria-expanded={open === i}
                  title={`${path.join(" → ")}\n${open === i ? "hide" : "show"} its factors`}
                  onClick={() => setOpen(open === i ? -1 : i)}
                  data-lm-suppress-shortcuts="true"
                >
                  {texts[i]}
                </button>
                <Bar veil={lab.veil} value={value} limit={limit} title={`term ${i + 1}`} />
              </div>
              {open === i && <Factors veil={lab.veil} factors={factors} value={value} />}
            </li>
          ))}
        </ol>
      )}
      <div class="rw-chain-term rw-chain-others">
        {secret ? (
          <span>{HIDDEN}</span>
        ) : (
          <span title={`${count} terms in all`}>{othersText(list.length, others)}</span>
        )}
        <Bar
          veil={lab.veil}
          value={others > 0n ? remainder : 0}
          limit={limit}
          title={others > 0n || secret ? "remainder" : "remainder, but for the sum's rounding"}
          secret={secret}
        />
      </div>
      <p
        class="rw-chain-gross"
        title={`Σ|terms| = ${secret ? HIDDEN : lab.veil.text(gross, allDigits)}`}
      >
        {secret ? HIDDEN : grossText(ranked, lab.veil)}
      </p>
    </section>
  );
}

/** A bar to the left for minus, to the right for plus, and the number. */
function Bar(props: {
  veil: Veil;
  value: number;
  limit: number;
  title: string;
  /** Whether the value is hidden whatever it is. */
  secret?: boolean;
}) {
  const { veil, value, limit, title } = props;
  const hidden = props.secret || veil.hides(value);
  const part = hidden ? 0 : Math.min(1, Math.abs(value) / limit) || 0;
  return (
    <>
      <span class="rw-chain-bar" aria-hidden="true">
        <span
          data-side={value < 0 && !hidden ? "−" : "+"}
          style={{ width: `${(50 * part).toFixed(2)}%` }}
        />
      </span>
      <span
        class="rw-chain-number"
        title={`${title} = ${hidden ? HIDDEN : allDigits(value)}`}
        data-value={hidden ? HIDDEN : String(value)}
      >
        {hidden ? HIDDEN : threeDigits(value)}
      </span>
    </>
  );
}

interface FactorsProps {
  readonly veil: Veil;
  readonly factors: readonly (readonly [string, number])[];
  readonly value: number;
}

function Factors({ veil, factors, value }: FactorsProps) {
  const limit = limitOf(factors.map(([, x]) => x));
  return (
    <div class="rw-chain-factors">
      {factors.map(([label, x], i) => (
        <span key={i} class="rw-chain-product">
          {i > 0 && <span class="rw-chain-op">×</span>}
          <span class="rw-chain-local" title={`${label} = ${veil.text(x, allDigits)}`}>
            <span>{label}</span>
            <span
              class="rw-cell"
              data-value={veil.text(x, String)}
              {...(veil.hides(x) ? COLOURLESS : tint(x, limit))}
            >
              {veil.text(x)}
            </span>
          </span>
        </span>
      ))}
      <span class="rw-chain-product">
        <span class="rw-chain-op">=</span>
        <b title={veil.text(value, allDigits)}>{veil.text(value)}</b>
      </span>
    </div>
  );
}

function othersText(listed: number, others: bigint): string {
  if (others === 0n) return listed ? "no other terms" : "no terms";
  const those = listed ? "the other" : "all";
  return others === 1n
    ? `${listed ? those : "the one"} term`
    : `${those} ${countText(others)} terms`;
}

function overflownText({ results }: LiveLab): string {
  const step = results.overflow;
  return step === null
    ? "Terms overflow on the way back: they are too large to hold."
    : `Terms overflow from step t = ${step + 1} on: they cannot be ranked.`;
}

function zeroText(count: bigint): string {
  if (count === 0n) return "There is no way, and so no term.";
  const all = count === 1n ? "Its one term is" : `Each of its ${countText(count)} terms is`;
  return `${all} exactly zero.`;
}

function countText(count: bigint): string {
  return count < 1_000_000n ? String(count) : threeDigits(Number(count));
}

function grossText({ gross, total, count }: Terms, veil: Veil): string {
  if (count === 0n) return "\u00a0";
  if (!Number.isFinite(gross)) return "Σ|terms| grows beyond what a computer holds";
  if (gross === 0) return "\u00a0";
  const times = gross / Math.abs(total);
  if (!Number.isFinite(times)) return `Σ|terms| is ${veil.text(gross)}: they cancel altogether`;
  const how = times > 1.5 ? "they cancel" : times > 1.01 ? "few cancel" : "none cancel";
  return `Σ|terms| is ${threeDigits(times)} × the total: ${how}`;
}
