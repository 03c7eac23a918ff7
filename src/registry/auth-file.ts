/**
 * Credentials from the files that podman, skopeo and docker write.
 *
 * Sources: containers-auth.json(5); https://docs.docker.com/reference/cli/docker/login/ for
 * `credsStore` and `credHelpers`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../image/descriptor.ts';
import { DOCKER_HUB } from '../image/reference.ts';
import type { AskHelper, HelperAnswer } from './credential-helper.ts';
import { AZURE_TOKEN_USER, identityToken, type Credentials } from './credentials.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** One file, read. */
export interface AuthFile {
  readonly path: string;
  readonly json: JsonObject;
}

/** What docker calls Docker Hub in its files and to its helpers. */
export const HUB_SERVER = 'https://index.docker.io/v1/';
const HUB_KEYS = new Set([DOCKER_HUB, 'index.docker.io', 'registry-1.docker.io']);

/**
 * Reads the files that may hold credentials, in the order in which they are asked.
 *
 * @param explicit the file that the user named: the only one then, and it has to be there.
 * @throws {RegistrySyncError} `USAGE` when a file is there and can't be read.
 */
export function readAuthFiles(explicit: string | undefined, env: Environment): AuthFile[] {
  if (explicit !== undefined) {
    const file = readAuthFile(explicit);
    if (file !== undefined) return [file];
    throw new RegistrySyncError('USAGE', `there is no auth file ${explicit}`);
  }
  return searchPaths(env).flatMap((path) => readAuthFile(path) ?? []);
}

function searchPaths(env: Environment): string[] {
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE];
  const home = env.HOME || '/'; // empty is unset, as the XDG Base Directory Specification has it
  return [
    runtimeAuthFile(env),
    join(env.XDG_CONFIG_HOME || join(home, '.config'), 'containers/auth.json'),
    join(env.DOCKER_CONFIG || join(home, '.docker'), 'config.json'),
    join(home, '.dockercfg'),
  ];
}

/** Where podman and skopeo write unless they are told otherwise. */
export function runtimeAuthFile({ XDG_RUNTIME_DIR: runtime }: Environment): string {
  if (runtime) return join(runtime, 'containers/auth.json');
  return `/run/containers/${process.getuid?.() ?? 0}/auth.json`;
}

/** `undefined`: there is no such file. */
export function readAuthFile(path: string): AuthFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new RegistrySyncError('USAGE', `can't read the auth file ${path} (${code})`, { cause });
  }
  const json = parseAuthFile(path, text);
  return { path, json: path.endsWith('.dockercfg') ? { auths: json } : json };
}

/** @throws {RegistrySyncError} `USAGE` that names the file, and quotes nothing of it. */
export function parseAuthFile(path: string, text: string): JsonObject {
  const json = parse(text);
  if (json !== undefined) return json;
  throw new RegistrySyncError('USAGE', `the auth file ${path} is no JSON object`); // not quoted: secrets
}

function parse(text: string): JsonObject | undefined {
  try {
    const json: unknown = text.trim() === '' ? {} : JSON.parse(text);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** What `file` holds for a registry (and a repository of it); `undefined`: nothing. */
export async function credentialsIn(
  { path: filePath, json }: AuthFile,
  registry: string,
  repository: string | undefined,
  ask: AskHelper,
): Promise<Credentials | undefined> {
  const helper = helperOf(json, registry);
  if (helper !== undefined) {
    const answer = await ask(helper, serverOf(registry));
    if (answer !== undefined) return ofHelper(answer, helper);
  }
  const entry = entryFor(isObject(json.auths) ? json.auths : {}, registry, repository);
  const stored = entry && readEntry(entry, filePath);
  if (stored !== undefined) return stored;
  if (typeof json.credsStore !== 'string' || json.credsStore === helper) return undefined;
  const answer = await ask(json.credsStore, serverOf(registry));
  return answer && ofHelper(answer, json.credsStore);
}

/** The helper that a file names for a registry. */
export function helperOf({ credHelpers }: JsonObject, registry: string): string | undefined {
  if (!isObject(credHelpers)) return undefined;
  const key = Object.keys(credHelpers).find((name) => sameHost(name, registry));
  const helper = key === undefined ? undefined : credHelpers[key];
  return typeof helper === 'string' && helper !== '' ? helper : undefined;
}

/** A registry's name to helpers. */
export function serverOf(registry: string): string {
  return registry === DOCKER_HUB ? HUB_SERVER : registry;
}

function entryFor(
  auths: JsonObject,
  registry: string,
  repository: string | undefined,
): JsonObject | undefined {
  const parts = repository?.split('/') ?? [];
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const entry = auths[[registry, ...parts.slice(0, depth)].join('/')];
    if (isObject(entry)) return entry;
  }
  const key = Object.keys(auths).find((name) => sameHost(name, registry));
  const entry = key === undefined ? undefined : auths[key];
  return isObject(entry) ? entry : undefined;
}

/** Whether a key means this registry: keys may be URLs, and Docker Hub has several names. */
function sameHost(key: string, registry: string): boolean {
  const withoutScheme = key.replace(/^https?:\/\//, '');
  const host = withoutScheme === key ? key : withoutScheme.replace(/\/.*$/, '');
  return host === registry || (registry === DOCKER_HUB && HUB_KEYS.has(host));
}

function readEntry(entry: JsonObject, from: string): Credentials | undefined {
  const { identitytoken, registrytoken, auth } = entry;
  if (typeof registrytoken === 'string' && registrytoken !== '') {
    return { kind: 'bearer', token: registrytoken, from };
  }
  const { username, password } = typeof auth === 'string' ? decodeAuth(auth, from) : entry;
  const user = typeof username === 'string' ? username : '';
  if (typeof identitytoken === 'string' && identitytoken !== '') {
    return identityToken(user, identitytoken, from);
  }
  if (typeof password !== 'string' || (user === '' && password === '')) return undefined;
  if (user === AZURE_TOKEN_USER) return identityToken(user, password, from);
  return { kind: 'basic', username: user, password, from };
}

function decodeAuth(auth: string, from: string): { username?: string; password?: string } {
  if (auth === '') return {};
  const decoded = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = decoded.indexOf(':');
  if (colon < 0) {
    throw new RegistrySyncError(
      'USAGE',
      `an "auth" entry of ${from} is not base64 of user:password`,
    );
  }
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function ofHelper({ username, secret }: HelperAnswer, helper: string): Credentials {
  const from = `docker-credential-${helper}`;
  if (username === '<token>' || username === AZURE_TOKEN_USER) {
    return identityToken(username, secret, from);
  }
  return { kind: 'basic', username, password: secret, from };
}
