import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { systemClock } from '../../../src/base/clock.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import type { Copy, CopyRequest } from '../../../src/copy/copier.ts';
import { ALL } from '../../../src/copy/select.ts';
import { digestOf, type Digest } from '../../../src/image/digest.ts';
import { readManifest } from '../../../src/image/manifest.ts';
import { parsePlatform } from '../../../src/image/platform.ts';
import { formatReference, type Reference } from '../../../src/image/reference.ts';
import type { Image, ImageSink, ImageSource } from '../../../src/image/source-and-sink.ts';
import type { MappedRow } from '../../../src/sync/rows.ts';
import { syncTags, type SyncSettings, type TagOutcome } from '../../../src/sync/sync.ts';
import { collect } from '../../support/collect.ts';
import { image, index } from '../../support/images.ts';

const AMD64 = parsePlatform('linux/amd64');
const digestFor = (text: string): Digest => digestOf(Buffer.from(text));

/** Registries that only know digests: by reference. Notes which images are open and what was asked. */
class FakeRegistries {
  readonly held = new Map<string, Digest>();
  readonly manifests = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  readonly hoped: (Digest | undefined)[] = [];
  open = 0;

  image(reference: Reference): Image {
    const { tag, digest, ...repository } = reference;
    const version = digest === undefined ? { tag: tag ?? '' } : { digest };
    const name = formatReference({ ...repository, ...version });
    this.open += 1;
    return {
      name,
      head: async (_, hoped?: Digest) => {
        this.asked.push(name);
        this.hoped.push(hoped);
        if (name.includes('/broken')) throw new RegistrySyncError('UNAVAILABLE', 'is down');
        const found = this.held.get(name);
        return found && { mediaType: 'x', digest: found, size: 1 };
      },
      [Symbol.asyncDispose]: async () => {
        this.open -= 1;
      },
    };
  }

  source(reference: Reference): ImageSource {
    return Object.assign(this.image(reference), {
      manifest: async (digest: Digest | 'root') => {
        this.asked.push(`manifest ${digest}`);
        return readManifest(this.manifests.get(digest) ?? Buffer.from('{}'), undefined);
      },
      blob: () => Promise.reject(new Error('no blobs here')),
    });
  }

  sink(reference: Reference): ImageSink {
    const unexpected = (): Promise<never> => Promise.reject(new Error('nothing is put here'));
    return Object.assign(this.image(reference), { putBlob: unexpected, putManifest: unexpected });
  }
}

function row(tag: string | undefined, digest: Digest | undefined, repository = 'web'): MappedRow {
  const version = { ...(tag && { tag }), ...(digest && { digest }) };
  return {
    row: { line: 2, namespace: '', repository, ...version },
    source: { registry: 's', path: repository, ...version },
    target: { registry: 't', path: repository, ...(tag ? { tag } : { digest: digest as Digest }) },
  };
}

const rowsOf = (count: number): MappedRow[] =>
  Array.from({ length: count }, (_, n) => row(`v${n}`, digestFor(`v${n}`)));

async function* stream(rows: readonly MappedRow[], read: MappedRow[] = []) {
  for (const one of rows) {
    read.push(one);
    yield one;
  }
}

const copied: Copy = async ({ expected }) => ({
  outcome: 'copied',
  digest: expected ?? digestFor('root'),
  blobs: { present: 0, mounted: 0, copied: 1 },
  bytes: 10,
  mountedBytes: 5,
});

function settingsFor(
  registries: FakeRegistries,
  settings: Partial<SyncSettings> = {},
): SyncSettings {
  const { signal } = new AbortController();
  return {
    open: ({ source, target }) => ({
      source: registries.source(source),
      sink: registries.sink(target),
    }),
    copy: copied,
    selection: ALL,
    jobs: 4,
    followMoved: false,
    dryRun: false,
    clock: systemClock,
    stopping: signal,
    signal,
    ...settings,
  };
}

/** The result and what else is asked for, of each outcome. */
function facts(outcomes: readonly TagOutcome[], ...keys: string[]): unknown[][] {
  return outcomes.map((outcome) => [
    outcome.result,
    ...keys.map((key) => (outcome as unknown as Record<string, unknown>)[key]),
  ]);
}

