/**
 * Asks the emulator what was once asked of the real registry, and compares the answers. The recordings
 * are no part of this project; without them there is nothing to compare.
 */
import { deepEqual } from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { startAcr, type Acr } from '../../support/acr/acr.ts';
import { AAD_TOKEN, NAME, Replay, type Entry } from '../../support/acr/replay.ts';
import { ROOT } from '../../support/acr/requests.ts';
import { image } from '../../support/images.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';

const FOLDER = new URL('../../../../../shared/fixtures/acr-recordings/js', import.meta.url)
  .pathname;

/** Headers that depend on the connection or on the day, not on the registry. */
const PASSING = new Set([
  'connection',
  'date',
  'keep-alive',
  'transfer-encoding',
  'content-length',
]);
/** What newer recordings of the registry have, and these don't. */
const NEWER_KEYS = new Set(['configMediaType', 'detail']);

const recordings = existsSync(FOLDER)
  ? readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.json'),
    )
  : [];

/** Everything that the recordings speak of, so that whatever they ask for is there. */
function seed(acr: Acr, entries: readonly Entry[]): void {
  for (const { ResponseBody: body, ResponseHeaders: headers, RequestUri: uri } of entries) {
    const recorded = (body ?? {}) as Recorded;
    if (recorded.schemaVersion !== undefined) seedRead(acr, uri, body, headers);
    for (const name of recorded.repositories ?? []) {
      repositoryOf(acr.store, name);
      acr.metadata.repository(name);
    }
    if (recorded.imageName !== undefined) seedRepository(acr, recorded.imageName, recorded);
  }
}

/** A manifest that was read, byte by byte another one, but under its digest. */
function seedRead(acr: Acr, uri: string, body: unknown, headers: Entry['ResponseHeaders']): void {
  const [, name = '', digest = ''] =
    /\/v2\/(.*)\/manifests\/(.*)$/.exec(decodeURIComponent(uri)) ?? [];
  const mediaType = String(headers['Content-Type']);
  const bytes = Buffer.from(JSON.stringify(body));
  repositoryOf(acr.store, name).manifests.set(digest, { mediaType, bytes });
}

/** The last page recorded need not be the last there was. */
function seedMore(acr: Acr, entries: readonly Entry[]): void {
  if (entries.at(-1)?.ResponseHeaders['Link'] === undefined) return;
  const digest = `sha256:${'f'.repeat(64)}`;
  seedManifest(acr, 'library/hello-world', { digest, mediaType: MANIFEST });
  repositoryOf(acr.store, 'library/hello-world').tags.set('zzz', digest);
}

function seedRepository(
  acr: Acr,
  name: string,
  { tag, tags, manifest, manifests }: Recorded,
): void {
  for (const one of [manifests, manifest].flat()) if (one) seedManifest(acr, name, one);
  for (const one of [tags, tag].flat()) {
    if (one === undefined) continue;
    const held = repositoryOf(acr.store, name).manifests.has(one.digest);
    if (!held) seedManifest(acr, name, { digest: one.digest, mediaType: MANIFEST });
    repositoryOf(acr.store, name).tags.set(one.name, one.digest);
  }
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

interface RecordedManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly architecture?: string;
  readonly os?: string;
  readonly references?: readonly RecordedManifest[];
  readonly tags?: readonly string[];
}

interface Recorded {
  readonly schemaVersion?: number;
  readonly repositories?: readonly string[];
  readonly imageName?: string;
  readonly tag?: { readonly name: string; readonly digest: string };
  readonly tags?: readonly { readonly name: string; readonly digest: string }[];
  readonly manifest?: RecordedManifest;
  readonly manifests?: readonly RecordedManifest[];
}

