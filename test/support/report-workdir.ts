/** Workdirs as crawl, sync and verify leave them, made of a few words per row. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { isInShard } from '../../src/sync/shard.ts';
import type { RecordedCommand, RunRecord } from '../../src/sync/run-record.ts';
import { digestOf } from '../../src/image/digest.ts';
import { makeReport, type Report } from '../../src/report/report.ts';
import { tempDir } from './temp-dir.ts';

/** The digest of some words. */
export function digest(words: string): string {
  return digestOf(Buffer.from(words));
}

export interface TagLine {
  /** `namespace/repository` */
  readonly path: string;
  readonly name: string;
  readonly digest?: string;
  readonly updated?: string;
}

export interface ResultLine extends TagLine {
  readonly status: string;
  readonly bytes?: number;
  readonly error?: string;
}

export interface VerdictLine extends TagLine {
  readonly status: string;
  readonly found?: string;
  readonly size?: number;
  readonly detail?: string;
}

export interface PrunedLine extends TagLine {
  readonly status: string;
  readonly error?: string;
}

export interface WorkdirContent {
  readonly repositories?: readonly string[];
  readonly tags?: readonly TagLine[];
  readonly results?: readonly ResultLine[];
  readonly verdicts?: readonly VerdictLine[];
  readonly repairs?: readonly ResultLine[];
  /** As prune-results.csv has them: at the target. */
  readonly pruned?: readonly PrunedLine[];
  readonly records?: readonly Partial<RunRecord>[];
}

const TARGET = 'r.example.com';
const RESULT_HEADER = 'namespace,repo_name,name,digest,target,status,bytes,elapsed_ms,error';

/** Writes what is given, and nothing else. Resolves to the directory. */
export async function writeWorkdir(path: string, content: WorkdirContent): Promise<string> {
  await mkdir(path, { recursive: true });
  const { repositories, tags, results, verdicts, repairs, pruned, records = [] } = content;
  const write = (
    name: string,
    header: string,
    rows: readonly (readonly unknown[])[] | undefined,
  ) => (rows === undefined ? undefined : writeFile(join(path, name), csv(header, rows)));
  await Promise.all([
    write('repositories.csv', 'namespace,name', repositories?.map(split)),
    write(
      'tags.csv',
      'namespace,repo_name,name,created_on,last_updated_on,digest',
      tags?.map((tag) => keyOf(tag).concat('', tag.updated ?? '', digestIn(tag))),
    ),
    write('results.csv', RESULT_HEADER, results?.map(resultLine)),
    write('repair-results.csv', RESULT_HEADER, repairs?.map(resultLine)),
    write(
      'prune-results.csv',
      'repository,tag,digest,status,error',
      pruned?.map((row) => [row.path, row.name, digestIn(row), row.status, row.error ?? '']),
    ),
    write(
      'verify.csv',
      'namespace,repo_name,name,digest,target,status,found_digest,size,detail',
      verdicts?.map((row) =>
        startOf(row).concat(row.found ?? '', `${row.size ?? ''}`, row.detail ?? ''),
      ),
    ),
    ...records.map((some) =>
      writeFile(join(path, `${some.command}.json`), JSON.stringify(record(some))),
    ),
  ]);
  return path;
}

/** A record that is whole but for what is given. */
export function record(some: Partial<RunRecord>): RunRecord {
  const command: RecordedCommand = some.command ?? 'crawl';
  return {
    command,
    run: 'run-1',
    version: '0.1.0',
    state: 'complete',
    startedAt: '2026-11-21T03:00:00Z',
    endedAt: '2026-11-21T03:10:00Z',
    ...some,
  };
}

/** A row for each tag: what `rest` says of it, by its number, and its name. */
export function rowsOf<T extends object>(
  tags: readonly TagLine[],
  rest: (n: number) => T,
): (TagLine & T)[] {
  return tags.map((tag, n) => Object.assign({}, tag, rest(n)));
}

/** The share of one shard, as `--shard I/N` takes it. */
export function shardOf(all: WorkdirContent, index: number, of: number): WorkdirContent {
  const own = (path: string): boolean => isInShard(path, { index, of });
  const ownRow = ({ path }: TagLine): boolean => own(path);
  const { repositories, tags, results, verdicts, records } = all;
  return {
    ...(repositories && { repositories: repositories.filter(own) }),
    ...(tags && { tags: tags.filter(ownRow) }),
    ...(results && { results: results.filter(ownRow) }),
    ...(verdicts && { verdicts: verdicts.filter(ownRow) }),
    ...(records && {
      records: records.map((one) => Object.assign({}, one, { shard: `${index}/${of}` })),
    }),
  };
}

function csv(header: string, rows: readonly (readonly unknown[])[]): string {
  const quoted = (value: unknown): string => {
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows.map((row) => row.map(quoted).join(','))]
    .map((line) => `${line}\r\n`)
    .join('');
}

function split(path: string): [string, string] {
  const slash = path.indexOf('/');
  return [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
}

function resultLine(row: ResultLine): string[] {
  return startOf(row).concat(`${row.bytes ?? 0}`, '12', row.error ?? '');
}

function keyOf({ path, name }: TagLine): string[] {
  return [...split(path), name];
}

function startOf(row: TagLine & { readonly status: string }): string[] {
  return keyOf(row).concat(digestIn(row), targetOf(row), row.status);
}

function digestIn({ path, name, digest: given }: TagLine): string {
  return given ?? digest(`${path}:${name}`);
}

function targetOf({ path, name }: TagLine): string {
  return `${TARGET}/${path}:${name}`;
}

export const NOW = Date.parse('2026-11-21T04:00:00Z');

/** The report of a workdir that has this, and of an earlier one. */
export async function reportOf(
  content: WorkdirContent,
  previous?: WorkdirContent,
): Promise<Report> {
  await using dir = await tempDir();
  const workdir = await writeWorkdir(join(dir.path, 'now'), content);
  if (previous !== undefined) await writeWorkdir(join(dir.path, 'before'), previous);
  return await makeReport({
    workdir,
    ...(previous === undefined ? {} : { previous: dir.path }),
    version: '0.1.0',
    now: NOW,
    hide: (text) => text.replaceAll('hunter2', '***'),
    signal: new AbortController().signal,
  });
}
