/**
 * What a command has left behind, as name → content: files, the entries of tar files, and what the
 * registry holds below a repository path.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';

export type Tree = Map<string, Buffer>;

/** All files below a directory; links as where they lead; tar files as their entries. */
export async function fileTree(root: string, prefix = ''): Promise<Tree> {
  const tree: Tree = new Map();
  const entries = await readdir(root, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = prefix + relative(root, path);
    if (entry.isSymbolicLink()) tree.set(name, Buffer.from(`→ ${await readlink(path)}`));
    else if (entry.isDirectory()) await noteEmpty(tree, path, `${name}/`);
    else if (entry.isFile()) addFile(tree, name, await readFile(path));
  }
  return tree;
}

async function noteEmpty(tree: Tree, path: string, name: string): Promise<void> {
  if ((await readdir(path)).length === 0) tree.set(name, Buffer.alloc(0));
}

function addFile(tree: Tree, name: string, content: Buffer): void {
  if (!isTar(content) || !name.endsWith('.tar')) {
    tree.set(name, content);
    return;
  }
  for (const [entry, bytes] of tarEntries(content)) tree.set(`${name}!${entry}`, bytes);
}

function isTar(bytes: Buffer): boolean {
  return bytes.subarray(257, 262).toString('latin1') === 'ustar';
}

/** Files and links of a ustar; directories are left out. */
function* tarEntries(tar: Buffer): Generator<[string, Buffer]> {
  let at = 0;
  let long: string | undefined;
  while (at + 512 <= tar.length && tar[at] !== 0) {
    const field = (from: number, to: number): string =>
      tar
        .subarray(at + from, at + to)
        .toString('utf8')
        .replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 136).trim() || '0', 8);
    const type = field(156, 157);
    const body = tar.subarray(at + 512, at + 512 + size);
    const prefix = field(345, 500);
    const name = long ?? (prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`);
    at += 512 + Math.ceil(size / 512) * 512;
    if (type === 'x') long = /\d+ path=(.*)\n/.exec(body.toString('utf8'))?.[1];
    else long = undefined;
    if (type === '0' || type === '') yield [name, body];
    if (type === '2' || type === '1') yield [name, Buffer.from(`→ ${field(157, 257)}`)];
  }
}

/**
 * Tags and manifests below a repository path, read from the registry's own files: `PATH:TAG` →
 * manifest. With `blobs`, also what the manifests are made of.
 */
export async function registryTree(storage: string, path: string, blobs: boolean): Promise<Tree> {
  const root = join(storage, 'docker/registry/v2/repositories', path);
  const tree: Tree = new Map();
  const links = await readdir(root, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of links.filter(({ name }) => name === 'link')) {
    const link = join(entry.parentPath, entry.name);
    const name = nameOf(relative(root, link), blobs);
    if (name === undefined) continue;
    const digest = await readFile(link, 'utf8');
    tree.set(`registry/${name}`, await readBlob(storage, digest));
  }
  return tree;
}

/** `a/b/_manifests/tags/v1/current/link` → `a/b:v1`; of what is not compared nothing. */
function nameOf(link: string, blobs: boolean): string | undefined {
  const tag = /^(.*?)\/?_manifests\/tags\/([^/]+)\/current\/link$/.exec(link);
  if (tag) return `${tag[1]}:${tag[2]}`;
  const revision = /^(.*?)\/?_manifests\/revisions\/sha256\/([^/]+)\/link$/.exec(link);
  if (revision) return `${revision[1]}@${revision[2]}`;
  const layer = /^(.*?)\/?_layers\/sha256\/([^/]+)\/link$/.exec(link);
  return layer && blobs ? `${layer[1]}/blobs/${layer[2]}` : undefined;
}

async function readBlob(storage: string, digest: string): Promise<Buffer> {
  const hex = digest.slice('sha256:'.length);
  const path = join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  return await readFile(path).catch(() => Buffer.from('gone'));
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
