/** Clients of registries for tests: over real sockets to an emulator, or over any other Send. */
import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';

import type { Dispatcher } from 'undici';

import { silentLog } from '../../src/base/log.ts';
import { createDispatcher } from '../../src/http/dispatcher.ts';
import { HostPause } from '../../src/http/host-pause.ts';
import { withRetry, type RetryPolicy } from '../../src/http/retry.ts';
import { compose, undiciSend, type Send, type Wrap } from '../../src/http/send.ts';
import { Traffic } from '../../src/http/traffic.ts';
import type { Descriptor } from '../../src/image/descriptor.ts';
import { parseDigest } from '../../src/image/digest.ts';
import { readManifest, type StoredManifest } from '../../src/image/manifest.ts';
import type { BlobOutcome, ImageSink, OpenBlob } from '../../src/image/source-and-sink.ts';
import type { BlobDirectory } from '../../src/registry/blob-directory.ts';
import { distributionCatalog } from '../../src/registry/catalog.ts';
import { RegistryClient } from '../../src/registry/client.ts';
import type { Credentials } from '../../src/registry/credentials.ts';
import { collect } from './collect.ts';
import { FakeClock } from './fake-clock.ts';
import type { BuiltBlob, BuiltImage, BuiltManifest } from './images.ts';

export interface ClientOptions {
  /** None unless given. */
  readonly credentials?: Credentials;
  readonly clock?: FakeClock;
  /** How often a request is repeated; 2 unless given. */
  readonly times?: number;
  readonly sharedBlobs?: BlobDirectory;
  /** A policy within the one that repeats. */
  readonly wrap?: Wrap;
}

/** Never aborted. */
export const { signal: NEVER } = new AbortController();
setMaxListeners(0, NEVER); // each request that is under way listens
export const ANONYMOUS: Credentials = { kind: 'anonymous', from: 'no credentials' };

export function password(username: string, secret: string): Credentials {
  return { kind: 'basic', username, password: secret, from: 'the test' };
}

let dispatcher: Dispatcher | undefined;

/** A client of an emulated registry, as the program makes it, but with a clock that doesn't wait. */
export function connectTo(registry: { host: string }, options: ClientOptions = {}): RegistryClient {
  // One for all, and never closed: the emulators cut its connections when they are.
  dispatcher ??= createDispatcher({
    verifyTls: true,
    identify: true,
    certDirs: [],
    maxConnections: 64,
    env: {},
  });
  const clock = options.clock ?? new FakeClock();
  const policy = policyOf(options);
  const retry = withRetry({ policy, clock, pause: new HostPause(clock), log: silentLog() });
  const wraps = options.wrap === undefined ? [retry] : [retry, options.wrap];
  const wire = compose(undiciSend(dispatcher), ...wraps);
  return clientOver(wire, registry.host, { ...options, clock });
}

/** A client of `registry` whose requests all go to `wire`. */
export function clientOver(
  wire: Send,
  registry: string,
  { credentials = ANONYMOUS, clock = new FakeClock(), ...options }: ClientOptions = {},
): RegistryClient {
  return new RegistryClient({
    registry,
    wire,
    allowHttp: registry.startsWith('127.'),
    credentials: async () => credentials,
    retry: policyOf(options),
    traffic: new Traffic(),
    clock,
    log: silentLog(),
    ...(options.sharedBlobs && { sharedBlobs: options.sharedBlobs }),
  });
}

function policyOf({ times = 2 }: ClientOptions): RetryPolicy {
  return { times, firstDelayMs: 100, maxDelayMs: 1000, maxRetryAfterMs: 60_000 };
}

/** The tags of a repository: the simplest request there is. */
export async function tagsOf(client: RegistryClient, path: string): Promise<string[]> {
  const tags = await collect(distributionCatalog(client).tags(path, NEVER));
  return tags.map(({ name }) => name);
}

/** A blob as a manifest would name it. */
export function blobDescriptor({ mediaType, digest, bytes }: BuiltBlob): Descriptor {
  return { mediaType, digest: parseDigest(digest), size: bytes.length };
}

/** A manifest as it would have been read. */
export function storedManifest({ bytes, mediaType }: BuiltManifest): StoredManifest {
  return readManifest(bytes, mediaType);
}

/** Gives a blob's bytes anew at each call. */
export function opening({ bytes }: BuiltBlob): OpenBlob {
  return async () => Readable.from([bytes], { objectMode: false });
}

/**
 * Puts an image as the engine does: all blobs in one tick, then manifests, the root last. Tells what
 * became of the blobs, in their order.
 */
export async function putInto(
  sink: ImageSink,
  { blobs, manifests, root }: BuiltImage,
  open: (blob: BuiltBlob) => OpenBlob = opening,
): Promise<BlobOutcome[]> {
  await using _ = sink;
  const put = blobs.map((blob) => sink.putBlob(blobDescriptor(blob), open(blob), NEVER));
  await Promise.allSettled(put);
  const outcomes = await Promise.all(put);
  for (const child of manifests) await sink.putManifest(storedManifest(child), 'child', NEVER);
  await sink.putManifest(storedManifest(root), 'root', NEVER);
  return outcomes;
}
