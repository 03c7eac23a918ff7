import { deepEqual, equal, rejects } from 'node:assert/strict';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { createCopier } from '../../src/copy/copier.ts';
import { createTransfers } from '../../src/copy/run.ts';
import { ALL } from '../../src/copy/select.ts';
import { parseLocation, type StoreLocation } from '../../src/store/location.ts';
import { openStoreSink, openStoreSource, type StoreSettings } from '../../src/store/open.ts';
import { archivedImage, archiveEntries, hexOf, partsOf } from '../support/docker-archive.ts';
import { startDockerd } from '../support/dockerd.ts';
import type { BuiltImage } from '../support/images.ts';
import { tarOf } from '../support/tar-bytes.ts';
import { tempDir } from '../support/temp-dir.ts';
import { createCertificates } from '../support/tls.ts';

const { signal } = new AbortController();
const copy = createCopier({ transfers: createTransfers(), selection: ALL, referrers: 'none' });
const IMAGE = archivedImage({ seed: 'daemon', layers: 3, layerBytes: 300_000 });
const ID = `sha256:${hexOf(partsOf(IMAGE).config)}`;

const home = await tempDir();
const certificates = await createCertificates(home.path);
const { serverCert: cert, serverKey: key, caCert: ca, clientCertDir } = certificates;
const started = await startDockerd({ tls: { cert, key, ca } });
const daemon = 'daemon' in started ? started.daemon : undefined;
after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const settings: StoreSettings = { tmpdir: home.path, env: { DOCKER_HOST: daemon?.host } };

async function copyTo(from: string, to: string, given = settings): Promise<void> {
  const [source, target] = [from, to].map((text) => parseLocation(text) as StoreLocation);
  if (source === undefined || target === undefined) throw new Error('two locations');
  await using image = await openStoreSource(source, given, signal);
  await using sink = await openStoreSink(target, given, signal);
  await copy({ source: image, sink, signal });
}

async function archiveOf(image: BuiltImage, name: string): Promise<string> {
  const path = join(home.path, name);
  await writeFile(path, tarOf(archiveEntries([{ image, tags: null }])));
  return `docker-archive:${path}`;
}

const skip = 'reason' in started && started.reason;

describe('a Docker daemon', { skip }, () => {
  it('loads an image under all of its names, and its id is its config’s digest', async () => {
    const from = await archiveOf(IMAGE, 'first.tar');

    const additionalTags = ['registry.test:5000/two:2'];
    await copyTo(from, 'docker-daemon:one:1', { ...settings, additionalTags });

    equal(await daemon?.imageId('one:1'), ID);
    equal(await daemon?.imageId('registry.test:5000/two:2'), ID);
  });

  it('loads an archive that we write', async () => {
    const path = join(home.path, 'ours.tar');
    await copyTo(await archiveOf(IMAGE, 'second.tar'), `docker-archive:${path}:loaded:1`);

    await daemon?.api('POST', '/images/load?quiet=1', await readFile(path));

    equal(await daemon?.imageId('loaded:1'), ID);
  });

  it('saves an archive that we read, and the id stays', async () => {
    const image = archivedImage({ seed: 'round trip' });
    const id = `sha256:${hexOf(partsOf(image).config)}`;
    await copyTo(await archiveOf(image, 'third.tar'), 'docker-daemon:round:1');
    const saved = await daemon?.api('GET', '/images/round:1/get');
    await writeFile(join(home.path, 'saved.tar'), saved?.bytes ?? '');
    await daemon?.api('DELETE', '/images/round:1');
    equal(await daemon?.imageId(id), undefined);

    await copyTo(`docker-archive:${join(home.path, 'saved.tar')}:round:1`, 'docker-daemon:back:1');

    equal(await daemon?.imageId('back:1'), id);
  });

  it('hands an image out by its name and its id, which goes back as it was', async () => {
    const image = archivedImage({ seed: 'handed out' });
    const id = `sha256:${hexOf(partsOf(image).config)}`;
    await copyTo(await archiveOf(image, 'fourth.tar'), 'docker-daemon:out:1');

    for (const reference of ['out:1', id]) {
      const path = join(home.path, `out-${reference.length}.tar`);
      await copyTo(`docker-daemon:${reference}`, `docker-archive:${path}:out:2`);
      await using source = await openStoreSource(
        { transport: 'docker-archive', path },
        settings,
        signal,
      );
      // The layers' bytes are Docker's own by then; what they hold is told by their ids.
      const { manifest } = await source.manifest('root', signal);
      equal(manifest.kind === 'image' && manifest.config?.digest, id);
    }
    await daemon?.api('DELETE', '/images/out:1');
    await copyTo(`docker-archive:${join(home.path, 'out-5.tar')}`, 'docker-daemon:again:1');
    equal(await daemon?.imageId('again:1'), id);
  });
});

describe('a Docker daemon that can not do it', { skip }, () => {
  it('has no other image', async () => {
    await rejects(
      openStoreSource(parseLocation('docker-daemon:absent:1') as StoreLocation, settings, signal),
      {
        code: 'NOT_FOUND',
      },
    );
  });

  it('refuses layers that are not what the config says', async () => {
    const image = archivedImage({
      seed: 'no tar',
      layers: [Buffer.from('no tar at all'.repeat(99))],
    });

    const loading = copyTo(await archiveOf(image, 'fifth.tar'), 'docker-daemon:bad:1');

    await rejects(loading, { code: 'REJECTED', message: /refuses it/ });
    equal(await daemon?.imageId('bad:1'), undefined);
  });
});

describe('a Docker daemon far away', { skip }, () => {
  it('is reached over TLS, with certificates on both sides', async () => {
    const certDir = join(home.path, 'docker-certs');
    await mkdir(certDir);
    for (const [from, to] of Object.entries({
      'ca.crt': 'ca.pem',
      'client.cert': 'cert.pem',
      'client.key': 'key.pem',
    })) {
      await copyFile(join(clientCertDir, from), join(certDir, to));
    }
    const path = join(home.path, 'tls.tar');
    const env = { DOCKER_HOST: `tcp://${daemon?.tlsAddress}`, DOCKER_CERT_PATH: certDir };

    await copyTo('docker-daemon:one:1', `docker-archive:${path}`, { tmpdir: home.path, env });
    await copyTo(`docker-archive:${path}`, 'docker-daemon:tls:1', {
      tmpdir: home.path,
      env: {},
      daemonHost: `https://${daemon?.tlsAddress}`,
      daemonCertDir: certDir,
    });

    equal(await daemon?.imageId('tls:1'), await daemon?.imageId('one:1'));
    equal(await daemon?.imageId('tls:1'), ID);
  });

  it('is not believed without its CA’s certificate', async () => {
    const location = parseLocation('docker-daemon:one:1') as StoreLocation;
    const daemonHost = `https://${daemon?.tlsAddress}`;
    const open = (more: Partial<StoreSettings>): Promise<unknown> =>
      openStoreSource(location, { tmpdir: home.path, env: {}, daemonHost, ...more }, signal);

    await rejects(open({}), { code: 'UNAVAILABLE', message: /certificate/ });
    // It wants to see ours then.
    await rejects(open({ daemonTlsVerify: false }), { code: 'UNAVAILABLE' });
    deepEqual(await daemon?.imageId('one:1'), ID);
  });
});
