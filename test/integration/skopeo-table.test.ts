/**
 * Shows that we are a drop-in for skopeo: each command line of the table is run by skopeo and by us, on
 * the same registry, and exit code, output and what is left behind are compared.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { ACCESS } from './skopeo-table/access.ts';
import type { Case } from './skopeo-table/case.ts';
import { complaints, reasonsOf } from './skopeo-table/compare.ts';
import { COPY_OPTIONS } from './skopeo-table/copy-options.ts';
import { COPY_TRANSPORTS } from './skopeo-table/copy-transports.ts';
import { INSPECT } from './skopeo-table/inspect.ts';
import { OTHER_COMMANDS } from './skopeo-table/other-commands.ts';
import { REASONS, type Reason } from './skopeo-table/reasons.ts';
import { runSide } from './skopeo-table/side.ts';
import { SYNC } from './skopeo-table/sync.ts';
import { startWorld, type World } from './skopeo-table/world.ts';
import { WRONG_INPUT } from './skopeo-table/wrong-input.ts';

const LINES: readonly Case[] = [
  ...COPY_TRANSPORTS,
  ...COPY_OPTIONS,
  ...INSPECT,
  ...OTHER_COMMANDS,
  ...ACCESS,
  ...SYNC,
  ...WRONG_INPUT,
];

/** Unless all are asked for, what is meant to differ and every second one of the others: a minute and a half. */
const ALL = process.env['SKOPEO_TABLE'] === 'all';
const TABLE = LINES.filter((test, at) => ALL || test.differs !== undefined || at % 2 === 0);

let world: World;
before(async () => {
  world = await startWorld();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

const PAGE = new URL('../../../docs/skopeo.md', import.meta.url);
const shown = new Set<Reason>();

describe('a command line does what it does with skopeo', { concurrency: 4 }, () => {
  for (const [at, test] of TABLE.entries()) {
    it(test.line, async () => {
      const [skopeo, ours] = await Promise.all([
        runSide(world, 'skopeo', test, `c${at}`),
        runSide(world, 'ours', test, `c${at}`),
      ]);
      equal(complaints(test, skopeo, ours).join('\n'), '');
      for (const reason of reasonsOf(test, skopeo, ours)) shown.add(reason);
    });
  }
});

describe('the page on what differs', () => {
  const page = readFileSync(PAGE, 'utf8');

  it('gives the reason of every difference', () => {
    deepEqual(
      Object.values(REASONS).filter((reason) => !page.includes(reason)),
      [],
    );
  });

  it('gives no reason that no command line has', { skip: !ALL }, () => {
    // What these say is taken out before the comparison, or depends on the version of Node.
    const other = new Set<Reason>(['steps', 'emptyDirectories', 'zstdNeedsNode']);
    const unused = (Object.keys(REASONS) as Reason[]).filter(
      (reason) => !shown.has(reason) && !other.has(reason),
    );
    deepEqual(unused, []);
  });
});
