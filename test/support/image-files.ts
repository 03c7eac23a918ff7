/** Images in files as other tools write them, made and looked at without the code under test. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { BuiltImage } from './images.ts';

export const REF_NAME = 'org.opencontainers.image.ref.name';

/** One entry of index.json. */
export interface LayoutImage {
  readonly image: BuiltImage;
  readonly name?: string;
}

/** The files of an OCI layout, by their paths in it. */
export function layoutFiles(images: readonly LayoutImage[]): Map<string, Buffer> {
  const manifests = images.map(({ image: { root }, name }) => ({
    mediaType: root.mediaType,
    digest: root.digest,
    size: root.size,
    ...(name !== undefined && { annotations: { [REF_NAME]: name } }),
  }));
  const files = new Map<string, Buffer>([
    ['oci-layout', Buffer.from('{"imageLayoutVersion": "1.0.0"}')],
    ['index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))],
  ]);
  for (const { image } of images) {
    for (const { digest, bytes } of [...image.blobs, ...image.manifests, image.root]) {
      files.set(blobName(digest), bytes);
    }
  }
  return files;
}

/** `blobs/sha256/…` */
export function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** The files of skopeo's `dir:`. */
export function dirFiles({ root, manifests, blobs }: BuiltImage): Map<string, Buffer> {
  const hex = (digest: string): string => digest.slice(digest.indexOf(':') + 1);
  return new Map([
    ['version', Buffer.from('Directory Transport Version: 1.1\n')],
    ['manifest.json', root.bytes],
    ...manifests.map(({ digest, bytes }) => [`${hex(digest)}.manifest.json`, bytes] as const),
    ...blobs.map(({ digest, bytes }) => [hex(digest), bytes] as const),
  ]);
}

export async function writeFiles(
  directory: string,
  files: ReadonlyMap<string, Buffer>,
): Promise<void> {
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), bytes);
  }
}

/** One entry of a tar, as hostile as it is wanted. */
export interface TarEntry {
  readonly name: string;
  readonly content?: Buffer;
  /** `0` file, `1` hard link, `2` symbolic link, `5` directory, … */
  readonly type?: string;
  readonly linkName?: string;
  /** What the header says, when it lies. Bytes. */
  readonly size?: number;
}

const TAR_BLOCK = 512;

/** A tar of files, in their order. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(2 * TAR_BLOCK)]);
}

export function tarOfFiles(files: ReadonlyMap<string, Buffer>): Buffer {
  return tarOf([...files].map(([name, content]) => ({ name, content })));
}

function tarEntry({
  name,
  content = Buffer.alloc(0),
  type = '0',
  linkName = '',
  size = content.length,
}: TarEntry): Buffer {
  const header = Buffer.alloc(TAR_BLOCK);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(linkName, 157, 100);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((TAR_BLOCK - (content.length % TAR_BLOCK)) % TAR_BLOCK);
  return Buffer.concat([header, content, padding]);
}

export interface TarFile {
  readonly name: string;
  readonly mode: number;
  readonly mtime: number;
  readonly type: string;
  readonly content: Buffer;
}

/** What is in a plain tar. */
export function readTar(path: string): TarFile[] {
  const bytes = readFileSync(path);
  const files: TarFile[] = [];
  for (let at = 0; bytes[at] !== undefined && bytes[at] !== 0;) {
    const text = (from: number, length: number): string =>
      bytes.toString('latin1', at + from, at + from + length).replace(/\0.*$/s, '');
    const size = parseInt(text(124, 12), 8);
    const start = at + TAR_BLOCK;
    files.push({
      name: text(345, 155) === '' ? text(0, 100) : `${text(345, 155)}/${text(0, 100)}`,
      mode: parseInt(text(100, 8), 8),
      mtime: parseInt(text(136, 12), 8),
      type: text(156, 1),
      content: bytes.subarray(start, start + size),
    });
    at = start + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  return files;
}
