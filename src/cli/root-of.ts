/** An image that a command is to read, and the manifest that its name stands for. */
import { isError, RegistrySyncError, withDetails } from '../base/errors.ts';
import type { StoredManifest } from '../image/manifest.ts';
import type { ImageSource } from '../image/source-and-sink.ts';
import { formatLocation, type Location } from '../store/location.ts';
import type { Images } from './open-image.ts';

export interface RootOf extends AsyncDisposable {
  readonly source: ImageSource;
  /** What the name stood for when it was asked. */
  readonly root: StoredManifest;
}

/** @throws {RegistrySyncError} `NOT_FOUND` with `details.absent` when there is no such image: exit code 2. */
export async function openRoot(
  images: Images,
  location: Location,
  signal: AbortSignal,
): Promise<RootOf> {
  const source = await orAbsent(() => images.source(location, signal));
  try {
    const root = await orAbsent(() => rootOf(source, location, signal));
    return { source, root, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

/** By its digest: what is read by digest is kept, and read once. */
async function rootOf(
  source: ImageSource,
  location: Location,
  signal: AbortSignal,
): Promise<StoredManifest> {
  const found = await source.head(signal);
  if (found !== undefined) return source.manifest(found.digest, signal);
  // Files say better what is missing.
  if (location.transport !== 'docker') return source.manifest('root', signal);
  throw new RegistrySyncError(
    'NOT_FOUND',
    `${formatLocation(location)}: there is no such image (manifest unknown: manifest unknown)`,
  );
}

async function orAbsent<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isError(error, 'NOT_FOUND') ? withDetails(error, { absent: true }) : error;
  }
}
