/** The page of `report`, written by the built program and opened in a browser. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import type { Browser, Locator, Page } from 'playwright-core';

import { openPage, startBrowser, violationsIn } from '../support/browser.ts';
import { runCli } from '../support/cli.ts';
import { digest, rowsOf, writeWorkdir, type WorkdirContent } from '../support/report-workdir.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const HOSTILE = `</script></style><img src=x onerror="alert('x')">{{7*7}}`;

const TAGS = Array.from({ length: 30 }, (_, repository) =>
  Array.from({ length: 10 }, (_unused, n) => ({
    path: `acme/app-${repository}`,
    name: `v1.${n}`,
    updated: `2026-${String(1 + (n % 9)).padStart(2, '0')}-0${1 + (repository % 9)}T00:00:00Z`,
  })),
).flat();

/** A result of which tags.csv knows nothing. */
const LEFT = { path: 'acme/left', name: 'v1' };

const CONTENT: WorkdirContent = {
  repositories: [...new Set(TAGS.map(({ path }) => path)), 'acme/empty'],
  tags: TAGS,
  results: rowsOf([...TAGS.slice(1), LEFT], (n) => ({
    status: n % 100 === 7 ? 'failed' : n % 10 === 0 ? 'copied' : 'unchanged',
    bytes: n % 10 === 0 ? n * 1000 : 0,
    error: n % 100 === 7 ? (n === 7 ? HOSTILE : 'target t.test: 401') : '',
  })),
  verdicts: rowsOf(TAGS.slice(0, 250), (n) => ({
    status: n === 20 ? 'differs' : n % 100 === 8 ? 'missing' : 'ok',
    size: n * 1_000_000,
    ...(n === 20 && { found: digest('other') }),
  })),
  pruned: [
    { path: 'mirror/old', name: HOSTILE, status: 'deleted' },
    { path: 'mirror/old', name: 'v2', status: 'failed', error: HOSTILE },
  ],
  records: [
    { command: 'crawl', source: 's.test', counts: { tags: TAGS.length } },
    { command: 'sync', source: 's.test', target: 't.test', startedAt: '2026-11-21T03:20:00Z' },
    { command: 'verify', target: 't.test', startedAt: '2026-11-21T03:30:00Z' },
  ],
};

const BEFORE: WorkdirContent = {
  tags: rowsOf([...TAGS.slice(1), { path: 'acme/old', name: 'gone' }], (n) =>
    n === 3 ? { digest: digest('earlier') } : {},
  ),
  records: [{ command: 'crawl', source: 's.test', startedAt: '2026-11-20T03:00:00Z' }],
};

let dir: TempDir;
let browser: Browser;
let file: string;

before(async () => {
  dir = await tempDir();
  file = await writeReport('small', CONTENT, [
    '--previous',
    await writeWorkdir(join(dir.path, 'before'), BEFORE),
  ]);
  browser = await startBrowser();
});
after(async () => {
  await browser.close();
  await dir[Symbol.asyncDispose]();
});

async function writeReport(
  name: string,
  content: WorkdirContent,
  more: readonly string[] = [],
): Promise<string> {
  const workdir = await writeWorkdir(join(dir.path, name), content);
  const out = join(dir.path, `${name}.html`);
  const { code, stderr } = await runCli(['report', '--workdir', workdir, '--out', out, ...more]);
  equal(code, 0, stderr);
  return out;
}

const tagsIn = (page: Page): Locator => page.getByRole('region', { name: /^Tags\./ });
const firstCells = (region: Locator): Promise<string[]> =>
  region.locator('tbody tr:not(.remark) > :nth-child(2)').allTextContents();
const statusOf = (page: Page, section: 'tags' | 'repositories'): Promise<string | null> =>
  page.locator(`#${section} [role=status]`).textContent();

