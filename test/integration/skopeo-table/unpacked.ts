/**
 * A tree in which content counts and compression does not: gzip and zstd are taken off, digests that
 * follow from how something was compressed become digests of what is in it, and sizes go.
 */
import { gunzipSync } from 'node:zlib';

import { decompress as unzstd } from 'fzstd';

import { sha256, type Tree } from './tree.ts';

const HEX = /[0-9a-f]{64}/g;
const ROUNDS = 4; // layers, manifests, indexes, index.json

/** The same tree without the marks of a compressor. */
export function unpacked(tree: ReadonlyMap<string, Buffer>): Tree {
  const stands = new Map<string, string>(); // hex digest → what it stands for
  let content = new Map([...tree].map(([name, bytes]) => [name, plain(bytes, stands)]));
  for (let round = 0; round < ROUNDS; round++) {
    content = new Map([...content].map(([name, bytes]) => [name, renamed(bytes, stands)]));
  }
  return new Map([...content].map(([name, bytes]) => [inName(name, stands), bytes]));
}

function plain(bytes: Buffer, stands: Map<string, string>): Buffer {
  const kind = compressionOf(bytes);
  if (kind === undefined) return bytes;
  const inside = kind === 'gzip' ? gunzipSync(bytes) : Buffer.from(unzstd(bytes));
  stands.set(sha256(bytes), sha256(inside));
  return inside;
}

function compressionOf(bytes: Buffer): 'gzip' | 'zstd' | undefined {
  if (bytes.length < 18) return undefined;
  if (bytes.readUInt16BE(0) === 0x1f8b) return 'gzip';
  return bytes.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : undefined;
}

/** JSON with other digests in it has another digest itself. */
function renamed(bytes: Buffer, stands: Map<string, string>): Buffer {
  if (bytes[0] !== 0x7b) return bytes;
  const text = bytes.toString('utf8');
  const changed = text
    .replace(HEX, (hex) => follow(hex, stands))
    .replace(/"signatures":\[\{"header".*\]/s, '"signatures":[]') // of schema 1, by a key of its own
    .replace(/"size":\s*\d+/g, '"size":0');
  if (changed === text) return bytes;
  const result = Buffer.from(changed);
  stands.set(sha256(bytes), sha256(result));
  return result;
}

function inName(name: string, stands: ReadonlyMap<string, string>): string {
  return name.replace(HEX, (hex) => follow(hex, stands));
}

function follow(hex: string, stands: ReadonlyMap<string, string>): string {
  const next = stands.get(hex);
  return next === undefined || next === hex ? hex : follow(next, stands);
}