/** Content of the recorded kind under the recorded digest, which needn't be its own. */
function seedManifest(acr: Acr, name: string, recorded: RecordedManifest): void {
  const { digest, mediaType, architecture, os, references = [], tags = [] } = recorded;
  const repository = repositoryOf(acr.store, name);
  for (const tag of tags) repository.tags.set(tag, digest);
  if (mediaType.includes('list') || mediaType.includes('index')) {
    const manifests = references.map((entry) => ({
      mediaType: MANIFEST,
      digest: entry.digest,
      size: 1,
      platform: { architecture: entry.architecture, os: entry.os },
    }));
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    repository.manifests.set(digest, { mediaType, bytes });
    return;
  }
  const platform =
    architecture === undefined || os === undefined ? undefined : { architecture, os };
  const built = image({ mediaTypes: 'docker', ...(platform && { platform }) });
  for (const { digest: blob, bytes } of built.blobs) {
    acr.store.blobs.set(blob, bytes);
    repository.blobs.add(blob);
  }
  repository.manifests.set(digest, { mediaType, bytes: built.root.bytes });
}

/** Names of headers that matter, sorted. */
function namesOf(names: Iterable<string>): string[] {
  return [...names]
    .map((name) => name.toLowerCase())
    .filter((name) => !PASSING.has(name))
    .toSorted();
}

/** The shape of JSON: keys, without those of newer days; of lists, the first element's. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  const keys = Object.keys(value).filter((key) => !NEWER_KEYS.has(key));
  return Object.fromEntries(
    keys.toSorted().map((key) => [key, shapeOf((value as Record<string, unknown>)[key])]),
  );
}

/** Code, and what was missing. */
function complaintsOf(body: unknown): unknown {
  const { errors } = (body ?? {}) as { errors?: { code: string; detail?: unknown }[] };
  return errors?.map(({ code, detail }) => ({ code, detail }));
}

function challengeOf(header: string | null | undefined): string | undefined {
  return header?.replace(/realm="[^"]*",service="[^"]*"/, '').replace('push,pull', 'pull,push'); // either order was recorded
}

const started: Acr[] = [];
after(() => Promise.all(started.map((acr) => acr.close())));

async function start(entries: readonly Entry[], isAnonymous: boolean): Promise<Acr> {
  const acr = await startAcr({
    name: NAME,
    users: { [ROOT.name]: { password: ROOT.password } },
    aadTokens: { [AAD_TOKEN]: {} },
    anonymousPull: isAnonymous,
  });
  started.push(acr);
  putImage(acr.store, 'library/busybox', 'latest', image({ seed: 'busybox' }));
  putImage(acr.store, 'library/hello-world', 'test-delete', image({ seed: 'hello' }));
  seed(acr, entries);
  seedMore(acr, entries);
  return acr;
}

function isReplayable({ RequestUri: uri }: Entry): boolean {
  return new URL(uri).hostname === NAME; // the storage answers for itself
}

describe('recordings', { skip: recordings.length === 0 }, () => {
  for (const path of recordings) {
    it(`are answered alike: ${path}`, async () => {
      const { Entries: entries } = JSON.parse(readFileSync(join(FOLDER, path), 'utf8')) as {
        Entries: Entry[];
      };
      const acr = await start(entries, path.includes('anonymous'));
      const replay = new Replay(acr);
      for (const entry of entries.filter(isReplayable)) {
        const { status, headers, body } = await replay.ask(entry);
        const what = `${entry.RequestMethod} ${entry.RequestUri.slice(0, 120)}`;
        const recorded = new Headers(
          Object.entries(entry.ResponseHeaders).map(([name, value]) => [name, String(value)]),
        );
        deepEqual(status, entry.StatusCode, what);
        deepEqual(namesOf(headers.keys()), namesOf(recorded.keys()), what);
        deepEqual(
          challengeOf(headers.get('www-authenticate')),
          challengeOf(recorded.get('www-authenticate')),
          what,
        );
        if (status >= 400) {
          deepEqual(complaintsOf(body), complaintsOf(entry.ResponseBody), what);
        } else if (body !== undefined) {
          deepEqual(shapeOf(body), shapeOf(entry.ResponseBody), what);
        }
      }
    });
  }
});
