/** A sync by the built program between two docker-registries, through proxies that commit faults. */
import { deepEqual, equal } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runCli, type CliResult } from '../support/cli.ts';
import {
  startCountingProxy,
  type CountingProxy,
  type Fault,
  type ProxiedRequest,
} from '../support/counting-proxy.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { image, layer, type BuiltImage } from '../support/images.ts';
import { digestOf } from '../support/registry/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const MIB = 1024 * 1024;
export const LARGE = layer({ seed: 'large', layerBytes: 5 * MIB });
const SHARED = layer({ seed: 'shared' });

/** By repository. That of `acme/app` has a blob that is sent by PATCH. */
export const IMAGES: Readonly<Record<string, BuiltImage>> = {
  'acme/app': image({ seed: 'app', layers: [LARGE, SHARED] }),
  'acme/lib': image({ seed: 'lib', layers: [layer({ seed: 'lib' }), SHARED] }),
  'acme/web': image({ seed: 'web' }),
};
const HEADER = 'namespace,repo_name,name,created_on,last_updated_on,digest';
const ROWS = Object.entries(IMAGES).map(
  ([path, { root }]) => `${path.replace('/', ',')},1,,,${root.digest}`,
);

/** What befalls requests, each asked for its own. */
export type Spoil = (request: ProxiedRequest) => Fault | undefined | Promise<Fault | undefined>;

export interface PipeOptions {
  readonly source: DockerRegistry;
  readonly target: DockerRegistry;
  readonly spoilSource?: Spoil;
  readonly spoilTarget?: Spoil;
  readonly words?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface PipeResult extends CliResult {
  /** Of results.csv: status and error by repository. */
  readonly rows: Readonly<Record<string, { readonly status: string; readonly error: string }>>;
  readonly summary: Readonly<Record<string, unknown>>;
  readonly sourceProxy: CountingProxy;
  readonly targetProxy: CountingProxy;
}

let runs = 0;

/** Syncs to a namespace of its own, and expects the target to hold what results.csv says it holds. */
export async function syncThrough(options: PipeOptions): Promise<PipeResult> {
  const { source, target, spoilSource, spoilTarget, words = [], env = {} } = options;
  await using dir = await tempDir();
  await using sourceProxy = await proxyOf(source, spoilSource);
  await using targetProxy = await proxyOf(target, spoilTarget);
  await writeFile(join(dir.path, 'tags.csv'), [HEADER, ...ROWS, ''].join('\r\n'));
  const namespace = `run${(runs += 1)}`;
  const pair = ['--source-registry', sourceProxy.host, '--target-registry', targetProxy.host];
  const to = ['--target-namespace', namespace, '--workdir', dir.path, '--retry-times', '2'];
  const summaryPath = join(dir.path, 'summary.json');
  const args = ['sync', ...pair, ...to, '--summary', summaryPath, ...words];
  const result = await runCli(args, { env, timeoutMs: 40_000 });
  const rows = readResults(await readFile(join(dir.path, 'results.csv'), 'utf8'));
  const summary = JSON.parse(await readFile(summaryPath, 'utf8')) as Record<string, unknown>;
  for (const [path, { status }] of Object.entries(rows)) {
    if (status === 'copied') await expectImage(target, path.replace('acme', namespace), path);
  }
  return { ...result, rows, summary, sourceProxy, targetProxy };
}

function proxyOf({ origin }: DockerRegistry, onRequest: Spoil = () => undefined) {
  return startCountingProxy(origin, { onRequest });
}

function readResults(text: string): PipeResult['rows'] {
  const [, ...lines] = text.trimEnd().split('\r\n');
  return Object.fromEntries(
    lines.map((line) => {
      const [namespace, name, , , , status = '', , , ...error] = line.split(',');
      return [`${namespace}/${name}`, { status, error: error.join(',') }];
    }),
  );
}

/** The registry has the image, and the bytes of its blobs are those of their digests. */
async function expectImage(registry: DockerRegistry, at: string, path: string): Promise<void> {
  const { root, blobs } = IMAGES[path] ?? image();
  const base = `${registry.origin}/v2/${at}`;
  const manifest = await fetch(`${base}/manifests/1`, { headers: { accept: root.mediaType } });
  equal(digestOf(Buffer.from(await manifest.arrayBuffer())), root.digest, at);
  for (const { digest } of blobs) {
    const blob = await fetch(`${base}/blobs/${digest}`);
    equal(digestOf(Buffer.from(await blob.arrayBuffer())), digest, at);
  }
}

/** Every row is well, and nothing was said to be wrong. */
export function expectAllWell({ code, rows, summary, stderr }: PipeResult): void {
  equal(code, 0, stderr);
  deepEqual(
    Object.values(rows).map(({ status }) => status),
    ['copied', 'copied', 'copied'],
  );
  deepEqual([summary['copied'], summary['failed']], [3, 0]);
}

/** The row of `acme/app` failed in this way, and the others are well. */
export function expectAppFailed(
  { code, rows, summary, stdout, stderr }: PipeResult,
  kind: string,
): string {
  equal(code, 3, stderr);
  deepEqual(
    ['acme/app', 'acme/lib', 'acme/web'].map((path) => rows[path]?.status),
    ['failed', 'copied', 'copied'],
  );
  deepEqual([summary['rows'], summary['copied'], summary['failed']], [3, 2, 1]);
  equal(stdout.startsWith('3 rows: 2 copied, 0 unchanged, 1 failed; '), true, stdout);
  const lines = stderr.split('\n').filter((line) => line.includes('image failed'));
  deepEqual([lines.length, lines[0]?.includes(`code=${kind} `)], [1, true], stderr);
  return rows['acme/app']?.error ?? '';
}
