import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { reportPage, type Page } from '../../../src/report/page.ts';
import { STATES, type Payload } from '../../../src/report/payload.ts';
import { makeReport } from '../../../src/report/report.ts';
import { digest, rowsOf, writeWorkdir, type WorkdirContent } from '../../support/report-workdir.ts';
import { tempDir } from '../../support/temp-dir.ts';

const ASSETS = { script: 'start("<b>")', style: 'p { color: red }' };

async function pageOf(content: WorkdirContent, maxRows?: number): Promise<Page> {
  await using dir = await tempDir();
  const workdir = await writeWorkdir(dir.path, content);
  const report = await makeReport({
    workdir,
    version: '0.1.0',
    now: Date.parse('2026-11-21'),
    hide: (text: string) => text,
    signal: new AbortController().signal,
  });
  return reportPage(report, ASSETS, maxRows);
}

function payloadIn({ text }: Page): Payload {
  const [, data = ''] = /<script type="text\/plain" id="data">([^<]*)<\/script>/.exec(text) ?? [];
  return JSON.parse(gunzipSync(Buffer.from(data, 'base64')).toString()) as Payload;
}

const tag = (name: string, path = 'acme/web') => ({ path, name });

describe('the page', () => {
  it('allows its own script and style, and no other', async () => {
    const { text } = await pageOf({ tags: [tag('1')] });

    const [, policy = ''] =
      /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(text) ?? [];
    const hash = (code: string): string => createHash('sha256').update(code).digest('base64');
    for (const part of [
      'default-src &#39;none&#39;',
      `script-src &#39;sha256-${hash(ASSETS.script)}&#39;`,
      `style-src &#39;sha256-${hash(ASSETS.style)}&#39;`,
    ]) {
      ok(policy.includes(part), policy);
    }
    ok(text.includes(`<script>${ASSETS.script}</script>`));
    ok(text.includes(`<style>${ASSETS.style}</style>`));
    doesNotMatch(text, /unsafe/);
  });

  it('shows names and errors as text', async () => {
    const hostile = '</script><img src=x onerror=alert(1)>';
    const { text } = await pageOf({
      tags: [tag('1')],
      results: [{ ...tag('1'), status: 'failed', error: hostile }],
      records: [{ command: 'sync', run: hostile, message: hostile, source: hostile }],
    });

    doesNotMatch(text, /<img/);
    equal(text.match(/<\/script>/g)?.length, 2);
    match(text, /&lt;\/script&gt;&lt;img src=x onerror=alert\(1\)&gt;/);
  });
});

describe('the data of the page', () => {
  it('has its rows by repository and tag, as people sort them', async () => {
    const page = await pageOf({
      tags: [
        tag('v10'),
        tag('v9'),
        { ...tag(`@${digest('x')}`, 'acme/app-10'), digest: '' },
        tag('1', 'acme/app-9'),
      ],
      results: [{ ...tag('v9'), status: 'copied', bytes: 7 }],
    });

    const { rows, paths, names, repositories } = payloadIn(page);
    deepEqual(
      rows.path.map((path, row) => `${paths[path]} ${names[rows.name[row] ?? 0]?.slice(0, 4)}`),
      ['acme/app-9 1', 'acme/app-10 @sha', 'acme/web v9', 'acme/web v10'],
    );
    deepEqual(rows.bytes, [0, 0, 7, 0]);
    equal(rows.digests.slice(64, 128), digest('x').slice('sha256:'.length));
    deepEqual(
      repositories.path.map((path) => paths[path]),
      ['acme/app-10', 'acme/app-9', 'acme/web'],
    );
  });

  it('leaves out what is as it should be when there is too much', async () => {
    const rows = Array.from({ length: 30 }, (_, n) => tag(`v${n}`));
    const page = await pageOf(
      {
        tags: rows,
        results: rowsOf(rows, (n) => ({ status: n % 10 === 0 ? 'failed' : 'copied' })),
      },
      20,
    );

    const payload = payloadIn(page);
    equal(page.rowsLeftOut, 27);
    deepEqual(payload.rows.state, [0, 0, 0].fill(STATES.indexOf('failed')));
    deepEqual(payload.repositories.tags, [30]);
    match(page.text, /27 tags more are in/);
  });
});
