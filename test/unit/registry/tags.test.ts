import { deepEqual, equal, rejects } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { clientOver, connectTo, tagsOf } from '../../support/client.ts';
import { image } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';
import { createWire, type Wire, type WireAnswer } from '../../support/wire.ts';

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

const names = (count: number, prefix = 't'): string[] =>
  Array.from({ length: count }, (_, at) => `${prefix}${String(at).padStart(5, '0')}`);

/** A registry with so many tags in `a`. */
async function start(count: number, options: RegistryOptions = {}): Promise<Registry> {
  const registry = await startRegistry(options);
  closers.push(() => registry.close());
  putImage(registry.store, 'a', undefined, image());
  const { tags } = repositoryOf(registry.store, 'a');
  for (const name of names(count)) tags.set(name, image().root.digest);
  return registry;
}

const lists = ({ requests }: Registry): number =>
  requests.filter(({ path }) => path.includes('tags/list')).length;

/** What it shows, how many tags, how the registry behaves, how many requests that takes. */
const PAGED: [string, number, RegistryOptions, number][] = [
  ['no tags', 0, {}, 1],
  ['one page', 10, {}, 1],
  ['a page that is exactly full', 1000, {}, 2],
  ['several pages', 2500, {}, 3],
  ['pages smaller than asked for', 25, { maxPageSize: 10 }, 3],
  ['all at once, from a registry without pages', 2500, { tagsListPaging: false }, 1],
  ['a full page at once, from a registry without pages', 1000, { tagsListPaging: false }, 2],
];

describe('a list of tags', () => {
  for (const [shown, count, options, requests] of PAGED) {
    it(`is read whole: ${shown}`, async () => {
      const registry = await start(count, options);

      deepEqual(await tagsOf(connectTo(registry), 'a'), names(count));

      equal(lists(registry), requests);
    });
  }

  it('of a repository that is not there is NOT_FOUND', async () => {
    const registry = await start(0);

    await rejects(tagsOf(connectTo(registry), 'none'), {
      code: 'NOT_FOUND',
      message: /^tags of 127.0.0.1:\d+\/none: not found/,
    });
  });
});

const page = (tags: unknown, link?: string): WireAnswer => ({
  status: 200,
  headers: link === undefined ? {} : { link: `<${link}>; rel="next"` },
  body: JSON.stringify({ name: 'a', tags }),
});

/** A registry whose lists are `answer`, by what comes after `last=`. */
function listing(answer: (last: string | null, url: URL) => WireAnswer): Wire {
  return createWire(({ url }) =>
    url.pathname === '/v2/' ? { status: 200 } : answer(url.searchParams.get('last'), url),
  );
}
const read = ({ send }: Wire): Promise<string[]> => tagsOf(clientOver(send, 'r.test'), 'a');

describe('pages', () => {
  it('may be absolute, and relative to the page', async () => {
    const wire = listing((last) => {
      if (last === null) return page(['a'], 'https://r.test/v2/a/tags/list?last=a');
      return last === 'a' ? page(['b'], '?last=b') : page(['c']);
    });

    deepEqual(await read(wire), ['a', 'b', 'c']);
  });

  it('without Link (Nexus) are asked for as long as they are full', async () => {
    const all = names(2500);
    const wire = listing((last, url) => {
      const from = last === null ? 0 : all.indexOf(last) + 1;
      return page(all.slice(from, from + Number(url.searchParams.get('n'))));
    });

    deepEqual(await read(wire), all);
    equal(wire.requests.length, 1 + 3);
  });

  it('without Link from a registry that ignores `last` end with the first', async () => {
    const wire = listing(() => page(names(1000)));

    deepEqual(await read(wire), names(1000));
  });

  it('that begin with the last name of the page before say it once', async () => {
    const wire = listing((last) =>
      last === null ? page(['a', 'b'], '?last=b') : page(['b', 'c']),
    );

    deepEqual(await read(wire), ['a', 'b', 'c']);
  });

  it('may be empty in between', async () => {
    const wire = listing((last) => {
      if (last === null) return page(null, '?last=a');
      return last === 'a' ? page([], '?last=b') : page(['c']);
    });

    deepEqual(await read(wire), ['c']);
  });
});

/** What it shows, the answers. */
const ENDLESS: [string, (last: string | null) => WireAnswer][] = [
  ['lead to themselves', () => page(['a'], '?n=1000')],
  ['lead in a circle', (last) => page([`${last}`], last === 'a' ? '?last=b' : '?last=a')],
  ['begin as the first one', (last) => page(['a', 'b'], `?last=${last}x`)],
  ['begin as the one before', (last) => page(last === null ? ['a'] : ['b'], `?last=${last}x`)],
  ['are empty for ever', (last) => page([], `?last=${last}x`)],
];

describe('pages that', () => {
  for (const [shown, answer] of ENDLESS) {
    it(`${shown} are refused`, async () => {
      const wire = listing(answer);

      await rejects(read(wire), { code: 'PROTOCOL' });
    });
  }

  for (const body of ['<html>', '[]', '{}', '{"tags":"a"}', '{"tags":["a",1]}', '{"tags":{}}']) {
    it(`are ${body} are refused`, async () => {
      const wire = listing(() => ({ status: 200, body }));

      await rejects(read(wire), {
        code: 'PROTOCOL',
        message: /^tags of r.test\/a: the answer is no/,
      });
    });
  }

  it('are longer than any list are refused', async () => {
    const wire = listing(() => ({ status: 200, body: Buffer.alloc(32 * 1024 * 1024 + 1, ' ') }));

    await rejects(read(wire), { code: 'PROTOCOL', message: /longer than/ });
  });
});
