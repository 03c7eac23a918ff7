/** The page of a report: one HTML file that asks nobody for anything. */
import { createHash } from 'node:crypto';

import { counted } from '../base/counted.ts';
import { html, trusted, type Html } from './html.ts';
import { pageData, type PageData } from './page-data.ts';
import { ageSection, changeSection, pruneSection, runSection } from './page-history.ts';
import { failureSection, noteSection, totalSection, wrongSection } from './page-sections.ts';
import type { Report } from './report.ts';
import { formatTime } from './words.ts';

/** What the browser is to run and to look like: from src/report/page, bundled. */
export interface PageAssets {
  readonly script: string;
  readonly style: string;
}

export interface Page {
  readonly text: string;
  readonly rowsLeftOut: number;
}

export async function reportPage(
  report: Report,
  assets: PageAssets,
  maxRows?: number,
): Promise<Page> {
  const data = await pageData(report, maxRows);
  return { text: document(report, assets, data).text, rowsLeftOut: data.rowsLeftOut };
}

function document(report: Report, { script, style }: PageAssets, data: PageData): Html {
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${titleOf(report)}</title>
        <link rel="icon" href="data:," />
        ${trusted(`<style>${style}</style>`)}
      </head>
      <body>
        <a class="skip" href="#content">Skip to the report</a>
        ${header(report)}
        <main id="content" tabindex="-1">
          ${totalSection(report)} ${noteSection(report)} ${failureSection(report)}
          ${wrongSection(report)} ${tableSections(data)} ${ageSection(report)}
          ${changeSection(report)} ${pruneSection(report)} ${runSection(report)}
        </main>
        <footer>
          <p>
            Written by registry-sync ${report.version} from ${report.workdir.path} at
            ${formatTime(report.madeAt)}. This file is complete: it loads nothing.
          </p>
        </footer>
        ${trusted(`<script type="text/plain" id="data">${data.text}</script>`)}
        ${trusted(`<script>${script}</script>`)}
      </body>
    </html> `;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function sidesOf({ workdir: { records } }: Report): { source?: string; target?: string } {
  const source = records.sync?.source ?? records.crawl?.source;
  const target = records.sync?.target ?? records.verify?.target;
  return { ...(source !== undefined && { source }), ...(target !== undefined && { target }) };
}

function titleOf(report: Report): string {
  const { source, target } = sidesOf(report);
  const sides = [source, target].filter((side) => side !== undefined).join(' to ');
  return sides === '' ? 'Sync report' : `Sync report: ${sides}`;
}

function header(report: Report): Html {
  const { source, target } = sidesOf(report);
  const run = report.workdir.records.sync ?? report.workdir.records.crawl;
  const time = run === undefined ? undefined : `Run ${run.run} of ${formatTime(run.startedAt)}`;
  return html`<header>
    <p class="product">registry-sync report</p>
    <h1>${heading(source, target)}</h1>
    <p class="muted">${time ?? `Made at ${formatTime(report.madeAt)}`}</p>
    <nav aria-label="Sections">
      <ul>
        <li><a href="#totals">Totals</a></li>
        <li><a href="#failures">Failures</a></li>
        <li><a href="#wrong">Missing or different</a></li>
        <li data-script hidden><a href="#repositories">Repositories</a></li>
        <li data-script hidden><a href="#tags">Tags</a></li>
        <li><a href="#ages">Age</a></li>
        ${report.previous === undefined ? undefined : html`<li><a href="#changes">Changes</a></li>`}
        ${report.workdir.pruned.isEmpty ? undefined : html`<li><a href="#pruned">Pruned</a></li>`}
        <li><a href="#runs">Runs</a></li>
      </ul>
    </nav>
  </header>`;
}

function heading(source: string | undefined, target: string | undefined): Html {
  if (source === undefined && target === undefined) return html`Images in sync`;
  return html`${source ?? 'unknown source'} <span class="arrow" aria-hidden="true">→</span
    ><span class="hide"> to </span> ${target ?? 'unknown target'}`;
}

function tableSections({ rowsLeftOut, repositoriesLeftOut }: PageData): Html {
  const left =
    rowsLeftOut === 0
      ? undefined
      : html`<p>
          This page has the tags that are not as they should be, or have changed.
          ${counted(rowsLeftOut, 'tag')} more are in the CSV files.
        </p>`;
  const leftRepositories =
    repositoriesLeftOut === 0
      ? undefined
      : html`<p>${counted(repositoriesLeftOut, 'repository')} more are in repositories.csv.</p>`;
  return html`<noscript
      ><p class="notice">
        The tables of all repositories and tags need JavaScript. What they show is in tags.csv,
        results.csv and verify.csv.
      </p></noscript
    >
    <p class="notice" id="trouble" role="alert" hidden></p>
    <section id="repositories" aria-labelledby="repositories-title" data-script hidden>
      <h2 id="repositories-title" tabindex="-1">Repositories</h2>
      ${leftRepositories}
    </section>
    <section id="tags" aria-labelledby="tags-title" data-script hidden>
      <h2 id="tags-title" tabindex="-1">Tags</h2>
      ${left}
    </section>`;
}
