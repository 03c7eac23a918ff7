/**
 * Writes a tar of an OCI layout: equal layouts give equal archives, since order, owner, mode and
 * time of the entries are always the same.
 */
import { pipeline } from 'node:stream/promises';

import { pack, type Pack } from 'tar-stream';

/** `blobs/sha256/…` with what is in it; without `size` a directory. */
export interface PackedEntry {
  readonly name: string;
  /** Bytes. */
  readonly size?: number;
  readonly open?: () => AsyncIterable<Uint8Array>;
}

const EPOCH = new Date(0);

/** The bytes of a tar of `entries`, in their order. */
export async function* packLayout(
  entries: readonly PackedEntry[],
): AsyncGenerator<Uint8Array, void, void> {
  const tar = pack();
  const packing = packAll(tar, entries);
  packing.catch((error: Error) => tar.destroy(error));
  try {
    for await (const chunk of tar) yield chunk as Uint8Array;
    await packing;
  } finally {
    tar.destroy();
    await packing.catch(() => {}); // thrown above, or nobody wants more
  }
}

async function packAll(tar: Pack, entries: readonly PackedEntry[]): Promise<void> {
  for (const entry of entries) await packOne(tar, entry);
  tar.finalize();
}

async function packOne(tar: Pack, { name, size, open }: PackedEntry): Promise<void> {
  const owner = { uid: 0, gid: 0, mtime: EPOCH };
  if (open === undefined) {
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null): void => (error ? reject(error) : resolve());
      tar.entry({ ...owner, name, type: 'directory', mode: 0o755 }, done);
    });
    return;
  }
  const entry = tar.entry({ ...owner, name, type: 'file', mode: 0o644, size: size ?? 0 });
  await pipeline(open(), entry);
}
