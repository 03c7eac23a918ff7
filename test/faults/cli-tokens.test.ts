/** A token server at fault, as the user of the program meets it; docker-registry checks its tokens. */
import { equal, match, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { startCountingProxy } from '../support/counting-proxy.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { push } from '../support/push.ts';
import { startTokenServer } from '../support/token-server.ts';
import {
  expectAllWell,
  expectAppFailed,
  IMAGES,
  syncThrough,
  type PipeResult,
  type Spoil,
} from './pipe.ts';

const USERS = { bot: { password: 'secret', grants: [{ name: /.*/, actions: ['pull'] }] } };
const ENV = { SOURCE_USERNAME: 'bot', SOURCE_PASSWORD: 'secret' };

let open: DockerRegistry;
let target: DockerRegistry;

before(async () => {
  [open, target] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);
  for (const [path, image] of Object.entries(IMAGES)) await push(open.origin, path, '1', image);
});
after(() => Promise.all([open.stop(), target.stop()]));

/** Syncs from a registry that wants tokens, whose server commits faults. */
async function syncWith(
  onRequest: Spoil,
  expiresIn = 300,
): Promise<PipeResult & { readonly tokens: number }> {
  await using server = await startTokenServer({ users: USERS, expiresIn });
  await using proxy = await startCountingProxy(new URL(server.realm).origin, { onRequest });
  const token = { ...server.auth, realm: `${proxy.origin}/token` };
  await using source = await startDockerRegistry({ storage: open.storage, token });
  const result = await syncThrough({ source, target, env: ENV });
  return { ...result, tokens: proxy.requests.length };
}

describe('a token server', { concurrency: 3 }, () => {
  it('that is busy, and then breaks the connection, is asked again', async () => {
    const result = await syncWith(({ nth }) => {
      if (nth === 1) return { kind: 'answer', status: 503 };
      return nth === 2 ? { kind: 'cut-request', afterBytes: 0 } : undefined;
    });

    expectAllWell(result);
    equal(result.tokens, 3 + 2);
  });

  it('whose answer breaks off is asked again', async () => {
    const result = await syncWith(({ nth }) =>
      nth === 1 ? { kind: 'cut-response', afterBytes: 10 } : undefined,
    );

    expectAllWell(result);
  });

  it('that fails for one repository fails its row, and the others are well', async () => {
    const result = await syncWith(({ path }) =>
      path.includes('acme%2Fapp') ? { kind: 'answer', status: 503 } : undefined,
    );

    match(expectAppFailed(result, 'UNAVAILABLE'), /token from 127\.0\.0\.1:\d+ with .*SOURCE_/);
  });

  it('whose tokens are of no use to the registry fails the run, without going round', async () => {
    const { code, rows, tokens, sourceProxy, stderr } = await syncWith(() => undefined, -120);

    equal(code, 1, stderr);
    for (const { status, error } of Object.values(rows)) {
      equal(status, 'failed');
      match(error, /401/);
    }
    ok(tokens <= 2 * 3, String(tokens));
    ok(sourceProxy.requests.length <= 1 + 2 * 3, String(sourceProxy.requests.length));
  });
});
