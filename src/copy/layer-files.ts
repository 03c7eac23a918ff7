/** Layers that are written anew, each in a private file until the image is disposed of. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { hexOf, parseDigest, type Digest } from '../image/digest.ts';
import type { BlobBytes, ImageSource } from '../image/source-and-sink.ts';
import { verified } from '../image/verified.ts';
import { compressed, inflated, type Bytes, type Compression } from './layer-bytes.ts';

/** A layer in its new form. */
export interface WrittenLayer {
  readonly digest: Digest;
  readonly size: number;
  /** Of the tar in it. */
  readonly diffId: Digest;
}

/** A directory of its own for the layers of one image, made when the first is written. */
export class LayerFiles implements AsyncDisposable {
  readonly #tmpdir: string;
  readonly #paths = new Map<Digest, string>();
  #directory: Promise<string> | undefined;

  constructor(tmpdir: string) {
    this.#tmpdir = tmpdir;
  }

  /** Reads a layer once, and keeps it as `to` has it. */
  async write(
    source: ImageSource,
    layer: Descriptor,
    to: Compression,
    signal: AbortSignal,
  ): Promise<WrittenLayer> {
    this.#directory ??= directoryIn(this.#tmpdir);
    const path = join(await this.#directory, hexOf(layer.digest));
    await using file = await open(path, 'wx', 0o600);
    const tar = counted(inflated(layer, await source.blob(layer, signal)));
    const kept = counted(compressed(tar.bytes, to));
    await save(file, kept.bytes, signal);
    const { digest, size } = kept.result();
    this.#paths.set(digest, path);
    return { digest, size, diffId: tar.result().digest };
  }

  /** The bytes of a layer that was written; `undefined` when it was not. */
  open(target: Descriptor): BlobBytes | undefined {
    const path = this.#paths.get(target.digest);
    if (path === undefined) return undefined;
    return Readable.from(verified(createReadStream(path), target), { objectMode: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function directoryIn(tmpdir: string): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir, 'registry-sync-layers-'));
  } catch (cause) {
    const { message } = cause as Error;
    const text = `can't keep temporary files in ${tmpdir}: ${message}: use --tmpdir`;
    throw new RegistrySyncError('USAGE', text, { cause });
  }
}

/** The digest of a layer's tar. */
export async function diffIdOf(
  source: ImageSource,
  layer: Descriptor,
  signal: AbortSignal,
): Promise<Digest> {
  const tar = counted(inflated(layer, await source.blob(layer, signal)));
  for await (const chunk of tar.bytes) {
    throwIfAborted(signal);
    void chunk;
  }
  return tar.result().digest;
}

interface Counted {
  readonly bytes: Bytes;
  /** Once they are all read. */
  readonly result: () => { readonly digest: Digest; readonly size: number };
}

function counted(bytes: Bytes): Counted {
  const hash = createHash('sha256');
  let size = 0;
  async function* passed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      hash.update(chunk);
      size += chunk.byteLength;
      yield chunk;
    }
  }
  return {
    bytes: passed(),
    result: () => ({ digest: parseDigest(`sha256:${hash.digest('hex')}`), size }),
  };
}

async function save(file: FileHandle, bytes: Bytes, signal: AbortSignal): Promise<void> {
  for await (const chunk of bytes) {
    throwIfAborted(signal);
    await written(file, chunk);
  }
}

async function written(file: FileHandle, chunk: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < chunk.byteLength;) {
      at += (await file.write(chunk, at)).bytesWritten;
    }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const hint = code === 'ENOSPC' ? 'the disk is full' : message;
    const text = `can't write temporary files: ${hint}: use --tmpdir`;
    throw new RegistrySyncError('USAGE', text, { cause });
  }
}
