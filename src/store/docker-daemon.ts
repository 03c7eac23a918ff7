/**
 * `docker-daemon:name:tag`: what a Docker daemon holds. Images leave and enter it as docker-archives.
 *
 * Source: Docker Engine API 1.41, «Export an image», «Import images».
 */
import { Readable } from 'node:stream';

import { RegistrySyncError, withName } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { isObject } from '../image/descriptor.ts';
import type { ImageSink, ImageSource } from '../image/source-and-sink.ts';
import { bytesOf } from '../tar/read.ts';
import { nameless, spooled, type OpenArchive } from './archive-file.ts';
import { bodyOf, connectDaemon, textOf, type Daemon } from './daemon-client.ts';
import { dockerArchiveSink } from './docker-archive-sink.ts';
import { sourceOf } from './docker-archive-source.ts';
import { formatLocation, parseNamed, type Location } from './location.ts';
import type { StoreSettings } from './open.ts';

type DaemonLocation = Extract<Location, { transport: 'docker-daemon' }>;

/**
 * Has the daemon hand the image out, and reads it then.
 *
 * @throws {RegistrySyncError} `NOT_FOUND` when the daemon has no such image; `UNAVAILABLE` when there is
 * no daemon.
 */
export async function openDaemonImage(
  location: DaemonLocation,
  settings: StoreSettings,
  signal: AbortSignal,
): Promise<ImageSource> {
  const name = formatLocation(location);
  const archive = await handedOut(location, settings, signal).catch((error: unknown) => {
    throw withName(error, name);
  });
  return sourceOf(archive, { name }, signal);
}

async function handedOut(
  { reference }: DaemonLocation,
  settings: StoreSettings,
  signal: AbortSignal,
): Promise<OpenArchive> {
  const daemon = await connectDaemon(settings, signal);
  const path = `/images/${encodeURI(reference)}/get`;
  const answer = await daemon.send({ method: 'GET', path }, signal);
  return spooled(bodyOf(answer, daemon.host, signal), settings.tmpdir, signal);
}

/**
 * Has the daemon take in the image when it is whole.
 *
 * @throws {RegistrySyncError} `USAGE` when the location has no name to load it under.
 */
export async function createDaemonImage(
  location: DaemonLocation,
  settings: StoreSettings,
  signal: AbortSignal,
): Promise<ImageSink> {
  const name = formatLocation(location);
  const tags = [...new Set([tagOf(location), ...(settings.additionalTags ?? [])])];
  const daemon = await connectDaemon(settings, signal).catch((error: unknown) => {
    throw withName(error, name);
  });
  const file = await nameless(settings.tmpdir);
  const commit = async (size: number, abort: AbortSignal): Promise<void> => {
    const bytes = Readable.from(bytesOf(file, { offset: 0, size }, abort), { objectMode: false });
    await load(daemon, { bytes, size }, abort);
  };
  const archive = {
    file,
    place: settings.tmpdir,
    commit,
    [Symbol.asyncDispose]: () => file.close(),
  };
  return dockerArchiveSink(archive, { name, tags });
}

/** The name in full, which every version of Docker shortens as it likes. */
function tagOf(location: DaemonLocation): string {
  const { registry, path, tag, digest } = namedOf(location.reference) ?? {};
  if (registry === undefined || path === undefined || tag === undefined || digest !== undefined) {
    const message = `${formatLocation(location)}: an image is loaded under a name: write docker-daemon:NAME:TAG`;
    throw new RegistrySyncError('USAGE', message);
  }
  return `${registry}/${path}:${tag}`;
}

/** `undefined` for the id of an image. */
function namedOf(reference: string): ReturnType<typeof parseNamed> {
  return /^[a-z0-9]+:[0-9a-f]{64}$/.test(reference) ? undefined : parseNamed(reference);
}

async function load(
  daemon: Daemon,
  body: { readonly bytes: Readable; readonly size: number },
  signal: AbortSignal,
): Promise<void> {
  const answer = await daemon.send({ method: 'POST', path: '/images/load?quiet=1', body }, signal);
  const { host } = daemon;
  const message = errorIn(await textOf(bodyOf(answer, host, signal)));
  if (message === undefined) return;
  throw new RegistrySyncError(
    'REJECTED',
    `the Docker daemon at ${host} refuses it: ${shown(message)}`,
  );
}

/** Failures come in a stream of JSON whose status was 200. */
function errorIn(text: string): string | undefined {
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const json = parsed(line);
    const { error, errorDetail } = isObject(json) ? json : {};
    const detail = isObject(errorDetail) ? errorDetail.message : undefined;
    const said = detail ?? error;
    if (said !== undefined) return String(said);
  }
  return undefined;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const message = `the Docker daemon answers what is no JSON: ${shown(line)}`;
    throw new RegistrySyncError('PROTOCOL', message, { cause });
  }
}
