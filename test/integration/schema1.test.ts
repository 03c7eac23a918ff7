/** Docker's schema 1 between real registries: copied as its own bytes, and made where it is asked for. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { createCopier } from '../../src/copy/copier.ts';
import { createTransfers } from '../../src/copy/run.ts';
import { ALL } from '../../src/copy/select.ts';
import { shaped } from '../../src/copy/shape.ts';
import { DOCKER_SCHEMA1_SIGNED } from '../../src/image/media-types.ts';
import { signedPayload } from '../../src/image/schema1.ts';
import { Repository } from '../../src/registry/repository.ts';
import { runCli } from '../support/cli.ts';
import { connectTo, NEVER } from '../support/client.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { image } from '../support/images.ts';
import { MemoryRepository } from '../support/memory-image.ts';
import { writeDir } from '../support/skopeo-dir.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const BUILT = image({
  mediaTypes: 'docker',
  config: { history: [{ created_by: 'a' }, { created_by: 'b', empty_layer: true }, {}] },
});

let source: DockerRegistry;
let target: DockerRegistry;
let dir: TempDir;

before(async () => {
  [source, target] = await Promise.all([
    startDockerRegistry({ schema1: true }),
    startDockerRegistry({ schema1: true }),
  ]);
  dir = await tempDir();
  await writeDir(join(dir.path, 'image'), BUILT);
  const from = `dir:${join(dir.path, 'image')}`;
  const to = `docker://${source.host}/acme/old:1`;
  await skopeo(['copy', '--dest-tls-verify=false', '--format', 'v2s1', from, to]);
});
after(async () => {
  await Promise.all([source.stop(), target.stop(), dir[Symbol.asyncDispose]()]);
});

const copier = createCopier({ transfers: createTransfers(), selection: ALL, referrers: 'none' });

/** What is signed: the registry signs it anew for everybody who asks. */
async function manifestAt({ origin }: DockerRegistry, path: string, tag: string): Promise<string> {
  const headers = { accept: DOCKER_SCHEMA1_SIGNED };
  const response = await fetch(`${origin}/v2/${path}/manifests/${tag}`, { headers });
  equal(response.headers.get('content-type'), DOCKER_SCHEMA1_SIGNED);
  const payload = signedPayload(new Uint8Array(await response.arrayBuffer()));
  ok(payload);
  return Buffer.from(payload).toString('utf8');
}

describe('an image of schema 1', () => {
  it('is synced as its own bytes, and known when it is there', async () => {
    const csv = join(dir.path, 'tags.csv');
    const { digest } =
      (await new Repository(connectTo(source), 'acme/old').source('1').head(NEVER)) ?? {};
    const header = 'namespace,repo_name,name,created_on,last_updated_on,digest';
    await writeFile(csv, `${header}\nacme,old,1,,,${digest}\n`);
    const args = [
      'sync',
      '--tags-file',
      csv,
      '--source-registry',
      source.host,
      '--target-registry',
      target.host,
    ];

    const first = await runCli(args);
    const again = await runCli(args);

    equal(first.code, 0, first.stderr);
    equal(again.code, 0, again.stderr);
    equal(await manifestAt(target, 'acme/old', '1'), await manifestAt(source, 'acme/old', '1'));
    ok(/unchanged/.test(again.stderr + again.stdout), again.stderr);
  });

  it('can be asked for by its digest', async () => {
    const repository = new Repository(connectTo(source), 'acme/old');
    const { digest } = (await repository.source('1').head(NEVER)) ?? {};
    ok(digest);

    const stored = await repository.source(digest).manifest('root', NEVER);

    equal(stored.descriptor.digest, digest);
  });
});

describe('an image of schema 1 and of others', () => {
  it('becomes schema 2 again, with the same config that skopeo makes', async () => {
    const made = new MemoryRepository();
    const from = new Repository(connectTo(source), 'acme/old').source('1');
    const asked = {
      choice: ALL,
      form: 'docker',
      preserveDigests: false,
      tmpdir: dir.path,
    } as const;
    await using as2 = await shaped(from, asked, NEVER);
    await copier({ source: as2, sink: made.sink('1'), signal: NEVER });
    const to = `dir:${join(dir.path, 'v2s2')}`;
    const old = `docker://${source.host}/acme/old:1`;
    await skopeo(['copy', '--src-tls-verify=false', '--format', 'v2s2', old, to]);

    const root = made.find('1');

    equal(Buffer.from(root?.bytes ?? []).toString(), await skopeo(['inspect', '--raw', to]));
  });

  it('is made and taken by a registry, and read by skopeo', async () => {
    const from = new MemoryRepository().hold('1', BUILT).source('1');
    const name = { path: 'acme/new', tag: '2' };
    const asked = {
      choice: ALL,
      form: 'schema1',
      preserveDigests: false,
      tmpdir: dir.path,
      name,
    } as const;
    await using made = await shaped(from, asked, NEVER);
    await using sink = new Repository(connectTo(target), name.path).sink(name.tag);
    await copier({ source: made, sink, signal: NEVER });

    const read = await skopeo([
      'inspect',
      '--tls-verify=false',
      `docker://${target.host}/acme/new:2`,
    ]);

    const { Digest, Layers, Name } = JSON.parse(read) as {
      Digest: string;
      Layers: string[];
      Name: string;
    };
    equal(Digest, (await made.manifest('root', NEVER)).descriptor.digest);
    equal(Name, `${target.host}/acme/new`);
    deepEqual(Layers.length, 3);
  });
});