describe('syncTags', () => {
  it('copies each row at the digest of the CSV and asks for nothing itself', async () => {
    const registries = new FakeRegistries();
    const expected: (Digest | undefined)[] = [];
    const copy: Copy = (request) => {
      expected.push(request.expected);
      return copied(request);
    };
    const rows = [row('1', digestFor('one')), row('2', undefined), row(undefined, digestFor('3'))];

    const outcomes = await collect(syncTags(stream(rows), settingsFor(registries, { copy })));

    deepEqual(expected, [digestFor('one'), undefined, digestFor('3')]);
    deepEqual(facts(outcomes, 'digest', 'bytes', 'mountedBytes', 'moved'), [
      ['copied', digestFor('one'), 10, 5, false],
      ['copied', digestFor('root'), 10, 5, false],
      ['copied', digestFor('3'), 10, 5, false],
    ]);
    deepEqual([registries.asked, registries.open], [[], 0]);
  });

  it('works on as many rows as there are jobs, and reads no further', async () => {
    const read: MappedRow[] = [];
    const waiting: (() => void)[] = [];
    let most = 0;
    const copy: Copy = async (request) => {
      await new Promise<void>((resolve) => {
        most = Math.max(most, waiting.push(resolve));
      });
      return copied(request);
    };
    const settings = settingsFor(new FakeRegistries(), { copy, jobs: 3 });

    const outcomes = collect(syncTags(stream(rowsOf(10), read), settings));
    await new Promise((resolve) => setTimeout(resolve, 5));
    deepEqual([read.length, waiting.length], [3, 3]);
    const free = setInterval(() => waiting.shift()?.(), 1);

    equal((await outcomes).length, 10);
    clearInterval(free);
    equal(most, 3);
  });

  it('yields outcomes as they are done, not in the order of the rows', async () => {
    const copy: Copy = async (request) => {
      const isSlow = request.expected === digestFor('v0');
      await new Promise((resolve) => setTimeout(resolve, isSlow ? 20 : 0));
      return copied(request);
    };

    const outcomes = await collect(
      syncTags(stream(rowsOf(3)), settingsFor(new FakeRegistries(), { copy })),
    );

    equal(outcomes.at(-1)?.row.tag, 'v0');
  });
});

describe('a row that fails', () => {
  it('makes a failure an outcome, goes on, and closes what was open', async () => {
    const registries = new FakeRegistries();
    const copy: Copy = async (request) => {
      if (request.expected !== digestFor('v1')) return copied(request);
      throw new RegistrySyncError('NOT_FOUND', 'source s/web:v1: not found');
    };

    const outcomes = await collect(syncTags(stream(rowsOf(3)), settingsFor(registries, { copy })));

    const failed = outcomes.find(({ result }) => result === 'failed');
    deepEqual([outcomes.length, failed?.row.tag, failed?.digest], [3, 'v1', digestFor('v1')]);
    equal(failed?.result === 'failed' && failed.error.code, 'NOT_FOUND');
    equal(registries.open, 0);
  });

  it('lets a bug through', async () => {
    const copy: Copy = () => Promise.reject(new TypeError('undefined is no function'));

    await rejects(
      collect(syncTags(stream(rowsOf(3)), settingsFor(new FakeRegistries(), { copy }))),
      TypeError,
    );
  });
});

describe('a sync that is to stop', () => {
  it('starts no row once it is to stop, and finishes those that run', async () => {
    const stopping = new AbortController();
    const started: CopyRequest[] = [];
    const copy: Copy = async (request) => {
      if (started.push(request) === 2) stopping.abort();
      await new Promise((resolve) => setTimeout(resolve, 2));
      return copied(request);
    };
    const settings = settingsFor(new FakeRegistries(), {
      copy,
      jobs: 2,
      stopping: stopping.signal,
    });

    const outcomes = await collect(syncTags(stream(rowsOf(10)), settings));

    deepEqual(facts(outcomes), [['copied'], ['copied']]);
  });

  it('starts none at all when it is to stop from the start', async () => {
    const settings = settingsFor(new FakeRegistries(), { stopping: AbortSignal.abort() });

    deepEqual(await collect(syncTags(stream(rowsOf(3)), settings)), []);
  });

  it('hands its signal on to the copies', async () => {
    const { signal } = new AbortController();
    const seen: AbortSignal[] = [];
    const copy: Copy = (request) => {
      seen.push(request.signal);
      return copied(request);
    };

    await collect(syncTags(stream(rowsOf(1)), settingsFor(new FakeRegistries(), { copy, signal })));

    ok(seen[0] === signal);
  });
});

