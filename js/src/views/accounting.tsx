/** Does it add up? The sum of all contributions beside its witnesses, in lines that stay in place:
 * while the network moves, the last account is dimmed and without its verdicts. */

import { useMemo, useRef } from "preact/hooks";
import type { Account } from "../accounting";
import { refold } from "../engine/program";
import { Results } from "../engine/quantities";
import { allDigits, significant, threeDigits } from "../format";
import type { KernelState } from "../kernel";
import type { LiveLab } from "../live";
import { HIDDEN } from "../veil";

const WITHOUT_TORCH: Record<KernelState, string> = {
  live: "asking the kernel …",
  silent: "the kernel does not answer; the page works on",
  gone: "missing: the kernel has stopped",
};

/** An account, and beside it what the gradient would be if nothing were cut. */
interface Told extends Account {
  /** Null where nothing is. */
  readonly full: number | null;
}

function useTold(lab: LiveLab): Told | null {
  const account = lab.accounting.account.value;
  const { results } = lab;
  const entry = account?.entry;
  const full = useMemo(() => {
    if (!entry || !results.program.truncation) return null;
    const whole = refold(results.program, { truncation: null });
    return new Results(whole, results.values).quantity(`gradient[${entry}]`).data[0];
  }, [results, entry]);
  return account && { ...account, full };
}

/** `named` says of which entry, where nothing else does. */
export function Accounting({ lab, named = false }: { lab: LiveLab; named?: boolean }) {
  const now = useTold(lab);
  const truncated = lab.results.program.truncation !== null;
  const kernel = lab.kernel.state.value;
  const last = useRef<Told | null>(null);
  last.current = now ?? last.current;
  const account = last.current;
  const entry = account?.entry ?? lab.selection.value; // the one that the numbers belong to
  const scale = account?.scale ?? 0;
  const secret = isSecret(lab, entry);
  return (
    <table
      class={`rw-accounting ${now ? "" : "rw-moving"}`}
      data-kernel={kernel}
      aria-busy={now === null}
    >
      <caption>
        does it add up?
        {truncated && " truncated gradient; differences with cut states held"}
      </caption>
      <tbody>
        {(truncated ? [...WITNESSES, FULL] : WITNESSES).map(
          ({ name, label, title, value, judge }) => {
            const number = account && value(account);
            const judged = now && judge(now);
            return (
              <tr key={name} data-witness={name}>
                <th scope="row" title={title}>
                  {named && name === "contributions" ? `${label} of ${entry}` : label}
                </th>
                {number === null ? (
                  <td class="rw-missing">{missing(name, account, kernel)}</td>
                ) : (
                  <td
                    data-value={secret ? HIDDEN : number}
                    title={`${label} = ${secret ? HIDDEN : allDigits(number)}`}
                  >
                    {secret ? HIDDEN : long(number)}
                  </td>
                )}
                <td
                  title={
                    Array.isArray(judged)
                      ? differenceText(judged[0], lab.veil.text(scale, allDigits))
                      : undefined
                  }
                >
                  {now ? verdictText(judged, scale) : "…"}
                </td>
              </tr>
            );
          },
        )}
      </tbody>
    </table>
  );
}

/** Whether a reader is about to predict the gradient of an entry: every witness would give it away,
 * central differences and an account of a moment ago too. */
function isSecret({ results, veil }: LiveLab, entry: string): boolean {
  if (!veil.drawn) return false;
  try {
    return veil.hides(results.quantity(`gradient[${entry}]`).data[0], "gradient");
  } catch {
    return false; // the entry has vanished with a change of sizes
  }
}

/** A difference and how large it may be, or what is to be said instead; null for nothing yet. */
type Judged = readonly [difference: number, tolerance: number] | string | null;

interface WitnessLine {
  readonly name: string;
  readonly label: string;
  readonly title: string;
  readonly value: (account: Told) => number | null;
  readonly judge: (account: Told) => Judged;
}

const rounding = ({ scale }: Account) => 1e-10 * scale;

const WITNESSES: readonly WitnessLine[] = [
  {
    name: "contributions",
    label: "sum of all C[t, k]",
    title: "the sum of all contributions of the selected entry",
    value: ({ contributions }) => contributions,
    judge: () => null,
  },
  {
    name: "autograd",
    label: "torch autograd",
    title:
      "what torch's backward pass gives for this entry, computed in the kernel; what the truncation cuts is detached",
    value: ({ autograd }) => autograd,
    judge: (account) =>
      account.autograd === null
        ? null
        : [account.contributions - account.autograd, rounding(account)],
  },
  {
    name: "differences",
    label: "central differences",
    title:
      "(L(θ + ε) − L(θ − ε)) / 2ε for this entry; states that the truncation cuts are held meanwhile",
    value: ({ differences }) => differences,
    judge: ({ contributions, differences, kink, scale }) =>
      kink
        ? "a relu's kink lies here: no estimate"
        : [contributions - differences, 1e-6 * Math.max(scale, 1e-3)],
  },
  {
    name: "worst",
    label: "worst of all entries",
    title: "the largest difference from torch over all entries of all leaves",
    value: () => null,
    judge: (account) => (account.worst === null ? null : [account.worst, rounding(account)]),
  },
];

const FULL: WitnessLine = {
  name: "full",
  label: "full gradient",
  title: "the gradient of this entry if nothing were cut: the derivative of the whole loss",
  value: ({ full }) => full,
  judge: ({ full, contributions }) =>
    full === null ? null : `cut away: ${threeDigits(full - contributions)}`,
};

function missing(name: string, account: Told | null, kernel: KernelState): string {
  if (name === "worst") return "";
  return name === "autograd" && account ? WITHOUT_TORCH[kernel] : "…";
}

const LARGE = 1e4; // beside larger gradients differences are told as parts of them

function verdictText(judged: Judged, scale: number): string {
  if (judged === null || typeof judged === "string") return judged ?? "";
  const [difference, tolerance] = judged;
  const size = Math.abs(difference);
  if (!Number.isFinite(size) || !Number.isFinite(tolerance)) return "not comparable";
  const part = significant(size / scale, 1);
  const by = scale < LARGE || size === 0 ? threeDigits(size) : `${part} of the largest`;
  return `differs by ${by} ${size <= tolerance ? "✓" : "✗"}`;
}

function differenceText(difference: number, scale: string): string {
  return `differs by ${allDigits(Math.abs(difference))}, where the largest of all gradient entries is ${scale}`;
}

const long = (x: number) =>
  Number.isFinite(x) ? x.toPrecision(10).replaceAll("-", "−") : threeDigits(x);
