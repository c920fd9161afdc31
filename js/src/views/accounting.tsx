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
  const rounding = 1e-10 * (account?.scale ?? 0);
  const asking = account ? WITHOUT_TORCH[kernel] : "…";
  return (
    <table class="rw-chain-adds" data-kernel={kernel}>
      <caption>does it add up?</caption>
      <tbody>
        <Line
          name="contributions"
          label="sum of all C[t, k]"
          title="the sum of all contributions of the selected entry"
          value={account?.contributions ?? null}
          missing="…"
          verdict={null}
        />
        <Line
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
  readonly note?: string | undefined;
}

function Line({ name, label, title, value, missing, verdict, note }: LineProps) {
  const [difference, tolerance] = verdict ?? [0, 0];
  const agrees = Math.abs(difference) <= tolerance;
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
      <td title={verdict ? `differs by ${allDigits(Math.abs(difference))}` : undefined}>
        {note ??
          (verdict && `differs by ${threeDigits(Math.abs(difference))} ${agrees ? "✓" : "✗"}`)}
      </td>
    </tr>
  );
}

const long = (x: number) =>
  Number.isFinite(x) ? x.toPrecision(10).replaceAll("-", "−") : threeDigits(x);
