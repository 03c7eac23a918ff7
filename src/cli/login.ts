/** What `login` and `logout` share: the key of a registry, what is stored for it, and whether it is right. */
import { isError, RegistrySyncError, withName } from '../base/errors.ts';
import { discard } from '../http/send.ts';
import { isRepositoryPath, parseRegistry } from '../image/reference.ts';
import { credentialsIn, readAuthFile, readAuthFiles } from '../registry/auth-file.ts';
import type { AuthKey, AuthTarget } from '../registry/auth-file-write.ts';
import { askHelper } from '../registry/credential-helper.ts';
import { AZURE_TOKEN_USER } from '../registry/credentials.ts';
import { endpoints } from '../registry/endpoints.ts';
import { readRegistriesConf } from '../registry/registries-files.ts';
import type { Io } from './command.ts';
import type { Access } from './options/access.ts';
import { connect, type Runtime } from './runtime.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** What a file or a helper has. */
export interface StoredLogin extends Login {
  /** It is shown to token servers only; `password` is empty. */
  readonly isToken: boolean;
}

/**
 * Reads REGISTRY, REGISTRY/namespace or REGISTRY/namespace/repository. Of a URL the host counts.
 *
 * @throws {RegistrySyncError} `USAGE` when it is none, or has a tag or digest.
 */
export function parseAuthKey(word: string): AuthKey {
  const url = /^https?:\/\/([^/]*)/.exec(word);
  const key = url?.[1] ?? word;
  const slash = key.indexOf('/');
  if (slash < 0) return { key, registry: parseRegistry(key) };
  const [host, path] = [key.slice(0, slash), key.slice(slash + 1)];
  const registry = parseRegistry(host);
  if (isRepositoryPath(path)) return { key, registry };
  const why = /[:@]/.test(path)
    ? 'it contains a tag or digest'
    : 'write REGISTRY or REGISTRY/NAMESPACE, in lower case';
  throw new RegistrySyncError('USAGE', `${JSON.stringify(word)} can't be logged in to: ${why}`);
}

/**
 * Whoever wants credentials in a keychain does not get them into a file.
 *
 * @throws {RegistrySyncError} `UNSUPPORTED` when registries.conf names other places than auth files.
 */
export async function refuseOtherPlaces(conf: string | undefined, env: Io['env']): Promise<void> {
  const { credentialHelpers = [] } = await readRegistriesConf(conf, env);
  const other = credentialHelpers.find((name) => name !== AUTH_FILES);
  if (other === undefined) return;
  const message = `registries.conf wants credentials in the helper ${other} (credential-helpers), which is not supported: use credHelpers in auth.json`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

/** How registries.conf calls them. */
const AUTH_FILES = 'containers-auth.json';

/** The credentials that reading commands would find. */
export async function storedLogin(
  target: AuthTarget,
  { key, registry }: AuthKey,
  env: Io['env'],
): Promise<StoredLogin | undefined> {
  const files = target.isNamed
    ? [readAuthFile(target.path) ?? []].flat()
    : readAuthFiles(undefined, env);
  const repository = key.includes('/') ? key.slice(key.indexOf('/') + 1) : undefined;
  for (const file of files) {
    const found = await credentialsIn(file, registry, repository, askHelper);
    if (found?.kind === 'basic') return { ...found, isToken: false };
    if (found?.kind !== 'identity-token') continue;
    const { username, token } = found;
    // What `az acr login` stores is a password, too.
    if (username === AZURE_TOKEN_USER) return { username, password: token, isToken: false };
    return { username, password: '', isToken: true };
  }
  return undefined;
}

/**
 * Asks the registry for what everybody with a login may.
 *
 * @throws {RegistrySyncError} `UNAUTHORIZED` when the login is wrong.
 */
export async function checkLogin(
  runtime: Runtime,
  { key, registry }: AuthKey,
  { username, password }: Login,
  access: Access,
): Promise<void> {
  runtime.secrets.add(password);
  const side = { registry, access: { ...access, username, password } };
  const client = connect(runtime, { ...side, variables: 'SOURCE' });
  const request = {
    method: 'GET' as const,
    url: endpoints.ping,
    permission: { scopes: [] },
    signal: runtime.signal,
  };
  try {
    await discard(await client.expect([200], `registry ${registry}`, request));
  } catch (cause) {
    if (isError(cause, 'UNAUTHORIZED') && cause.details.status === 401) {
      const message = `logging into ${JSON.stringify(key)}: invalid username/password`;
      throw new RegistrySyncError('UNAUTHORIZED', message, { cause, details: cause.details });
    }
    throw withName(cause, `logging into ${JSON.stringify(key)}`);
  }
}