describe('syncTags that follows moved tags', () => {
  it('copies what the tag stands for now, and says whether it moved', async () => {
    const registries = new FakeRegistries();
    registries.held.set('s/web:1', digestFor('new'));
    registries.held.set('s/web:2', digestFor('same'));
    registries.held.set('s/web:3', digestFor('first'));
    const rows = [
      row('1', digestFor('old')),
      row('2', digestFor('same')),
      row('3', undefined),
      row(undefined, digestFor('by digest')),
    ];

    const outcomes = await collect(
      syncTags(stream(rows), settingsFor(registries, { followMoved: true, jobs: 1 })),
    );

    deepEqual(facts(outcomes, 'digest', 'moved'), [
      ['copied', digestFor('new'), true],
      ['copied', digestFor('same'), false],
      ['copied', digestFor('first'), false],
      ['copied', digestFor('by digest'), false],
    ]);
    deepEqual(registries.asked, ['s/web:1', 's/web:2', 's/web:3']);
  });

  it('fails where the tag is gone, and names it', async () => {
    const settings = settingsFor(new FakeRegistries(), { followMoved: true });

    const [outcome] = await collect(syncTags(stream([row('1', digestFor('old'))]), settings));

    ok(outcome?.result === 'failed');
    deepEqual(
      [outcome.error.code, outcome.error.message],
      ['NOT_FOUND', 'source s/web:1: not found'],
    );
  });
});

/** What is at the target, what at the source, the row; the result and how often each side is asked. */
const COMPARED: [string, [string, string][], MappedRow, string, number][] = [
  ['nothing', [], row('1', digestFor('a')), 'would-copy', 1],
  ['the same', [['t/web:1', 'a']], row('1', digestFor('a')), 'unchanged', 1],
  ['another', [['t/web:1', 'b']], row('1', digestFor('a')), 'would-copy', 1],
  [
    'the same as the tag',
    [
      ['t/web:1', 'b'],
      ['s/web:1', 'b'],
    ],
    row('1', undefined),
    'unchanged',
    2,
  ],
];

describe('a dry run', () => {
  for (const [shown, held, one, result, asked] of COMPARED) {
    it(`says ${result} where the target has ${shown}, and copies nothing`, async () => {
      const registries = new FakeRegistries();
      for (const [name, content] of held) registries.held.set(name, digestFor(content));
      const copy: Copy = () => Promise.reject(new Error('is copied'));

      const outcomes = await collect(
        syncTags(stream([one]), settingsFor(registries, { dryRun: true, copy })),
      );

      deepEqual(facts(outcomes), [[result]]);
      deepEqual([registries.asked.length, registries.open], [asked, 0]);
    });
  }

  it('fails where a row without digest has no image, and names the side that is down', async () => {
    const rows = [row('1', undefined), row('1', digestFor('a'), 'broken')];

    const outcomes = await collect(
      syncTags(stream(rows), settingsFor(new FakeRegistries(), { dryRun: true, jobs: 1 })),
    );

    deepEqual(
      outcomes.map((outcome) => outcome.result === 'failed' && outcome.error.message),
      ['source s/web:1: not found', 'target t/broken:1: is down'],
    );
  });

  for (const [shown, selection, hoped] of [
    ['the digest', ALL, digestFor('a')],
    ['nothing where a part is selected', { kind: 'platforms', platforms: [AMD64] }, undefined],
  ] as const) {
    it(`hopes for ${shown} at the target`, async () => {
      const registries = new FakeRegistries();
      const settings = settingsFor(registries, { dryRun: true, selection });

      await collect(syncTags(stream([row('1', digestFor('a'))]), settings));

      deepEqual(registries.hoped, [hoped]);
    });
  }
});

describe('a dry run of what is copied anyway, or in part', () => {
  it('asks nobody where everything is copied anyway', async () => {
    const registries = new FakeRegistries();
    const digest = digestFor('a');
    registries.held.set('t/web:1', digest);
    const settings = settingsFor(registries, { dryRun: true, copiesAll: true });

    const outcomes = await collect(syncTags(stream([row('1', digest)]), settings));

    deepEqual([facts(outcomes), registries.asked], [[['would-copy']], []]);
  });

  it('knows an index of which some platforms were selected', async () => {
    const whole = index([
      { image: image({ seed: 'a' }), platform: { os: 'linux', architecture: 'amd64' } },
      { image: image({ seed: 'b' }), platform: { os: 'linux', architecture: 'arm64' } },
    ]);
    const json = JSON.parse(whole.root.bytes.toString()) as { manifests: unknown[] };
    const part = Buffer.from(JSON.stringify({ ...json, manifests: json.manifests.slice(1) }));
    const registries = new FakeRegistries();
    registries.manifests.set(whole.root.digest, whole.root.bytes);
    registries.held.set('t/web:1', digestOf(part));
    const rows = [row('1', whole.root.digest as Digest), row('2', whole.root.digest as Digest)];

    const outcomes = await collect(
      syncTags(
        stream(rows),
        settingsFor(registries, {
          dryRun: true,
          jobs: 1,
          selection: { kind: 'platforms', platforms: [parsePlatform('linux/arm64')] },
        }),
      ),
    );

    deepEqual(facts(outcomes), [['unchanged'], ['would-copy']]);
  });
});
