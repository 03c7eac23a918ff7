/** r.test with one image and one user, a target on this machine, and the program between them. */
import { deepEqual, match, ok } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { image, type BuiltImage } from '../support/images.ts';
import { startTokenServer, type AuthOptions, type TokenServer } from '../support/registry/auth.ts';
import type { RequestRecord } from '../support/registry/listener.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import type { TokenOptions } from '../support/registry/tokens.ts';
import { putImage, snapshot } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { runProgram, type Outcome } from './lies-stage.ts';
import { startWorld, type World } from './security-world.ts';

export const USERS = { bot: { password: 'hunter-2' } };
export const BASIC: AuthOptions = { scheme: 'basic', users: USERS };
/** acme/web:1 at r.test. */
export const WEB = image({ seed: 'web' });

export interface Scene {
  readonly world: World;
  readonly target: Registry;
  readonly dir: TempDir;
  /** Starts r.test with acme/web:1. */
  source(auth?: AuthOptions, built?: BuiltImage): Promise<Registry>;
  /** Syncs acme/web:1 from r.test, or another registry, as the bot, to `target` unless the words say where. */
  sync(words?: readonly string[], from?: string): Promise<Outcome>;
  program(words: readonly string[]): Promise<Outcome>;
  /** Starts a token server at https://auth.test. */
  tokens(options?: Pick<TokenOptions, 'service'>): Promise<TokenServer>;
  /** Fails unless the row failed with this in its error, and nothing came to the target. */
  failed(outcome: Outcome, says: RegExp): void;
  close(): Promise<void>;
}

export async function startScene(): Promise<Scene> {
  const [world, target, dir] = await Promise.all([startWorld(), startRegistry(), tempDir()]);
  const started: TokenServer[] = [];
  const env = { ...world.env, HOME: dir.path };
  const program = (words: readonly string[]): Promise<Outcome> =>
    runProgram([...words, '--workdir', dir.path], env);
  return {
    world,
    target,
    dir,
    program,
    async source(auth = BASIC, built = WEB) {
      const registry = await world.registry('r.test', { auth });
      putImage(registry.store, 'acme/web', '1', built);
      return registry;
    },
    async tokens(options = {}) {
      const server = await startTokenServer({ users: USERS, ...options });
      started.push(server);
      const { requests } = await world.server('auth.test', server.handle);
      return { ...server, url: new URL('https://auth.test/token'), requests };
    },
    async sync(words = [], registry = 'r.test') {
      const rows = ['namespace,repo_name,name,digest', 'acme,web,1,', ''];
      await writeFile(join(dir.path, 'tags.csv'), rows.join('\r\n'));
      const from = ['--source-registry', registry, '--src-cert-dir', world.certDir];
      const to = words.includes('--target-registry') ? [] : ['--target-registry', target.host];
      const creds = words.includes('--src-authfile') ? [] : ['--src-creds', 'bot:hunter-2'];
      return program(['sync', ...from, ...to, ...creds, ...words]);
    },
    failed({ code, log, stderr }, says) {
      ok([1, 3].includes(code), stderr);
      const failure = log.find(({ msg }) => msg === 'image failed');
      match(String(failure?.['error']), /acme\/web/);
      match(String(failure?.['error']), says);
      deepEqual(snapshot(target.store), {});
    },
    async close() {
      const closed = [world, target, ...started].map((one) => one.close());
      await Promise.all([...closed, dir[Symbol.asyncDispose]()]);
    },
  };
}

/** What was shown to a server by way of Authorization. */
export function shownTo({ requests }: { readonly requests: readonly RequestRecord[] }): string[] {
  return requests.flatMap(({ headers }) => headers.authorization ?? []);
}

/** The words that make t.test the target, with the bot's password. */
export function toNamedTarget({ certDir }: World): string[] {
  const registry = ['--target-registry', 't.test', '--dest-cert-dir', certDir];
  return [...registry, '--dest-creds', 'bot:hunter-2'];
}
