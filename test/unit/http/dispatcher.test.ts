import { deepEqual, doesNotThrow, match, throws } from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { rootCertificates, type TLSSocket } from 'node:tls';
import { after, describe, it } from 'node:test';

import { createDispatcher } from '../../../src/http/dispatcher.ts';
import { discard, undiciSend } from '../../../src/http/send.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { createCertificates } from '../../support/tls.ts';

const dir = await tempDir();
after(() => dir[Symbol.asyncDispose]());
const SOME_CA = rootCertificates[0] ?? '';

/** Makes the directory hold just these files, and opens a dispatcher over it. */
function openWith(files: Record<string, string>, env: Record<string, string> = {}): void {
  const path = join(dir.path, 'certs');
  rmSync(path, { recursive: true, force: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, name), text);
  }
  const settings = { verifyTls: true, identify: true, maxConnections: 1, env };
  void createDispatcher({ ...settings, certDirs: [join(dir.path, 'absent'), path] }).destroy();
}

describe('createDispatcher', () => {
  it('takes authorities, and leaves other files be', () => {
    doesNotThrow(() => openWith({ 'ca.crt': SOME_CA, 'readme.txt': 'no certificate' }));
  });

  it('needs no certificates', () => {
    doesNotThrow(() => openWith({}));
  });

  it('names the key that is missing', () => {
    throws(() => openWith({ 'client.cert': SOME_CA }), { code: 'USAGE', message: /client\.key$/ });
  });

  it('names the directory whose certificate is none', () => {
    for (const files of [{ 'ca.crt': 'x' }, { 'a.cert': 'x', 'a.key': 'x' }]) {
      throws(() => openWith(files), { code: 'USAGE', message: /certificates in .*certs: / });
    }
  });

  it('names a further authority that is missing', () => {
    const env = { NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' };

    throws(() => openWith({ 'ca.crt': SOME_CA }, env), {
      code: 'USAGE',
      message: /\/nowhere\/ca\.pem$/,
    });
  });

  it('refuses a file in the place of the directory', () => {
    const path = join(dir.path, 'file');
    writeFileSync(path, 'x');
    const settings = {
      verifyTls: true,
      identify: true,
      maxConnections: 1,
      env: {},
      certDirs: [path],
    };

    throws(
      () => createDispatcher(settings),
      (error: Error & { code: string }) => {
        match(error.message, /file/);
        return error.code === 'USAGE';
      },
    );
  });

  it('goes through the proxy that the environment names', () => {
    doesNotThrow(() => openWith({}, { https_proxy: 'http://proxy.test:3128', no_proxy: '*' }));
  });
});

describe('our own certificate', () => {
  it('is shown to who asks for it, unless it is to be kept', async (t) => {
    const { serverCert, serverKey, clientCertDir } = await createCertificates(dir.path);
    const [cert, key] = [readFileSync(serverCert), readFileSync(serverKey)];
    const asking = { cert, key, requestCert: true, rejectUnauthorized: false };
    const names: (string | undefined)[] = [];
    const server = createServer(asking, (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      names.push(subject?.CN as string | undefined);
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const settings = { verifyTls: true, certDirs: [clientCertDir], maxConnections: 1, env: {} };

    for (const identify of [true, false]) {
      const dispatcher = createDispatcher({ ...settings, identify });
      const { signal } = new AbortController();
      await discard(await undiciSend(dispatcher)({ method: 'GET', url, signal }));
      await dispatcher.destroy();
    }

    deepEqual(names, ['registry-sync test client', undefined]);
  });
});
