/**
 * `docker-archive:path[:reference]` as a sink. Layers go into the archive as they come, which is why
 * they have to be plain; the root manifest closes it.
 */
import { InTurn } from '../base/in-turn.ts';
import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { writing } from '../files/file-failure.ts';
import { isObject, type Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import {
  childrenOf,
  MAX_MANIFEST_BYTES,
  type ImageManifest,
  type StoredManifest,
} from '../image/manifest.ts';
import { DOCKER_CONFIG, isForeign, OCI_CONFIG } from '../image/media-types.ts';
import type {
  BlobBytes,
  BlobOutcome,
  ImageSink,
  OpenBlob,
  SinkLimits,
} from '../image/source-and-sink.ts';
import { TarWriter } from '../tar/write.ts';
import { createArchive, type NewArchive } from './archive-file.ts';
import {
  archiveManifest,
  configName,
  layerName,
  legacyLayers,
  repositories,
  type ArchivedImage,
} from './docker-archive-layout.ts';
import { parseJson } from './docker-archive-list.ts';
import { formatLocation, type ArchiveLocation } from './location.ts';
import type { StoreSettings } from './open.ts';

/** Those of images; others are no config of an image that Docker could run. */
const CONFIGS: ReadonlySet<string> = new Set([DOCKER_CONFIG, OCI_CONFIG]);

/**
 * @throws {RegistrySyncError} `UNSUPPORTED` when there is a file already; `USAGE` when there can be none,
 * or the location is of one to be read.
 */
export async function createDockerArchive(
  location: ArchiveLocation,
  { tmpdir, additionalTags = [] }: StoreSettings,
  signal: AbortSignal,
): Promise<ImageSink> {
  throwIfAborted(signal);
  const { path, reference, index } = location;
  const name = formatLocation(location);
  if (index !== undefined) {
    throw new RegistrySyncError(
      'USAGE',
      `${name}: @${index} chooses an image that is read: give a name`,
    );
  }
  const tags = [...new Set([...(reference === undefined ? [] : [reference]), ...additionalTags])];
  return dockerArchiveSink(await createArchive(path, tmpdir), { name, tags });
}

/** Writes an image into `archive`, which belongs to the sink. */
export function dockerArchiveSink(
  archive: NewArchive,
  image: { readonly name: string; readonly tags: readonly string[] },
): ImageSink {
  return new DockerArchiveSink(archive, image);
}

class DockerArchiveSink implements ImageSink {
  readonly name: string;
  readonly limits: SinkLimits = { forms: ['docker'], layers: 'plain', indexes: false };
  readonly #tags: readonly string[];
  readonly #archive: NewArchive;
  readonly #tar: TarWriter;
  readonly #layers = new Set<string>();
  readonly #configs = new Map<string, Buffer>();
  /** An archive is written from its beginning to its end: one blob at a time, as they were asked for. */
  readonly #turns = new InTurn<'archive'>();
  #root: Descriptor | undefined;

  constructor(
    archive: NewArchive,
    { name, tags }: { readonly name: string; readonly tags: readonly string[] },
  ) {
    this.name = name;
    this.#tags = tags;
    this.#archive = archive;
    this.#tar = new TarWriter(archive.file);
  }

  async head(signal: AbortSignal): Promise<Descriptor | undefined> {
    throwIfAborted(signal);
    return this.#root;
  }

  async putBlob(target: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<BlobOutcome> {
    return this.#turns.run('archive', async () => {
      throwIfAborted(signal);
      const { digest, mediaType, size } = target;
      if (this.#layers.has(digest) || this.#configs.has(digest)) return 'present';
      this.#checkOpen();
      if (CONFIGS.has(mediaType)) {
        this.#configs.set(digest, await wholeOf(target, open));
      } else {
        const bytes = await open();
        await writing(this.#archive.place, () =>
          this.#tar.file(layerName(digest), size, bytes, signal),
        );
        this.#layers.add(digest);
      }
      return 'copied';
    });
  }

  async putManifest(
    { descriptor, manifest }: StoredManifest,
    as: 'child' | 'root',
    signal: AbortSignal,
  ): Promise<void> {
    await this.#turns.run('archive', async () => {
      throwIfAborted(signal);
      if (as === 'child' || manifest.kind === 'index') {
        throw new RegistrySyncError(
          'UNSUPPORTED',
          'an archive of docker holds one image, and no index',
        );
      }
      this.#checkOpen();
      const image = this.#imageOf(manifest);
      const forget = this.#tar.mark();
      try {
        const size = await writing(this.#archive.place, () => this.#close(image, signal));
        await this.#archive.commit(size, signal);
      } catch (error) {
        forget();
        throw error;
      }
      this.#root = descriptor;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive[Symbol.asyncDispose]();
  }

  #checkOpen(): void {
    if (this.#root === undefined) return;
    throw new RegistrySyncError('UNSUPPORTED', 'the archive is closed: it holds one image');
  }

  /** What the archive is going to say of the image. */
  #imageOf(manifest: ImageManifest): ArchivedImage {
    const held = ({ digest }: Descriptor): boolean =>
      this.#layers.has(digest) || this.#configs.has(digest);
    const absent = childrenOf(manifest).filter((child) => !held(child));
    if (absent.some(({ mediaType }) => isForeign(mediaType))) {
      const message = 'has layers that are kept elsewhere, which an archive of docker has to hold';
      throw new RegistrySyncError('UNSUPPORTED', message);
    }
    if (absent.length > 0) {
      const details = { missing: absent.map(({ digest }) => digest).join(' ') };
      throw new RegistrySyncError('REJECTED', `the archive lacks ${details.missing}`, { details });
    }
    const { config } = manifest;
    const bytes = config === undefined ? undefined : this.#configs.get(config.digest);
    const json = bytes === undefined ? undefined : parseJson(bytes, 'config');
    if (config === undefined || !isObject(json)) {
      throw new RegistrySyncError(
        'UNSUPPORTED',
        'is no image that docker can hold: it has no config',
      );
    }
    const layers = manifest.layers.map(({ digest }) => digest);
    checkPlain(layers, isObject(json.rootfs) ? json.rootfs.diff_ids : undefined);
    return { config: config.digest, json, layers, tags: this.#tags };
  }

  /** Writes all but the layers, always in the same order. How large the archive has become. */
  async #close(image: ArchivedImage, signal: AbortSignal): Promise<number> {
    const write = (name: string, content: string | Uint8Array): Promise<void> => {
      const bytes = Buffer.from(content);
      return this.#tar.file(name, bytes.length, bytes, signal);
    };
    await write(configName(image.config), this.#configs.get(image.config) ?? '');
    const legacy = legacyLayers(image);
    for (const { id, json, layer } of legacy) {
      await write(`${id}/VERSION`, '1.0');
      await write(`${id}/json`, json);
      await this.#tar.link(`${id}/layer.tar`, `../${layerName(layer)}`, signal);
    }
    await write('manifest.json', archiveManifest(image));
    await write('repositories', repositories(image, legacy.at(-1)));
    return this.#tar.finish();
  }
}

async function wholeOf({ digest, size }: Descriptor, open: OpenBlob): Promise<Buffer> {
  if (size > MAX_MANIFEST_BYTES) {
    const message = `config ${digest} has ${size} bytes, more than ${MAX_MANIFEST_BYTES}`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  const bytes: BlobBytes = await open();
  if (bytes instanceof Uint8Array) return Buffer.from(bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Layers go by the digest of what they are when they are not compressed. */
function checkPlain(layers: readonly Digest[], diffIds: unknown): void {
  const listed: readonly unknown[] = Array.isArray(diffIds) ? diffIds : [];
  if (listed.length === layers.length && layers.every((digest, at) => digest === listed[at]))
    return;
  const message = 'has layers other than those that its config lists as rootfs.diff_ids';
  throw new RegistrySyncError('UNSUPPORTED', message);
}
