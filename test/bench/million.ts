/**
 * A registry of a million tags, computed when they are asked for: 1,000 repositories of 1,000 tags. It
 * is the source, and as target holds all of it already. Its images can be looked at, not read.
 */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import type { Asked } from './answers.ts';
import { listReply } from './list-reply.ts';
import { errorReply, reply, type Reply } from './reply.ts';

const COUNT = 1000;

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}

const REPOSITORIES = Array.from({ length: COUNT }, (_, at) => `acme/image-${padded(at, 4)}`);
const TAGS = Array.from({ length: COUNT }, (_, at) => `v1.${padded(at, 4)}`);
const NUMBERS = {
  repositories: new Map(REPOSITORIES.map((name, at) => [name, at])),
  tags: new Map(TAGS.map((tag, at) => [tag, at])),
};
const PING = reply(200, '', Buffer.from('{}'));
const NOT_FOUND = reply(404);

export function answerMillion({ route }: Asked): Reply {
  switch (route.class) {
    case 'ping':
      return PING;
    case 'catalog':
      return listReply('repositories', REPOSITORIES, route);
    case 'tags':
      return listReply('tags', TAGS, route);
    case 'manifest HEAD': {
      const repository = NUMBERS.repositories.get(route.name);
      const tag = NUMBERS.tags.get(route.last);
      if (repository === undefined || tag === undefined) return NOT_FOUND;
      return headOf(repository * COUNT + tag);
    }
    default:
      return errorReply(404, 'UNSUPPORTED');
  }
}

export const MILLION = { repositories: COUNT, tags: COUNT * COUNT } as const;

/** What a crawl of it writes. */
export async function writeMillionCsv(path: string): Promise<void> {
  await pipeline(Readable.from(csvPieces()), createWriteStream(path));
}

function* csvPieces(): Generator<string> {
  yield 'namespace,repo_name,name,created_on,last_updated_on,digest\r\n';
  for (const [repository, path] of REPOSITORIES.entries()) {
    const name = path.slice(path.indexOf('/') + 1);
    const rows = TAGS.map(
      (tag, at) => `acme,${name},${tag},,,${digestOf(repository * COUNT + at)}`,
    );
    yield `${rows.join('\r\n')}\r\n`;
  }
}

function digestOf(number: number): string {
  return `sha256:${number.toString(16).padStart(8, '0').repeat(8)}`;
}

function headOf(number: number): Reply {
  const headers = `content-type: application/vnd.oci.image.manifest.v1+json\r\ndocker-content-digest: ${digestOf(number)}\r\ncontent-length: 1024\r\n`;
  return reply(200, headers);
}
