/**
 * Writes the files that podman, skopeo and docker keep credentials in, or their helpers.
 *
 * Sources: containers-auth.json(5); https://docs.docker.com/reference/cli/docker/login/; what of a file
 * is not ours stays as it was.
 */
import { join } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../image/descriptor.ts';
import { DOCKER_HUB } from '../image/reference.ts';
import {
  helperOf,
  HUB_SERVER,
  parseAuthFile,
  readAuthFile,
  runtimeAuthFile,
  serverOf,
} from './auth-file.ts';
import { eraseFromHelper, storeInHelper, type HelperAnswer } from './credential-helper.ts';
import { rewriteFile } from '../files/locked-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A file to write, and whose form it has. */
export interface AuthTarget {
  readonly path: string;
  /** `docker`: no keys of repositories, Docker Hub by its URL, and `credsStore` counts. */
  readonly form: 'podman' | 'docker';
  /** The user named it, so no other is read. */
  readonly isNamed: boolean;
}

/** Where credentials belong in a file. */
export interface AuthKey {
  /** `host[:port]`, or a repository or namespace of it, as it was written. */
  readonly key: string;
  /** The registry in its one form. */
  readonly registry: string;
}

export interface AuthPaths {
  readonly authfile?: string | undefined;
  readonly compatAuthFile?: string | undefined;
}

/**
 * The file that a login writes.
 *
 * @throws {RegistrySyncError} `USAGE` when two are named.
 */
export function authTarget({ authfile, compatAuthFile }: AuthPaths, env: Environment): AuthTarget {
  if (authfile !== undefined && compatAuthFile !== undefined) {
    const message = 'give only one of --authfile and --compat-auth-file';
    throw new RegistrySyncError('USAGE', message);
  }
  if (authfile !== undefined) return { path: authfile, form: 'podman', isNamed: true };
  if (compatAuthFile !== undefined) return { path: compatAuthFile, form: 'docker', isNamed: true };
  return targetIn(env);
}

function targetIn(env: Environment): AuthTarget {
  const { REGISTRY_AUTH_FILE: podman, DOCKER_CONFIG: docker } = env;
  if (podman) return { path: podman, form: 'podman', isNamed: true };
  if (docker) return { path: join(docker, 'config.json'), form: 'docker', isNamed: true };
  return { path: runtimeAuthFile(env), form: 'podman', isNamed: false };
}

/**
 * Keeps credentials, and says where.
 *
 * @throws {RegistrySyncError} when the file or its helper can't keep them.
 */
export async function storeCredentials(
  target: AuthTarget,
  where: AuthKey,
  credentials: HelperAnswer,
): Promise<string> {
  const entry = entryKey(target, where);
  const json = readAuthFile(target.path)?.json ?? {};
  const server = serverOf(where.registry);
  const helper = helperOf(json, where.registry);
  if (helper !== undefined) {
    refuseNamespace(where, helper);
    await storeInHelper(helper, server, credentials);
    return `credential helper: ${helper}`;
  }
  const store = storeOf(target, json);
  if (store !== undefined) {
    await storeInHelper(store, server, credentials);
    await editAuths(target, (auths) => ({ ...auths, [entry]: {} }));
    return `credential helper: ${store}`;
  }
  const auth = Buffer.from(`${credentials.username}:${credentials.secret}`).toString('base64');
  await editAuths(target, (auths) => ({ ...auths, [entry]: { auth } }));
  return target.path;
}

/**
 * Forgets the credentials of one key, in the file and in its helpers; `false` when there were none.
 *
 * @throws {RegistrySyncError} when the file or a helper can't be changed.
 */
export async function eraseCredentials(target: AuthTarget, where: AuthKey): Promise<boolean> {
  const entry = entryKey(target, where);
  const json = readAuthFile(target.path)?.json ?? {};
  const helpers = [helperOf(json, where.registry), storeOf(target, json)];
  let isErased = false;
  for (const helper of new Set(helpers)) {
    if (helper === undefined || isNamespaced(where)) continue;
    if (await eraseFromHelper(helper, serverOf(where.registry))) isErased = true;
  }
  await editAuths(target, (auths) => {
    if (!Object.hasOwn(auths, entry)) return undefined;
    isErased = true;
    return Object.fromEntries(Object.entries(auths).filter(([key]) => key !== entry));
  });
  return isErased;
}

/** Forgets all credentials of a file and its helpers. */
export async function eraseAll(target: AuthTarget): Promise<void> {
  const json = readAuthFile(target.path)?.json;
  if (json === undefined) return;
  const helped = Object.entries(isObject(json.credHelpers) ? json.credHelpers : {});
  const store = storeOf(target, json);
  const stored = store === undefined ? [] : Object.keys(isObject(json.auths) ? json.auths : {});
  for (const [registry, helper] of helped) {
    if (typeof helper === 'string') await eraseFromHelper(helper, serverOf(registry));
  }
  for (const server of stored) await eraseFromHelper(store ?? '', server);
  await edit(target, (old) => {
    const { credHelpers: helpers, ...rest } = old;
    const kept = target.form === 'docker' && helpers !== undefined ? { credHelpers: helpers } : {};
    return { ...rest, ...kept, auths: {} };
  });
}

/** @throws {RegistrySyncError} `USAGE` when a file of docker's can't have that key. */
function entryKey({ form }: AuthTarget, where: AuthKey): string {
  if (form === 'podman') return where.key;
  if (isNamespaced(where)) {
    const message = `${where.key}: a file of docker's form has credentials of whole registries only; log in to ${where.registry}, or use --authfile`;
    throw new RegistrySyncError('USAGE', message);
  }
  return where.registry === DOCKER_HUB ? HUB_SERVER : where.key;
}

function isNamespaced({ key }: AuthKey): boolean {
  return key.includes('/');
}

function refuseNamespace(where: AuthKey, helper: string): void {
  if (!isNamespaced(where)) return;
  const message = `${where.key}: the credential helper docker-credential-${helper} keeps credentials of whole registries only; log in to ${where.registry}`;
  throw new RegistrySyncError('USAGE', message);
}

/** Docker's helper for all registries; podman and skopeo know none. */
function storeOf({ form }: AuthTarget, { credsStore }: JsonObject): string | undefined {
  const isOne = form === 'docker' && typeof credsStore === 'string' && credsStore !== '';
  return isOne ? credsStore : undefined;
}

function editAuths(
  target: AuthTarget,
  change: (auths: JsonObject) => JsonObject | undefined,
): Promise<void> {
  return edit(target, (json) => {
    const auths = change(isObject(json.auths) ? json.auths : {});
    return auths && { ...json, auths };
  });
}

async function edit(
  { path }: AuthTarget,
  change: (json: JsonObject) => JsonObject | undefined,
): Promise<void> {
  if (path.endsWith('.dockercfg')) {
    const message = `${path} has docker's old form, which is read but not written: name a config.json`;
    throw new RegistrySyncError('USAGE', message);
  }
  await rewriteFile(path, (text) => {
    const json = change(text === undefined ? {} : parseAuthFile(path, text));
    return json && formatLike(text ?? '', json);
  });
}

/** Indented as the file was, else with tabs, as all these programs write it. */
function formatLike(text: string, json: JsonObject): string {
  const [, indent = '\t'] = /^\s*\{\r?\n([ \t]+)"/.exec(text) ?? [];
  return JSON.stringify(json, undefined, indent) + (text.endsWith('\n') ? '\n' : '');
}