describe('the page of a report', () => {
  it('asks nobody for anything, and nothing in it complains', async () => {
    await using opened = await openPage(browser, file);

    await opened.page.getByLabel('Search tags, digests, errors').fill('acme');
    await opened.page.getByRole('button', { name: 'Updated' }).click();

    deepEqual(opened.complaints, []);
  });

  it('shows hostile text as text', async () => {
    await using opened = await openPage(browser, file);
    const { page } = opened;

    await page.getByRole('combobox', { name: 'Show' }).selectOption('failed');

    equal(await page.locator('img').count(), 0);
    ok((await tagsIn(page).textContent())?.includes(HOSTILE));
    ok((await page.locator('#failures').textContent())?.includes(HOSTILE));
    deepEqual(opened.complaints, []);
  });

  it('says what was pruned', async () => {
    await using opened = await openPage(browser, file);

    const pruned = opened.page.locator('#pruned');
    await pruned.getByText('failed').click();
    match(await pruned.innerText(), /1\s+deleted\s+1\s+failed\s+mirror\/old:v2/);
  });

  it('says in words what it comes to', async () => {
    await using opened = await openPage(browser, file);

    const text = await opened.page.locator('#totals').innerText();
    match(text, /296 of 300 tags are at the target; 3 failed, 1 different\./);
  });
});

describe('the tables of the page', () => {
  it('finds rows by all words of a search, whatever their case', async () => {
    await using opened = await openPage(browser, file);
    const { page } = opened;
    const search = page.getByLabel('Search tags, digests, errors');

    await search.pressSequentially('APP-7 v1.3');
    await page.locator('#tags [role=status]', { hasText: /^1 of/ }).waitFor();
    equal(await statusOf(page, 'tags'), '1 of 300 tags');
    await search.fill(digest('acme/app-9:v1.9').slice(7, 27));
    await tagsIn(page).getByRole('rowheader', { name: 'acme/app-9' }).waitFor();
    equal(await statusOf(page, 'tags'), '1 of 300 tags');
    await search.fill('nothing like it');
    await tagsIn(page).getByText('No tags match.').waitFor();
  });

  it('sorts by keyboard, says so, and turns round', async () => {
    await using opened = await openPage(browser, file);
    const { page } = opened;
    const header = tagsIn(page).getByRole('columnheader', { name: 'Tag' });

    await header.getByRole('button').focus();
    await page.keyboard.press('Enter');
    equal(await header.getAttribute('aria-sort'), 'ascending');
    deepEqual(new Set(await firstCells(tagsIn(page))), new Set(['v1.0', 'v1.1']));
    await page.keyboard.press('Space');
    equal(await header.getAttribute('aria-sort'), 'descending');
    deepEqual(new Set(await firstCells(tagsIn(page))), new Set(['v1.9', 'v1.8']));
    equal(await tagsIn(page).locator('[aria-sort]').count(), 1);
    equal(await page.evaluate('document.activeElement.textContent'), 'Tag');
  });

  it('turns pages, and says where it is', async () => {
    await using opened = await openPage(browser, file);
    const { page } = opened;
    const pager = page.getByRole('navigation', { name: 'Pages of tags' });

    equal(await statusOf(page, 'tags'), '300 tags, showing 1 to 50');
    await pager.getByRole('button', { name: 'Next page' }).click();
    equal(await statusOf(page, 'tags'), '300 tags, showing 51 to 100');
    await pager.getByLabel('Page').fill('6');
    await page.keyboard.press('Enter');
    equal(await statusOf(page, 'tags'), '300 tags, showing 251 to 300');
    const next = pager.getByRole('button', { name: 'Next page' });
    equal(await next.getAttribute('aria-disabled'), 'true');
    await next.press('Enter');
    equal(await statusOf(page, 'tags'), '300 tags, showing 251 to 300');
    await pager.getByLabel('Rows').selectOption('250');
    equal(await statusOf(page, 'tags'), '300 tags, showing 1 to 250');
    equal(await tagsIn(page).locator('tbody tr:not(.remark)').count(), 250);
  });
});

