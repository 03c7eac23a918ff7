/** The sections of the page that need no JavaScript. */
import { counted, formatCount } from '../base/counted.ts';
import { html, type Html } from './html.ts';
import { remarkOf } from './page-data.ts';
import { STATES, STATE_WORDS, type State } from './payload.ts';
import type { Reason } from './reason.ts';
import type { Report } from './report.ts';
import { WRONG_STATES } from './settle.ts';
import { inOneSentence, TOTAL_LINES } from './words.ts';

/** Kinds of failures and rows that are listed; the tables have all. */
const MAX_REASONS = 50;
const MAX_ROWS = 25;

export function totalSection(report: Report): Html {
  const { totals, previous } = report;
  const lines = TOTAL_LINES.filter(
    ({ isShown }) => isShown(totals) || (previous !== undefined && isShown(previous.totals)),
  );
  return html`<section id="totals" aria-labelledby="totals-title">
    <h2 id="totals-title">Totals</h2>
    <p class="verdict">${inOneSentence(totals)}</p>
    ${shareBar(report)}
    <dl class="totals">
      ${lines.map(({ name, value, isWrong }) => {
        const now = value(totals);
        const warn = isWrong === true && now !== '0' ? ' class="warn"' : '';
        const before =
          previous === undefined
            ? undefined
            : html`<dd class="before">
                <span class="hide">previous run: </span
                ><span aria-hidden="true">before: </span>${value(previous.totals)}
              </dd>`;
        return html`<div${warn === '' ? undefined : html` class="warn"`}><dt>${name}</dt><dd>${now}</dd>${before}</div>`;
      })}
    </dl>
  </section>`;
}

/** Each part with what is not zero is seen. */
const LEAST_SHARE = 0.6;

function shareBar({ totals }: Report): Html | undefined {
  if (totals.tags === 0) return undefined;
  const wrong = totals.failed + totals.missing + totals.differs + totals.damaged;
  const parts = [
    ['bad', wrong],
    ['idle', totals.noResult + totals.wouldCopy],
    ['good', totals.there],
  ] as const;
  let at = 0;
  return html`<svg class="share" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
    ${parts.map(([name, count]) => {
      const width = count === 0 ? 0 : Math.max((count / totals.tags) * 100, LEAST_SHARE);
      const part = html`<rect
        class="${name}"
        x="${at.toFixed(2)}"
        width="${Math.min(width, 100 - at).toFixed(2)}"
        height="2"
      />`;
      at = Math.min(at + width, 100);
      return part;
    })}
  </svg>`;
}

export function noteSection({ notes }: Report): Html | undefined {
  if (notes.length === 0) return undefined;
  return html`<section id="notes" aria-labelledby="notes-title">
    <h2 id="notes-title">To know</h2>
    <ul class="notes">
      ${notes.map((note) => html`<li>${note}</li>`)}
    </ul>
  </section>`;
}

export function failureSection(report: Report): Html {
  const { reasons, totals } = report;
  const shown = reasons.slice(0, MAX_REASONS);
  const rest = reasons.length - shown.length;
  return html`<section id="failures" aria-labelledby="failures-title">
    <h2 id="failures-title">Failures</h2>
    ${totals.failures === 0 ? html`<p>Nothing failed.</p>` : html`<p>${failuresInWords(report)}${allButton('failed', 'what failed')}</p>`}
    ${shown.map((reason, at) => reasonDetails(report, reason, at === 0))}
    ${rest > 0 ? html`<p>${counted(rest, 'more reason')}: see results.csv.</p>` : undefined}
  </section>`;
}

function failuresInWords({ totals, reasons }: Report): string {
  const text = `${counted(totals.failures, 'tag')} failed, for ${counted(reasons.length, 'reason')}.`;
  const there = totals.failedYetThere;
  return there > 0 ? `${text} ${formatCount(there)} of them are at the target all the same.` : text;
}

function reasonDetails(report: Report, { text, count, examples }: Reason, isOpen: boolean): Html {
  const { rows } = report.workdir;
  const more = count - examples.length;
  return html`<details${isOpen ? html` open` : undefined}>
<summary><span class="count">${formatCount(count)}</span> <span class="reason">${text}</span></summary>
<ul class="examples">${examples.map(
    (row) =>
      html`<li>
        <span class="image">${rows.imageOf(row)}</span>
        <span class="why">${remarkOf(report, row)}</span>
      </li>`,
  )}${more > 0 ? html`<li>and ${formatCount(more)} more</li>` : undefined}</ul>
</details>`;
}

/** Shows what there is of a state in the table of tags; the code of the page wires it. */
export function allButton(filter: string, what: string): Html {
  return html` <button type="button" data-script data-show="${filter}" hidden>
    Show them in the table<span class="hide">: ${what}</span>
  </button>`;
}

const WANTED: readonly State[] = ['missing', 'differs', 'damaged', 'would-copy', 'no-result'];

export function wrongSection(report: Report): Html {
  const { states, workdir, totals } = report;
  const wanted = new Set(WANTED.map((state) => STATES.indexOf(state)));
  const found: number[] = [];
  let count = 0;
  for (const [row, state] of states.entries()) {
    if (!wanted.has(state)) continue;
    count += 1;
    if (found.length < MAX_ROWS) found.push(row);
  }
  const by = workdir.files.has('verify.csv')
    ? `verify.csv, which has looked at ${counted(totals.verified, 'tag')}, and results.csv`
    : 'results.csv';
  const intro =
    count === 0
      ? `By ${by}, nothing is missing or different besides what failed.`
      : `By ${by}, ${counted(count, 'tag')} ${count === 1 ? 'is' : 'are'} missing, different, or without a result.`;
  return html`<section id="wrong" aria-labelledby="wrong-title">
    <h2 id="wrong-title">Missing or different at the target</h2>
    <p>${intro}${count > 0 ? allButton('not-there', 'what is not at the target') : undefined}</p>
    ${found.length > 0 ? wrongTable(report, found) : undefined}
    ${count > found.length ? html`<p>and ${formatCount(count - found.length)} more</p>` : undefined}
  </section>`;
}

function wrongTable(report: Report, found: readonly number[]): Html {
  const { rows } = report.workdir;
  return html`<div class="scroll" role="region" aria-labelledby="wrong-caption" tabindex="0">
    <table>
      <caption id="wrong-caption" class="hide">
        Missing or different, the first ${found.length}
      </caption>
      <thead>
        <tr>
          <th scope="col">Image</th>
          <th scope="col">State</th>
          <th scope="col">Digest</th>
          <th scope="col">Remark</th>
        </tr>
      </thead>
      <tbody>
        ${found.map((row) => {
          const state = STATES[report.states[row] ?? 0] ?? 'no-result';
          return html`<tr>
            <th scope="row" class="image">${rows.imageOf(row)}</th>
            <td>${stateBadge(state)}</td>
            <td><span class="digest">${rows.digests.at(row)}</span></td>
            <td class="why">${remarkOf(report, row)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

function stateBadge(state: State): Html {
  const kind = WRONG_STATES.includes(state) ? 'bad' : state === 'there' ? 'good' : 'idle';
  return html`<span class="state ${kind}">${STATE_WORDS[state]}</span>`;
}
