/**
 * The whole program, from words to exit code, between two emulated registries of which one lies; and
 * what must hold after it, whatever the lie was.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';

import { run } from '../../src/cli/run.ts';
import type { ErrorCode } from '../../src/base/errors.ts';
import { image, type BuiltImage, type BuiltManifest } from '../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../support/registry/registry.ts';
import { digestOf, putImage, repositoryOf, snapshot } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const HEADER = 'namespace,repo_name,name,created_on,last_updated_on,digest';

/** The honest row next to the one that is lied about. */
export const GOOD = image({ seed: 'good' });
/** What the row `bad` is about, unless the test has something else. */
export const BAD = image({ seed: 'bad' });

/** A line of the JSON log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly log: readonly LogLine[];
}

/** Runs the program in this process, with a log in JSON and no second tries unless `words` say so. */
export async function runProgram(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const [stdout, stderr] = [text(out), text(err)];
  const { signal } = new AbortController();
  const io = { env, stdout: out, stderr: err, shutdown: { stopping: signal, signal, graceMs: 0 } };
  const tries = words.includes('--retry-times') ? [] : ['--retry-times', '0'];
  const form = words.includes('--log-format') ? [] : ['--log-format', 'json'];
  const code = await run([...words, ...tries, ...form], io, 'test');
  out.end();
  err.end();
  const said = await stderr;
  const log = said
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
  return { code, stdout: await stdout, stderr: said, log };
}

export interface Stage {
  readonly source: Registry;
  readonly target: Registry;
  readonly dir: TempDir;
  /** Syncs rows, each `namespace,repo_name,name,,,digest`; from `source` unless another is given. */
  sync(rows: readonly string[], words?: readonly string[], from?: Registry): Promise<Outcome>;
  /** Syncs `good` and the row `bad`, which is of this digest. */
  syncBoth(digest: string | undefined, words?: readonly string[]): Promise<Outcome>;
  crawl(words?: readonly string[]): Promise<Outcome>;
  /** The text of a file that the program wrote. */
  file(name: string): Promise<string>;
  /** The rows of results.csv by their repository. */
  results(): Promise<Record<string, Record<string, string>>>;
  close(): Promise<void>;
}

/** Starts both registries; `good` and `bad` are at the source. */
export async function startStage(
  options: { readonly source?: RegistryOptions; readonly target?: RegistryOptions } = {},
): Promise<Stage> {
  const [source, target, dir] = await Promise.all([
    startRegistry(options.source),
    startRegistry(options.target),
    tempDir(),
  ]);
  putImage(source.store, 'acme/good', '1', GOOD);
  putImage(source.store, 'acme/bad', '1', BAD);
  const file = (name: string): Promise<string> => readFile(join(dir.path, name), 'utf8');
  const env = { HOME: dir.path, PATH: process.env['PATH'] ?? '' };
  const sync: Stage['sync'] = async (rows, words = [], from = source) => {
    await writeFile(join(dir.path, 'tags.csv'), [HEADER, ...rows, ''].join('\r\n'));
    const pair = ['--source-registry', from.host, '--target-registry', target.host];
    return runProgram(['sync', ...pair, '--workdir', dir.path, ...words], env);
  };
  return {
    source,
    target,
    dir,
    file,
    sync,
    syncBoth: (digest, words) =>
      sync([`acme,good,1,,,${GOOD.root.digest}`, `acme,bad,1,,,${digest ?? ''}`], words),
    crawl: (words = []) =>
      runProgram(['crawl', '--registry', source.host, '--workdir', dir.path, ...words], env),
    results: async () => readResults(await file('results.csv')),
    close: async () => {
      await Promise.all([source.close(), target.close(), dir[Symbol.asyncDispose]()]);
    },
  };
}

function readResults(csv: string): Record<string, Record<string, string>> {
  const [header = '', ...lines] = csv.trimEnd().split('\r\n');
  const names = fieldsOf(header);
  const rows = lines.map((line) => {
    const fields = fieldsOf(line);
    return Object.fromEntries(names.map((name, at) => [name, fields[at] ?? '']));
  });
  return Object.fromEntries(rows.map((row) => [`${row['namespace']}/${row['repo_name']}`, row]));
}

function fieldsOf(line: string): string[] {
  const fields = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return Array.from(fields, ([, quoted, plain = '']) => quoted ?? plain);
}

/** Longer errors are no errors for people. Characters. */
const LONGEST_ERROR = 1000;

/** Fails unless the row `bad` alone failed, with one error that names it, and nothing wrong was kept. */
export async function failsAlone(
  stage: Stage,
  { code, log, stderr }: Outcome,
  expected: { readonly code: ErrorCode | readonly ErrorCode[]; readonly says?: RegExp },
): Promise<void> {
  equal(code, 3, stderr.slice(0, 3000));
  const { 'acme/good': good, 'acme/bad': bad } = await stage.results();
  equal(good?.['status'], 'copied', good?.['error']);
  const error = bad?.['error'] ?? '';
  equal(bad?.['status'], 'failed');
  ok(error.includes('/acme/bad'), error.slice(0, 3000));
  ok(error.length <= LONGEST_ERROR, `${error.length} characters`);
  if (expected.says !== undefined) match(error, expected.says);
  const failures = log.filter(({ msg }) => msg === 'image failed');
  equal(failures.length, 1);
  ok([expected.code].flat().includes(failures[0]?.['code'] as ErrorCode), JSON.stringify(failures));
  deepEqual(snapshot(stage.target.store), { 'acme/good:1': GOOD.root.digest });
  holdsOnlyWhatIsTrue(stage.target);
}

/** Fails unless both rows were copied, each with its true digest. */
export async function healed(stage: Stage, { code, stderr }: Outcome, of = BAD): Promise<void> {
  equal(code, 0, stderr.slice(0, 3000));
  deepEqual(snapshot(stage.target.store), {
    'acme/bad:1': of.root.digest,
    'acme/good:1': GOOD.root.digest,
  });
  holdsOnlyWhatIsTrue(stage.target);
}

/** Everything that a registry keeps under a digest has that digest. */
export function holdsOnlyWhatIsTrue({ store }: Registry): void {
  const kept = [...store.repositories.values()].flatMap(({ manifests }) => Array.from(manifests));
  const all = [...store.blobs, ...kept.map(([digest, { bytes }]) => [digest, bytes] as const)];
  const wrong = all.filter(([digest, bytes]) => {
    return digest !== digestOf(bytes, digest.slice(0, digest.indexOf(':')));
  });
  deepEqual(
    wrong.map(([digest]) => digest),
    [],
  );
}

/** Bytes that call themselves a manifest, under their true digest, whatever they are. */
export function manifestOf(
  content: object | string | Buffer,
  mediaType = 'application/vnd.oci.image.manifest.v1+json',
): BuiltManifest {
  const isBytes = typeof content === 'string' || Buffer.isBuffer(content);
  const bytes = Buffer.from(isBytes ? content : JSON.stringify(content));
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

/** Makes the source hold such a manifest as `acme/bad:1`, with the blobs and children of an image. */
export function holdAsBad({ source }: Stage, root: BuiltManifest, rest: BuiltImage = BAD): void {
  putImage(source.store, 'acme/bad', '1', { ...rest, root });
}

/** Makes the source serve `bytes` under a digest that is not theirs. */
export function substitute({ source }: Stage, digest: string, by: BuiltManifest): void {
  const { mediaType, bytes } = by;
  repositoryOf(source.store, 'acme/bad').manifests.set(digest, { mediaType, bytes });
}
