import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import {
  askHelper,
  eraseFromHelper,
  storeInHelper,
} from '../../../src/registry/credential-helper.ts';
import { tempDir } from '../../support/temp-dir.ts';

const dir = await tempDir();
const { PATH } = process.env;
process.env.PATH = `${dir.path}:${PATH}`;
after(async () => {
  process.env.PATH = PATH;
  await dir[Symbol.asyncDispose]();
});

/** Puts docker-credential-NAME on the path, a shell script. */
async function install(name: string, script: string): Promise<void> {
  const path = join(dir.path, `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

const ANSWER = '{"ServerURL":"r.test","Username":"root","Secret":"hunter-2"}';

/** What it shows, the script. */
const FAILING: [string, string][] = [
  ['fails', 'echo "hunter-2 is wrong"; exit 1'],
  ['says that it has nothing, but ends well', 'echo "credentials not found in native keychain"'],
  ['answers no JSON', 'echo hunter-2'],
  ['answers another JSON', `echo '["hunter-2"]'`],
  ['answers null', 'echo null'],
  ['answers without a secret', `echo '{"Username":"root","Secret":""}'`],
  ['answers nothing', 'exit 0'],
  ['is killed', `echo '${ANSWER}'; kill -9 $$`],
];

describe('askHelper', () => {
  it('gives what the helper answers', async () => {
    await install('good', `cat > /dev/null; echo '${ANSWER}'`);

    deepEqual(await askHelper('good', 'r.test'), { username: 'root', secret: 'hunter-2' });
  });

  it('says «get» and the server, and nothing secret, to the helper', async () => {
    await install('nosy', `{ echo "$@"; cat; } > ${dir.path}/said; echo '${ANSWER}'`);

    await askHelper('nosy', 'https://index.docker.io/v1/');

    equal(await readFile(join(dir.path, 'said'), 'utf8'), 'get\nhttps://index.docker.io/v1/\n');
  });

  it('takes a helper that does not read at its word', async () => {
    await install('deaf', `exec <&-; echo '${ANSWER}'`);

    equal((await askHelper('deaf', 'r.test'))?.secret, 'hunter-2');
  });

  it('gives nothing when the helper has nothing', async () => {
    await install('empty', 'echo "credentials not found in native keychain"; exit 1');

    equal(await askHelper('empty', 'r.test'), undefined);
  });

  for (const [shown, script] of FAILING) {
    it(`fails when the helper ${shown}, without quoting it`, async () => {
      await install('bad', script);

      await rejects(askHelper('bad', 'r.test'), (error: Error & { code?: string }) => {
        equal(error.code, 'UNAUTHORIZED');
        return /docker-credential-bad/.test(error.message) && !/hunter/.test(String(error.stack));
      });
    });
  }

  it('fails when there is no such helper', async () => {
    await rejects(askHelper('absent', 'r.test'), {
      code: 'UNAUTHORIZED',
      message: /docker-credential-absent can't be run/,
    });
  });

  it('runs nothing whose name could be a path', async () => {
    for (const name of ['../../bin/sh', 'a b', '']) {
      await rejects(askHelper(name, 'r.test'), { code: 'UNAUTHORIZED', message: /no name/ });
    }
  });

  it('waits no longer than it is told, even for a child of the helper', async () => {
    await install('slow', 'sleep 60');
    const started = performance.now();

    await rejects(askHelper('slow', 'r.test', 100), {
      code: 'UNAUTHORIZED',
      message: /0.1 seconds/,
    });

    ok(performance.now() - started < 3000);
  });
});

describe('storeInHelper', () => {
  it('tells it all on its stdin, and nothing secret in its arguments', async () => {
    await install('keeper', `{ echo "$@"; cat; } > ${dir.path}/kept`);

    await storeInHelper('keeper', 'r.test', { username: 'root', secret: 'hunter-2' });

    equal(
      await readFile(join(dir.path, 'kept'), 'utf8'),
      'store\n{"ServerURL":"r.test","Username":"root","Secret":"hunter-2"}\n',
    );
  });

  it('says nothing secret when it fails, or hangs', async () => {
    await install('refuses', 'cat; exit 1');
    await install('sleeps', 'sleep 10');
    const login = { username: 'root', secret: 'hunter-2' };
    const isSilent = ({ message }: Error): boolean =>
      /docker-credential-/.test(message) && !message.includes('hunter-2');

    await rejects(storeInHelper('refuses', 'r.test', login), isSilent);
    await rejects(storeInHelper('sleeps', 'r.test', login, 50), isSilent);
  });
});

describe('eraseFromHelper', () => {
  it('knows whether there was something to forget', async () => {
    await install('had', `{ echo "$@"; cat; } > ${dir.path}/erased`);
    await install('had-not', 'echo "credentials not found in native keychain"; exit 1');
    await install('broken', 'exit 1');

    equal(await eraseFromHelper('had', 'r.test'), true);
    equal(await readFile(join(dir.path, 'erased'), 'utf8'), 'erase\nr.test\n');
    equal(await eraseFromHelper('had-not', 'r.test'), false);
    await rejects(eraseFromHelper('broken', 'r.test'), { code: 'UNAUTHORIZED' });
  });
});
