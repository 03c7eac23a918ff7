/** What a run loads: the packages for Azure take longer to load than all the rest. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import { image } from '../support/images.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage } from '../support/registry/store.ts';
import { tagsCsv } from '../support/synced.ts';
import { tempDir } from '../support/temp-dir.ts';

const WEB = image({ seed: 'web' });
let source: Registry;
let target: Registry;

before(async () => {
  [source, target] = await Promise.all([startRegistry(), startRegistry()]);
  putImage(source.store, 'acme/web', '1', WEB);
});
after(() => Promise.all([source.close(), target.close()]));

/** The packages whose code a run loaded, by what V8 says of it and what the bundle's maps say of that. */
async function packagesOf(args: readonly string[], expected = 0): Promise<string[]> {
  const sources = await sourcesOf(args, expected);
  const packages = sources.flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  return [...new Set(packages)].toSorted();
}

/** The files whose code a run loaded. */
async function sourcesOf(args: readonly string[], expected: number): Promise<string[]> {
  await using dir = await tempDir();
  const env = { NODE_V8_COVERAGE: join(dir.path, 'coverage') };
  const { code, stderr } = await runCli(args, { env });
  equal(code, expected, stderr);
  const found = new Set<string>();
  for (const name of await readdir(env.NODE_V8_COVERAGE)) {
    const text = await readFile(join(env.NODE_V8_COVERAGE, name), 'utf8');
    const { result } = JSON.parse(text) as { result: { url: string }[] };
    for (const { url } of result.filter((script) => /\/dist\/[^/]+\.js$/.test(script.url))) {
      const map = await readFile(`${fileURLToPath(url)}.map`, 'utf8');
      for (const path of (JSON.parse(map) as { sources: string[] }).sources) found.add(path);
    }
  }
  return [...found];
}

const ofAzure = (packages: readonly string[]): string[] =>
  packages.filter((name) => name.startsWith('@azure/') || name.startsWith('@typespec/'));

it('the help of sync loads nothing of Azure', async () => {
  const loaded = await packagesOf(['sync', '--help']);
  ok(loaded.includes('yargs'), String(loaded));
  deepEqual(ofAzure(loaded), []);
});

it('nor do a sync and a crawl of other registries', async () => {
  await using dir = await tempDir();
  await writeFile(
    join(dir.path, 'tags.csv'),
    tagsCsv([{ repository: 'acme/web', tag: '1', image: WEB }]),
  );
  const where = ['--source-registry', source.host, '--target-registry', target.host];
  const synced = await packagesOf(['sync', ...where, '--workdir', dir.path]);
  ok(synced.includes('undici'), String(synced));
  deepEqual(ofAzure(synced), []);
  const crawled = await packagesOf(['crawl', '--registry', source.host, '--workdir', dir.path]);
  deepEqual(ofAzure(crawled), []);
});

it('a registry of Azure has its lists read by the SDK, and no identity unless there is one', async () => {
  await using dir = await tempDir();
  const args = ['crawl', '--registry', source.host, '--registry-kind', 'acr'];
  const loaded = await packagesOf([...args, '--workdir', dir.path], 1); // it has no such lists
  ok(loaded.includes('@azure/container-registry'), String(loaded));
  ok(!loaded.includes('@azure/identity'), String(loaded));
});

it('a sync loads the report only where it is asked for', async () => {
  await using dir = await tempDir();
  await writeFile(
    join(dir.path, 'tags.csv'),
    tagsCsv([{ repository: 'acme/web', tag: '1', image: WEB }]),
  );
  const where = ['--source-registry', source.host, '--target-registry', target.host];
  const args = ['sync', ...where, '--workdir', dir.path];
  const isPage = (path: string): boolean => path.endsWith('src/report/page.ts');

  equal((await sourcesOf(args, 0)).some(isPage), false);
  equal((await sourcesOf([...args, '--report', join(dir.path, 'r.html')], 0)).some(isPage), true);
});
