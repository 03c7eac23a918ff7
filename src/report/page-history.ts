/** The sections of the page about time: age of tags, what has changed, when what ran. */
import type { RunRecord } from '../sync/run-record.ts';
import { html, type Html } from './html.ts';
import { allButton } from './page-sections.ts';
import type { Report } from './report.ts';
import { REPORTED_COMMANDS } from './records.ts';
import { counted, durationOf, formatCount, formatCounted, formatTime } from './words.ts';

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

export function changeSection({ previous }: Report): Html | undefined {
  if (previous === undefined) return undefined;
  const { changes, records, path } = previous;
  const run = records.sync ?? records.crawl;
  const lines = [
    ['new', changes.new, 'came'],
    ['gone', changes.gone, 'went from the source; a sync deletes nothing'],
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

export function runSection({ workdir: { records } }: Report): Html {
  return html`<section id="runs" aria-labelledby="runs-title">
    <h2 id="runs-title">Runs</h2>
    <div class="runs">
      ${REPORTED_COMMANDS.map((command) => {
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
  const { counts = {}, dryRun } = record;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['state', record.state],
    ['said', record.message],
    ['run', record.run],
    ['version', record.version],
    ['shard', record.shard],
    ['source', record.source],
    ['target', record.target],
    ['deep', record.deep],
    ['dry run', dryRun === true ? 'yes' : undefined],
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
