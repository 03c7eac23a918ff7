/**
 * Writes tar archives in which nothing depends on when and by whom they are written, so that equal
 * images give equal archives.
 *
 * Source: POSIX.1-2017, «ustar Interchange Format».
 */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { pack, type Header, type Pack } from 'tar-stream';

import { throwIfAborted } from '../base/errors.ts';

/** Two empty blocks end an archive. Bytes. */
const END_BYTES = 1024;

/** What is known of an entry before its bytes. */
type Entry = Pick<Header, 'name' | 'type'> & Partial<Pick<Header, 'size' | 'linkname'>>;

/**
 * Writes entries one after the other, each as an archive of its own over the end of the one before:
 * so the file is whole after each of them, and one that fails is as if it never was.
 */
export class TarWriter {
  readonly #file: FileHandle;
  /** Where the next entry begins. */
  #at = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** A regular file. `bytes` have to be `size`, or it fails. */
  async file(
    name: string,
    size: number,
    bytes: Readable | Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    const content = bytes instanceof Uint8Array ? Readable.from([Buffer.from(bytes)]) : bytes;
    await this.#write({ name, size, type: 'file' }, content, signal);
  }

  /** A symbolic link. */
  async link(name: string, target: string, signal: AbortSignal): Promise<void> {
    await this.#write({ name, linkname: target, type: 'symlink' }, undefined, signal);
  }

  /** Gives what forgets all that is written from now on. */
  mark(): () => void {
    const at = this.#at;
    return () => void (this.#at = at);
  }

  /** Ends the archive, and cuts what an entry that failed has left behind it. Its size in bytes. */
  async finish(): Promise<number> {
    const size = this.#at + END_BYTES;
    await this.#file.truncate(this.#at);
    await this.#file.truncate(size); // the end is zeros
    return size;
  }

  async #write(entry: Entry, content: Readable | undefined, signal: AbortSignal): Promise<void> {
    const packer = pack();
    const feeding = feed(packer, { entry, content, signal });
    feeding.catch(() => {}); // awaited below
    let at = this.#at;
    let ownFailure: unknown;
    try {
      for await (const chunk of packer as AsyncIterable<Uint8Array>) {
        at += await writeAt(this.#file, chunk, at).catch((error: unknown) => {
          ownFailure = error;
          throw error;
        });
      }
      await feeding;
    } catch (error) {
      packer.destroy();
      content?.destroy();
      await this.#file.truncate(this.#at);
      throwIfAborted(signal);
      if (ownFailure !== undefined) throw ownFailure;
      await feeding; // what broke the content is said there, and only repeated by what packs it
      throw error;
    }
    this.#at = at - END_BYTES;
  }
}

async function feed(
  packer: Pack,
  {
    entry,
    content,
    signal,
  }: {
    readonly entry: Entry;
    readonly content: Readable | undefined;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const mode = entry.type === 'file' ? 0o444 : 0o777;
  const header = { ...entry, mode, mtime: new Date(0), uid: 0, gid: 0 };
  if (content === undefined) packer.entry(header);
  else await pipeline(content, packer.entry(header), { signal });
  packer.finalize();
}

async function writeAt(file: FileHandle, chunk: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
  return chunk.length;
}
