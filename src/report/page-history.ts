/** The sections of the page about time: age of tags, what has changed, when what ran. */
import { counted, formatCount } from '../base/counted.ts';
import { RECORDED_COMMANDS, type RunRecord } from '../sync/run-record.ts';
import { html, type Html } from './html.ts';
import { allButton } from './page-sections.ts';
import { PRUNING_WORDS, PRUNINGS, type Pruning } from './pruned.ts';
import { isMissed } from './records.ts';
import type { Report } from './report.ts';
import { durationOf, fateOfGone, formatCounted, formatTime } from './words.ts';

export function ageSection({ ages: { bands, unknown }, workdir }: Report): Html {
  const most = Math.max(1, ...bands.map(({ count }) => count));
  const known = bands.reduce((sum, { count }) => sum + count, 0);
  const none = workdir.rows.count === 0 ? '' : 'The registry gave no dates.';
  return html`<section id="ages" aria-labelledby="ages-title">
    <h2 id="ages-title">Age of tags</h2>
    ${
      known === 0
        ? html`<p>${none}</p>`
        : html`<table class="ages">
            <caption class="hide">
              How many tags were last updated how long ago
            </caption>
            <thead class="hide">
              <tr>
                <th scope="col">At most</th>
                <th scope="col">Tags</th>
              </tr>
            </thead>
            <tbody>
              ${bands.map(
                ({ label, count }) =>
                  html`<tr>
                    <th scope="row">${label}</th>
                    <td class="number">${formatCount(count)}</td>
                    <td class="plot" aria-hidden="true">
                      <svg viewBox="0 0 100 10" preserveAspectRatio="none">
                        <rect width="${((count / most) * 100).toFixed(2)}" height="10" />
                      </svg>
                    </td>
                  </tr>`,
              )}
            </tbody>
          </table>`
    }
    ${known > 0 && unknown > 0 ? html`<p class="muted">${counted(unknown, 'tag')} without a date.</p>` : undefined}
  </section>`;
}

export function changeSection({ previous, workdir }: Report): Html | undefined {
  if (previous === undefined) return undefined;
  const { changes, records, path } = previous;
  const run = records.sync ?? records.crawl;
  const lines = [
    ['new', changes.new, 'came'],
    ['gone', changes.gone, `went from the source; ${fateOfGone(workdir.pruned.count('deleted'))}`],
    ['moved', changes.moved, 'moved to another digest'],
  ] as const;
  return html`<section id="changes" aria-labelledby="changes-title">
    <h2 id="changes-title">Since the previous run</h2>
    <p>
      Compared with
      ${path}${run === undefined ? undefined : html`, run ${run.run} of ${formatTime(run.startedAt)}`}.
    </p>
    <ul class="changes">
      ${lines.map(
        ([filter, count, words]) =>
          html`<li>
            ${counted(count, 'tag')}
            ${words}${count > 0 ? allButton(filter, `${filter} tags`) : undefined}
          </li>`,
      )}
    </ul>
  </section>`;
}

export function pruneSection({ workdir: { pruned } }: Report): Html | undefined {
  if (pruned.isEmpty) return undefined;
  return html`<section id="pruned" aria-labelledby="pruned-title">
    <h2 id="pruned-title">Pruned at the target</h2>
    ${PRUNINGS.filter((status) => pruned.count(status) > 0).map(
      (status) =>
        html`<details>
          <summary>
            <span class="count">${formatCount(pruned.count(status))}</span>
            <span class="reason">${PRUNING_WORDS[status]}</span>
          </summary>
          ${prunedList(pruned, status)}
        </details>`,
    )}
  </section>`;
}

function prunedList(pruned: Report['workdir']['pruned'], status: Pruning): Html {
  const images = pruned.named(status);
  const more = pruned.count(status) - images.length;
  return html`<ul class="examples">
    ${images.map(
      ({ image, error }) =>
        html`<li>
          <span class="image">${image}</span>
          <span class="why">${error}</span>
        </li>`,
    )}${more > 0 ? html`<li>and ${formatCount(more)} more: see prune-results.csv</li>` : undefined}
  </ul>`;
}

export function runSection({ workdir: { records } }: Report): Html {
  return html`<section id="runs" aria-labelledby="runs-title">
    <h2 id="runs-title">Runs</h2>
    <div class="runs">
      ${RECORDED_COMMANDS.filter(
        (command) => isMissed(command) || records[command] !== undefined,
      ).map((command) => {
        const record = records[command];
        return html`<div class="run">
          <h3>${command}</h3>
          ${record === undefined ? html`<p class="muted">No record.</p>` : runList(record)}
        </div>`;
      })}
    </div>
  </section>`;
}

function runList(record: RunRecord): Html {
  const { counts = {} } = record;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['state', record.state],
    ['said', record.message],
    ['run', record.run],
    ['version', record.version],
    ['shard', record.shard],
    ['joined from', record.joinedFrom === undefined ? undefined : String(record.joinedFrom)],
    ['source', record.source],
    ['target', record.target],
    ['deep', record.deep],
    ['started', formatTime(record.startedAt)],
    ['ended', record.endedAt === undefined ? undefined : formatTime(record.endedAt)],
    ['took', durationOf(record)],
    ...Object.entries(counts)
      .map(([name, value]) => formatCounted(name, value))
      .map(({ name, value }) => [name, value] as const),
  ];
  return html`<dl class="facts">
    ${facts
      .filter(([, value]) => value !== undefined)
      .map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
  </dl>`;
}
