import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { createLog } from '../../../src/base/log.ts';
import { Secrets } from '../../../src/base/redact.ts';
import { digestOf, type Digest } from '../../../src/image/digest.ts';
import type { TagInfo, TagPage } from '../../../src/registry/catalog.ts';
import { Inventory } from '../../../src/registry/inventory.ts';
import { NEVER } from '../../support/client.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const digestFor = (text: string): Digest => digestOf(Buffer.from(text));
const OTHER = digestFor('another');
const MINUTE = 60_000;

/** So many tags `0`, `1`, …, each with a digest of its own. */
function tags(count: number, from = 0): TagInfo[] {
  return Array.from({ length: count }, (_, n) => ({
    name: String(from + n),
    digest: digestFor(String(from + n)),
  }));
}

/** So many tags on one digest: cheaper to make. */
function many(count: number): TagInfo[] {
  return Array.from({ length: count }, (_, n) => ({ name: String(n), digest: OTHER }));
}

/** A list cut into pages, with or without its length. */
function paged(all: readonly TagInfo[], size: number, total?: number): TagPage[] {
  const pages: TagPage[] = [];
  for (let at = 0; at < all.length; at += size) {
    pages.push({ tags: all.slice(at, at + size), ...(total !== undefined && { total }) });
  }
  return pages;
}

interface Given {
  readonly pages?: readonly (TagPage | Error)[];
  readonly wanted?: number;
  /** Waited for before each page. */
  readonly before?: () => unknown;
}

async function stock({ pages = [{ tags: tags(10) }], wanted = 10, before }: Given = {}) {
  const clock = new FakeClock();
  const warned: string[] = [];
  const read: string[] = [];
  const log = await createLog({
    level: 'warn',
    format: 'json',
    secrets: new Secrets(),
    write: (line) => warned.push((JSON.parse(line) as { reason: string }).reason),
  });
  const inventory = new Inventory({
    registry: 'r.test',
    async *pages(repository) {
      for (const [number, page] of pages.entries()) {
        await before?.();
        read.push(`${repository} ${number + 1}`);
        if (page instanceof Error) throw page;
        yield page;
      }
    },
    wanted: () => wanted,
    clock,
    log,
  });
  const says = (tag: string, digest = digestFor(tag), repository = 'a'): Promise<boolean> =>
    inventory.says(repository, tag, digest, NEVER);
  return { inventory, clock, warned, read, says };
}