describe('the tables of the page, together', () => {
  it('leads from a repository to its tags, and back to all', async () => {
    await using opened = await openPage(browser, file);
    const { page } = opened;

    await page.getByLabel('Search repositories').fill('app-12');
    await page.getByRole('button', { name: /^acme\/app-12\b.*show its tags$/ }).press('Enter');

    equal(await statusOf(page, 'tags'), '10 of 300 tags');
    equal(await page.evaluate('document.activeElement.id'), 'tags-title');
    await page.getByRole('button', { name: 'Show all repositories' }).click();
    equal(await statusOf(page, 'tags'), '300 tags, showing 1 to 50');
  });

  it('shows what tags.csv has not only where it is asked for', async () => {
    await using opened = await openPage(browser, file);
    const { page } = opened;

    equal(await page.getByLabel('Search repositories').count(), 1);
    await page.getByLabel('Search tags, digests, errors').fill('acme/left');
    await tagsIn(page).getByText('No tags match.').waitFor();
    await page.getByLabel('Search tags, digests, errors').fill('');
    await page.getByRole('combobox', { name: 'Show' }).selectOption('not in tags.csv');
    await tagsIn(page).getByText('acme/left').waitFor();
    equal(await statusOf(page, 'tags'), '1 tag');
  });

  it('shows what came, went and moved', async () => {
    await using opened = await openPage(browser, file);
    const { page } = opened;
    const shown: string[] = [];
    for (const change of ['new', 'gone', 'moved']) {
      await page.getByRole('button', { name: new RegExp(`${change} tags$`) }).click();
      shown.push((await tagsIn(page).locator('tbody').textContent()) ?? '');
    }

    match(shown[0] ?? '', /acme\/app-0v1\.0/);
    match(shown[1] ?? '', /acme\/oldgonegone from the source/);
    match(shown[2] ?? '', new RegExp(`was ${digest('earlier')}`));
  });
});

describe('the page, for everybody', () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 360]) {
      it(`has nothing that axe-core objects to: ${colorScheme}, ${width} wide`, async () => {
        await using opened = await openPage(browser, file, { colorScheme, width });

        deepEqual(await violationsIn(opened.page), []);
      });
    }
  }

  it('is dark where people want it so', async () => {
    const grounds: unknown[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await using opened = await openPage(browser, file, { colorScheme });
      grounds.push(
        await opened.page.evaluate('getComputedStyle(document.documentElement).backgroundColor'),
      );
    }

    deepEqual(grounds, ['rgb(251, 251, 249)', 'rgb(21, 23, 26)']);
  });

  it('fits a phone: only tables scroll sideways', async () => {
    await using opened = await openPage(browser, file, { width: 360 });

    equal(await opened.page.evaluate('document.documentElement.scrollWidth'), 360);
  });

  it('tells totals and failures without JavaScript', async () => {
    await using opened = await openPage(browser, file, { javaScriptEnabled: false });
    const { page } = opened;

    match(await page.locator('#totals').innerText(), /296 of 300 tags/);
    match(await page.locator('#failures').innerText(), /target t\.test: 401/);
    equal(await page.locator('#tags').isVisible(), false);
    match(await page.locator('main').innerText(), /need JavaScript/);
  });
});

describe('the page of 100,000 tags', () => {
  it('has few elements at any time, and is searched and sorted at once', async (t) => {
    const tags = Array.from({ length: 100_000 }, (_, n) => ({
      path: `acme/app-${Math.trunc(n / 80)}`,
      name: `v1.${n % 80}`,
      updated: new Date(Date.UTC(2026, 0, 1) - ((n * 7_919) % 100_000) * 600_000).toISOString(),
    }));
    const large = await writeReport('large', {
      tags,
      results: rowsOf(tags, (n) => ({
        status: n % 1000 === 0 ? 'failed' : 'unchanged',
        error: n % 1000 === 0 ? 'denied' : '',
      })),
    });
    const begun = performance.now();
    await using opened = await openPage(browser, large);
    const { page } = opened;
    const loadMs = performance.now() - begun;
    const search = await timed(
      page,
      `input.value = 'app-77: v1.7'; input.dispatchEvent(new Event('input'))`,
    );
    equal(await statusOf(page, 'tags'), '11 of 100,000 tags');
    const sort = await timed(page, `header.click()`);
    const elements = await page.evaluate<number>(`document.querySelectorAll('*').length`);

    t.diagnostic(
      `loaded in ${loadMs.toFixed(0)} ms, searched in ${search} ms, sorted in ${sort} ms, ${elements} elements`,
    );
    ok(elements < 5000, String(elements));
    deepEqual(opened.complaints, []);
  });
});

/** Runs code in the page; milliseconds until its result is painted. */
function timed(page: Page, code: string): Promise<number> {
  return page.evaluate<number>(`(async () => {
    const input = document.querySelector('#tags input[type=search]');
    const header = [...document.querySelectorAll('#tags thead button')].find((one) => one.textContent === 'Updated');
    const begun = performance.now();
    ${code};
    for (let frames = 0; frames < 2; frames += 1) {
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    }
    return Math.round(performance.now() - begun);
  })()`);
}
