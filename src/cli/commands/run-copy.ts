/** Runs `copy`. */
import { RegistrySyncError } from '../../base/errors.ts';
import { createCopier } from '../../copy/copier.ts';
import { createTransfers } from '../../copy/run.ts';
import { ALL } from '../../copy/select.ts';
import { changesOf, shaped, type Shape } from '../../copy/shape.ts';
import type { Digest } from '../../image/digest.ts';
import { formatReference } from '../../image/reference.ts';
import type { ImageSink, ImageSource } from '../../image/source-and-sink.ts';
import { parseLocation, parseNamed, type Location } from '../../store/location.ts';
import { writeWhole } from '../../files/whole-file.ts';
import type { RunIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { Images } from '../open-image.ts';
import { readAccess, withOldNames } from '../options/access.ts';
import { readStore } from '../options/image-access.ts';
import { refuseUnbuilt } from '../options/unbuilt.ts';
import { checkPolicy } from '../policy.ts';
import { openRoot, type RootOf } from '../root-of.ts';
import { createRuntime, type Runtime } from '../runtime.ts';
import { limitsOf } from '../sink-limits.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { readShape, type CopyValues, type WantedShape } from './copy-shape.ts';

/** Blobs that are held whole are many and small; only the number of streams is an option. */
const SMALL_TRANSFERS = 512;

type Say = (line: string) => void;

/** One copy, as the command line has it. */
interface Job {
  readonly values: CopyValues;
  readonly source: Location;
  readonly destination: Location;
  readonly shape: WantedShape;
  /** In full. */
  readonly additionalTags: readonly string[];
  readonly say: Say;
}

/** Resolves to the exit code. */
export async function runCopy(
  values: CopyValues,
  io: RunIo,
  [from = '', to = '']: readonly string[],
): Promise<number> {
  refuseUnbuilt(values);
  const source = parseLocation(from);
  const destination = parseLocation(to);
  const shape = readShape(values, destination.transport);
  const additionalTags = readAdditionalTags(values, destination);
  const say: Say = (line) => {
    if (!values.quiet) io.stdout.write(`${line}\n`);
  };
  if (values['dry-run']) {
    say('Running in dry-run mode');
    say(`Would have copied from=${from} to=${to}`);
    return EXIT.ok;
  }
  const digest = await copyImage({ values, source, destination, shape, additionalTags, say }, io);
  // Whoever waits for the file reads a whole digest, and only of an image that is there.
  if (values.digestfile !== undefined) await writeWhole(values.digestfile, digest);
  return EXIT.ok;
}

/** Resolves to the digest that the destination has now. */
async function copyImage(job: Job, io: RunIo): Promise<Digest> {
  const { values, destination, shape, say } = job;
  const { signal } = io.shutdown;
  const runtime = await createRuntime({ ...values, quiet: true }, io);
  await checkPolicy(job.source, values, io.env);
  warnOfNoEffect(job, runtime);
  const { sinks, sources } = openBoth(job, runtime);
  await using sink = await sinks.sink(destination, signal);
  await using image = await openRoot(sources, job.source, signal);
  const isList = image.root.manifest.kind === 'index';
  const isIndexAlone = isList && shape.choice.kind === 'index-only';
  if (!values['remove-signatures'] && !isIndexAlone) say('Getting image source signatures');
  const wanted: Shape = {
    ...shape,
    choice: isList ? shape.choice : { kind: 'all' },
    limits: limitsOf(sink, destination.transport, shape.preserveDigests),
    name: nameAt(destination),
    tmpdir: temporaryDirectory(values.tmpdir, io.env),
  };
  const source = await shaped(image.source, wanted, signal);
  try {
    return await copyShaped(job, { image, source, sink }, signal);
  } finally {
    // What was written anew is on the disk until then.
    if (source !== image.source) await source[Symbol.asyncDispose]();
  }
}

interface Ends {
  readonly image: RootOf;
  /** The image in the shape that is wanted. */
  readonly source: ImageSource;
  readonly sink: ImageSink;
}

async function copyShaped(
  { values, destination, say }: Job,
  { image, source, sink }: Ends,
  signal: AbortSignal,
): Promise<Digest> {
  const copy = createCopier({
    transfers: createTransfers(SMALL_TRANSFERS, values['image-parallel-copies'] || undefined),
    selection: ALL,
    referrers: 'none', // nor does skopeo copy them, unless it is told where signatures are
  });
  const before = image.root.descriptor.digest;
  const { digest, outcome } = await copy({
    source,
    sink: announced(withDigest(sink, destination), configIn(image), say),
    ...(source === image.source && { expected: before }),
    untagged: destination.transport === 'docker' && destination.reference.digest !== undefined,
    signal,
  });
  if (outcome === 'unchanged') say(`Nothing to copy: ${sink.name} is ${digest} already`);
  const old = [...changesOf(source)].find(([, now]) => now === digest)?.[0];
  if (old !== undefined && old !== digest) say(`The digest has changed from ${old} to ${digest}`);
  return digest;
}

/** In full, as archives name images. */
function readAdditionalTags(values: CopyValues, { transport }: Location): string[] {
  const given = values['additional-tag'];
  const takes = transport === 'docker-archive' || transport === 'docker-daemon';
  if (given.length > 0 && !takes) {
    const message = `--additional-tag is for docker-archive: and docker-daemon:, not for ${transport}:`;
    throw new RegistrySyncError('USAGE', message);
  }
  return given.map((text) => {
    const reference = parseNamed(text);
    if (reference?.tag !== undefined && reference.digest === undefined) {
      return formatReference(reference);
    }
    const message = `--additional-tag: ${JSON.stringify(text)} is no NAME:TAG`;
    throw new RegistrySyncError('USAGE', message);
  });
}

function warnOfNoEffect({ values, destination, shape }: Job, { log }: Runtime): void {
  const { transport } = destination;
  const isCompressing = ['gzip', 'zstd'].includes(shape.compression?.format ?? '');
  if (values['dest-compress-level'] !== undefined && !isCompressing) {
    const needed = transport === 'dir' ? '--dest-compress' : '--dest-compress-format';
    log.warn(`--dest-compress-level has an effect with ${needed} only`);
  }
  for (const name of ['dest-compress', 'dest-decompress'] as const) {
    if (values[name] && transport !== 'dir') log.warn(`--${name} has an effect with dir: only`);
  }
  if (values['tls-verify'] !== undefined) {
    log.warn('--tls-verify is deprecated: write --src-tls-verify and --dest-tls-verify');
  }
}

function openBoth(
  { values, additionalTags }: Job,
  runtime: Runtime,
): { readonly sinks: Images; readonly sources: Images } {
  const { authfile } = values;
  const both = withOldNames(values);
  const sinks = new Images({
    runtime,
    access: readAccess(both, 'dest-', { authfile }),
    variables: 'TARGET',
    store: {
      ...readStore(both, 'dest-'),
      additionalTags,
      acceptUncompressedLayers: values['dest-oci-accept-uncompressed-layers'],
    },
  });
  const sources = new Images({
    runtime,
    access: readAccess(both, 'src-', { authfile }),
    variables: 'SOURCE',
    store: readStore(both, 'src-'),
    other: sinks,
  });
  return { sinks, sources };
}

/** A destination that is named by a digest takes nothing else. */
function withDigest(sink: ImageSink, destination: Location): ImageSink {
  const digest = destination.transport === 'docker' ? destination.reference.digest : undefined;
  if (digest === undefined) return sink;
  return {
    name: sink.name,
    head: (signal, hoped) => sink.head(signal, hoped),
    putBlob: (target, open, signal) => sink.putBlob(target, open, signal),
    async putManifest(stored, as, signal) {
      const { digest: actual } = stored.descriptor;
      if (as === 'root' && actual !== digest) {
        const message = `Digest of source image's manifest would not match destination reference: it is ${actual}, not ${digest}`;
        throw new RegistrySyncError('REJECTED', message);
      }
      await sink.putManifest(stored, as, signal);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Schema 1 says where it is. */
function nameAt(destination: Location): Shape['name'] {
  if (destination.transport !== 'docker') return undefined;
  const { path, tag = 'latest' } = destination.reference;
  return { path, tag };
}

/** Of an artifact it may be of any type. */
function configIn({ root: { manifest } }: RootOf): Digest | undefined {
  return manifest.kind === 'image' ? manifest.config?.digest : undefined;
}

/** The same sink, telling what comes to it in the words that skopeo's users know. */
function announced(sink: ImageSink, config: Digest | undefined, say: Say): ImageSink {
  return {
    name: sink.name,
    ...(sink.limits !== undefined && { limits: sink.limits }),
    head: (signal, hoped) => sink.head(signal, hoped),
    putBlob(target, open, signal) {
      const isConfig =
        target.digest === config || /\.(?:image|config)\.v1\+json$/.test(target.mediaType);
      say(`Copying ${isConfig ? 'config' : 'blob'} ${target.digest}`);
      return sink.putBlob(target, open, signal);
    },
    putManifest(stored, as, signal) {
      const what = stored.manifest.kind === 'index' ? 'manifest list' : 'manifest';
      say(`Writing ${what} to image destination`);
      return sink.putManifest(stored, as, signal);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
