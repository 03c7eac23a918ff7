/** What `verify` wrote, and what lies behind a docker-registry's digests: for tests that damage it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parse } from 'csv-parse/sync';

export interface VerifyRow {
  readonly namespace: string;
  readonly repo_name: string;
  readonly name: string;
  readonly digest: string;
  readonly target: string;
  readonly status: string;
  readonly found_digest: string;
  readonly size: string;
  readonly detail: string;
}

/** The rows of a directory's verify.csv, sorted by name. */
export async function verifyRowsIn(dir: string): Promise<VerifyRow[]> {
  const text = await readFile(join(dir, 'verify.csv'), 'utf8');
  const rows = parse(text, { columns: true, record_delimiter: '\r\n' }) as VerifyRow[];
  return rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** Status by `repo_name:name`. */
export async function statusesIn(dir: string): Promise<Record<string, string>> {
  return Object.fromEntries((await verifyRowsIn(dir)).map((row) => [nameOf(row), row.status]));
}

function nameOf({ repo_name, name }: VerifyRow): string {
  return `${repo_name}:${name}`;
}

/** The file in which a docker-registry keeps the bytes of a digest, of all its repositories. */
export function dataFile({ storage }: { readonly storage: string }, digest: string): string {
  const hex = digest.slice('sha256:'.length);
  return join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
}