/** A page that comes when it is told to. */
function gate(): { wait: () => Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { wait: () => opened, open: () => open() };
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe('an inventory', () => {
  it('reads a repository once, however many ask at the same time and later', async () => {
    const { says, read } = await stock();

    const said = await Promise.all(tags(10).map(({ name }) => says(name)));
    await turn();

    deepEqual(said, Array<boolean>(10).fill(true));
    equal(await says('3'), true);
    deepEqual(read, ['a 1']);
  });

  it('reads each repository by itself', async () => {
    const { says, read } = await stock();

    await Promise.all([says('1'), says('1', digestFor('1'), 'b')]);

    deepEqual(read.toSorted(), ['a 1', 'b 1']);
  });

  it('knows nothing of a digest that differs, of a tag that is not listed, of a tag without digest', async () => {
    const { says } = await stock({
      pages: [{ tags: [{ name: '1', digest: OTHER }, { name: '2' }] }],
    });

    deepEqual(await Promise.all(['1', '2', '3'].map((tag) => says(tag))), [false, false, false]);
    equal(await says('1', OTHER), true);
  });

  it('believes a list for ten minutes', async () => {
    const { says, clock, read } = await stock();

    const said: boolean[] = [];
    for (const advance of [0, 10 * MINUTE - 1, 1, MINUTE]) {
      clock.advance(advance);
      said.push(await says('1'));
    }

    deepEqual(said, [true, true, false, false]);
    equal(read.length, 1);
  });

  it('counts the ten minutes from the first request, not from the last answer', async () => {
    let clock: FakeClock | undefined = undefined;
    const late = (): void => (clock as FakeClock | undefined)?.advance(6 * MINUTE);
    const given = await stock({ pages: paged(tags(20), 10), wanted: 20, before: late });
    ({ clock } = given);

    equal(await given.says('1'), false);
  });

  it('reads of a repository of more tags than are kept so many, and once', async () => {
    const pages = paged(many(101_000), 1000, 101_000);
    const { says, read } = await stock({ pages, wanted: 101_000 });

    await says('1', OTHER);
    await turn();
    await says('2', OTHER);

    equal(read.length, 90);
  });
});

describe('an inventory that has no room for all lists', () => {
  it('reads each of them once, however rows go to and fro', async () => {
    const { says, read } = await stock({ pages: [{ tags: many(60_000) }] });

    const said: boolean[] = [];
    for (const repository of ['a', 'b', 'a', 'b', 'a']) {
      said.push(await says('1', OTHER, repository));
      await turn();
    }

    deepEqual(said, [true, true, false, true, false]);
    deepEqual(read, ['a 1', 'b 1']);
  });

  it('keeps what is as long as a list may be', async () => {
    const pages = paged(many(100_500), 1000);
    const { says, read } = await stock({ pages, wanted: 100_500 });

    for (const tag of ['1', '2', '89999', '90000', '3']) {
      equal(await says(tag, OTHER), tag !== '90000');
      await turn();
    }

    equal(read.length, 90);
  });
});

describe('what is not worth a list', () => {
  it('is a repository of which fewer than four tags are wanted', async () => {
    const { says, read } = await stock({ wanted: 3 });

    equal(await says('1'), false);
    deepEqual(read, []);
  });

  it('begins with four tags', async () => {
    const { says, read } = await stock({ wanted: 4 });

    equal(await says('1'), true);
    deepEqual(read, ['a 1']);
  });

  it('are three rows of five thousand tags', async () => {
    const { says, read } = await stock({ pages: paged(tags(5000), 1000, 5000), wanted: 3 });

    equal(await says('1'), false);
    deepEqual(read, []);
  });

  // With a length: after the first page the others are read only if they are fewer than the tags.
  for (const [wanted, pages] of [
    [4, 1],
    [9, 1],
    [10, 10],
    [100, 10],
  ] as const) {
    it(`of ten pages with a length are ${10 - pages} for ${wanted} tags`, async () => {
      const { says, read } = await stock({ pages: paged(tags(100), 10, 100), wanted });

      await says('1');

      equal(read.length, pages);
    });
  }

  // Without a length: at most half as many pages as tags.
  for (const [wanted, pages] of [
    [4, 2],
    [5, 3],
    [10, 5],
    [19, 10],
    [100, 10],
  ] as const) {
    it(`of ten pages without a length are ${10 - pages} for ${wanted} tags`, async () => {
      const { says, read } = await stock({ pages: paged(tags(100), 10), wanted });

      await says('1');

      equal(read.length, pages);
    });
  }

  it('is what comes after as many as it said to have', async () => {
    const { says, read } = await stock({ pages: paged(tags(100), 10, 20), wanted: 50 });

    await says('1');

    equal(read.length, 2);
  });

  it('is what comes after an empty page that promises more', async () => {
    const { says, read } = await stock({
      pages: Array.from({ length: 50 }, () => ({ tags: [], total: 5000 })),
      wanted: 8,
    });

    await says('1');

    equal(read.length, 4);
  });
});

describe('what we have written', () => {
  it('before a list is read is not looked up, and no list is read', async () => {
    const { inventory, says, read } = await stock();

    inventory.noteWritten('a', '1');

    deepEqual([await says('1'), await says('2'), read], [false, false, []]);
  });

  it('while a list is read is not answered from it; the other tags are', async () => {
    const { wait, open } = gate();
    const { inventory, says } = await stock({ before: wait });
    const asked = [says('1'), says('2')];
    await turn();

    inventory.noteWritten('a', '1');
    open();

    deepEqual(await Promise.all(asked), [false, true]);
    await turn();
    deepEqual([await says('1'), await says('2')], [false, true]);
  });

  it('after a list was read is not answered from it; the other tags are', async () => {
    const { inventory, says, read } = await stock();
    await says('1');
    await turn();

    inventory.noteWritten('a', '1');

    deepEqual([await says('1'), await says('2'), read.length], [false, true, 1]);
  });

  it('in one repository says nothing of another', async () => {
    const { inventory, says } = await stock();

    inventory.noteWritten('a', '1');

    equal(await says('1', digestFor('1'), 'b'), true);
  });

  it('in a repository whose list had to make room keeps that from being read again', async () => {
    const { inventory, says, read } = await stock({ pages: [{ tags: many(60_000) }] });
    equal(await says('1', OTHER), true);
    await turn();
    inventory.noteWritten('a', '1');
    await says('1', OTHER, 'b'); // 120,000 together
    await turn();

    deepEqual([await says('1', OTHER), await says('2', OTHER)], [false, false]);
    deepEqual(read, ['a 1', 'b 1']);
  });
});

const DOWN = new RegistrySyncError('UNAVAILABLE', 'is down');

describe('a list that is broken off', () => {
  it('by a mistake of ours is not passed over', async () => {
    const { says } = await stock({ pages: [new TypeError('a bug')] });

    await rejects(says('1'), TypeError);
  });

  it('as the run was stopped is no answer', async () => {
    const { wait, open } = gate();
    const { inventory, warned } = await stock({ before: wait, pages: [DOWN] });
    const stop = new AbortController();
    const said = inventory.says('a', '1', digestFor('1'), stop.signal);

    stop.abort();
    open();

    await rejects(said, { code: 'CANCELLED' });
    deepEqual(warned, []);
  });
});

describe('a list that fails', () => {
  const denied = new RegistrySyncError('UNAUTHORIZED', 'is denied');

  it('says nothing of any tag, is not read again, and is warned of once per registry', async () => {
    const { says, read, warned } = await stock({ pages: [denied] });

    const said = await Promise.all([says('1'), says('2'), says('1', digestFor('1'), 'b')]);
    await turn();
    said.push(await says('3'), await says('1', digestFor('1'), 'c'));

    deepEqual(said, Array<boolean>(5).fill(false));
    deepEqual(read.toSorted(), ['a 1', 'b 1', 'c 1']);
    deepEqual(warned, ['is denied']);
  });

  for (const code of ['UNAVAILABLE', 'RATE_LIMITED'] as const) {
    it(`is the last one that is read where it says that lists can't be had: ${code}`, async () => {
      const { says, read, warned } = await stock({
        pages: [new RegistrySyncError(code, 'is down')],
      });

      const said = [await says('1'), await says('1', digestFor('1'), 'b')];

      deepEqual([said, read, warned], [[false, false], ['a 1'], ['is down']]);
    });
  }

  for (const code of ['PROTOCOL', 'UNAUTHORIZED', 'REJECTED'] as const) {
    it(`keeps no other list from being read where it is this one alone: ${code}`, async () => {
      const { says, read, warned } = await stock({
        pages: [{ tags: tags(2) }, new RegistrySyncError(code, 'is too long')],
      });

      const said = [await says('1'), await says('1', digestFor('1'), 'b')];
      await turn();
      said.push(await says('2'));

      deepEqual(
        [said, read],
        [
          [true, true, false],
          ['a 1', 'a 2', 'b 1', 'b 2'],
        ],
      );
      deepEqual(warned, ['is too long']);
    });
  }

  it('is believed as far as it came', async () => {
    const { says } = await stock({ pages: [{ tags: tags(2) }, denied] });

    deepEqual(await Promise.all([says('1'), says('2')]), [true, false]);
  });

  it('as the repository is not there yet is no reason to warn', async () => {
    const { says, warned } = await stock({ pages: [new RegistrySyncError('NOT_FOUND', 'none')] });

    equal(await says('1'), false);
    deepEqual(warned, []);
  });
});
