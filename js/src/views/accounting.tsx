/** Does it add up? The sum of all contributions beside its witnesses, in lines that stay in place. */

import { allDigits, threeDigits } from "../format";
import type { KernelState } from "../kernel";
import type { LiveLab } from "../live";

const WITHOUT_TORCH: Record<KernelState, string> = {
  live: "asking the kernel …",
  silent: "the kernel does not answer; the page works on",
  gone: "missing: the kernel has stopped",
};

export function Accounting({ lab }: { lab: LiveLab }) {
  const account = lab.accounting.account.value;
  const kernel = lab.kernel.state.value;
  const scale = account?.scale ?? 0;
  const rounding = 1e-10 * scale;
  const asking = account ? WITHOUT_TORCH[kernel] : "…";
  return (
    <table class="rw-chain-adds" data-kernel={kernel}>
      <caption>does it add up?</caption>
      <tbody>
        <Line
          scale={scale}
          name="contributions"
          label="sum of all C[t, k]"
          title="the sum of all contributions of the selected entry"
          value={account?.contributions ?? null}
          missing="…"
          verdict={null}
        />
        <Line
          scale={scale}
          name="autograd"
          label="torch autograd"
          title="what torch's backward pass gives for this entry, computed in the kernel"
          value={account?.autograd ?? null}
          missing={asking}
          verdict={
            account?.autograd == null ? null : [account.contributions - account.autograd, rounding]
          }
        />
        <Line
          scale={scale}
          name="differences"
          label="central differences"
          title="(L(θ + ε) − L(θ − ε)) / 2ε for this entry"
          value={account?.differences ?? null}
          missing="…"
          verdict={
            account && [
              account.contributions - account.differences,
              1e-6 * Math.max(account.scale, 1e-3),
            ]
          }
          note={account?.kink ? "a relu's kink lies here: no estimate" : undefined}
        />
        <Line
          scale={scale}
          name="worst"
          label="worst of all entries"
          title="the largest difference from torch over all entries of all leaves"
          value={null}
          missing=""
          verdict={account?.worst == null ? null : [account.worst, rounding]}
        />
      </tbody>
    </table>
  );
}

interface LineProps {
  readonly name: string;
  readonly label: string;
  readonly title: string;
  readonly value: number | null;
  /** What stands in the number's place. */
  readonly missing: string;
  /** The difference, and how large it may be. */
  readonly verdict: readonly [difference: number, tolerance: number] | null;
  /** The largest gradient entry: beside large numbers differences are told as parts of it. */
  readonly scale: number;
  readonly note?: string | undefined;
}

const LARGE = 1e4;

function verdictText(difference: number, tolerance: number, scale: number): string {
  const size = Math.abs(difference);
  if (!Number.isFinite(size) || !Number.isFinite(tolerance)) return "not comparable";
  const part = Number((size / scale).toPrecision(1));
  const by =
    scale < LARGE || size === 0 ? threeDigits(size) : `${threeDigits(part)} of the largest`;
  return `differs by ${by} ${size <= tolerance ? "✓" : "✗"}`;
}

function Line({ name, label, title, value, missing, verdict, scale, note }: LineProps) {
  return (
    <tr data-witness={name}>
      <th scope="row" title={title}>
        {label}
      </th>
      {value === null ? (
        <td class="rw-chain-missing" title={missing}>
          {missing}
        </td>
      ) : (
        <td data-value={value} title={`${label} = ${allDigits(value)}`}>
          {long(value)}
        </td>
      )}
      <td title={verdict ? differenceText(verdict[0], scale) : undefined}>
        {note ?? (verdict && verdictText(...verdict, scale))}
      </td>
    </tr>
  );
}

function differenceText(difference: number, scale: number): string {
  return `differs by ${allDigits(Math.abs(difference))}, where the largest of all gradient entries is ${allDigits(scale)}`;
}

const long = (x: number) =>
  Number.isFinite(x) ? x.toPrecision(10).replaceAll("-", "−") : threeDigits(x);
