/** Several processes that write into one OCI layout at the same time. */
import { deepEqual, equal } from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';

import { rawDigest } from '../support/skopeo.ts';
import { tempDir } from '../support/temp-dir.ts';

const WRITER = new URL('../support/layout-writer.js', import.meta.url).pathname;
const COUNT = 20;
const REF_NAME = 'org.opencontainers.image.ref.name';

async function write(directory: string, prefix: string): Promise<void> {
  const args = [WRITER, directory, prefix, `${COUNT}`];
  await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
}

function namesIn(directory: string): string[] {
  const { manifests } = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as {
    manifests: { annotations: Record<string, string> }[];
  };
  return manifests.map(({ annotations }) => annotations[REF_NAME] ?? '').toSorted();
}

const named = (...prefixes: string[]): string[] =>
  prefixes
    .flatMap((prefix) => Array.from({ length: COUNT }, (_, at) => `${prefix}${at}`))
    .toSorted();

it('lose none of their images', async () => {
  await using temp = await tempDir();

  await Promise.all(['a', 'b', 'c'].map((prefix) => write(temp.path, prefix)));

  deepEqual(namesIn(temp.path), named('a', 'b', 'c'));
  deepEqual(readdirSync(temp.path).toSorted(), ['blobs', 'index.json', 'oci-layout']);
  equal((await rawDigest(`oci:${temp.path}:b7`)).length, 71);
});

it('do not wait for one that was killed while it had the lock', async () => {
  await using temp = await tempDir();
  const holder = spawn(process.execPath, [WRITER, temp.path, '', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  equal(existsSync(join(temp.path, '.index.json.lock')), true);
  const started = performance.now();

  await Promise.all(['a', 'b'].map((prefix) => write(temp.path, prefix)));

  equal(performance.now() - started < 15_000, true); // well before a lock is old
  deepEqual(namesIn(temp.path), named('a', 'b'));
  deepEqual(readdirSync(temp.path).toSorted(), ['blobs', 'index.json', 'oci-layout']);
});
