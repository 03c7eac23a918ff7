/** registries.conf holds for crawl and sync, too: what it says of the registries that they name. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { image } from '../../support/images.ts';
import { runHere, type InProcessResult } from '../../support/in-process.ts';
import { startRegistry } from '../../support/registry/registry.ts';
import { createStore, putImage } from '../../support/registry/store.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { createCertificates } from '../../support/tls.ts';

/** Crawls a registry that nobody trusts, whose host is `$0` in registries.conf. */
async function crawlWith(conf: string): Promise<InProcessResult & { readonly requests: number }> {
  await using dir = await tempDir();
  const { serverKey, serverCert } = await createCertificates(dir.path);
  const store = createStore();
  putImage(store, 'a/b', '1', image());
  const tls = { key: await readFile(serverKey), cert: await readFile(serverCert) };
  const registry = await startRegistry({ store, tls });
  try {
    const file = join(dir.path, 'registries.conf');
    await writeFile(file, conf.replaceAll('$0', registry.host));
    const args = ['crawl', '--registry', registry.host, '--workdir', dir.path, '--retry-times=0'];
    const result = await runHere(args, { CONTAINERS_REGISTRIES_CONF: file });
    return { ...result, requests: registry.requests.length };
  } finally {
    await registry.close();
  }
}

describe('crawl with registries.conf', () => {
  it('goes without trust where it is told so', async () => {
    equal((await crawlWith('')).code, 1);
    equal((await crawlWith('[[registry]]\nlocation = "$0"\ninsecure = true')).code, 0);
  });

  it('asks nothing of what is blocked', async () => {
    const conf = '[[registry]]\nlocation = "$0"\nblocked = true\ninsecure = true';
    const { code, requests, stderr } = await crawlWith(conf);
    deepEqual([code, requests], [1, 0]);
    match(stderr, /is blocked in .*registries\.conf/);
  });

  it('says what is wrong in which file', async () => {
    const { code, stderr } = await crawlWith('[[registry]]\nlocation = 5');
    equal(code, 1);
    match(stderr, /^registry-sync: .*registries\.conf: registry\[0\]\.location is no text\n$/);
  });
});
