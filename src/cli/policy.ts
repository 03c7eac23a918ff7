/** Finds policy.json, and asks it before an image is copied. */
import { readFile, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import {
  applyPolicy,
  dockerScopes,
  parsePolicy,
  pathScopes,
  type Policy,
  type PolicySubject,
} from '../image/policy.ts';
import type { Reference } from '../image/reference.ts';
import { formatLocation, parseNamed, type Location } from '../store/location.ts';
import type { Io } from './command.ts';

export interface PolicyOptions {
  /** The file, instead of the usual ones. */
  readonly policy?: string | undefined;
  readonly 'insecure-policy'?: boolean | undefined;
}

const SYSTEM = '/etc/containers/policy.json';

/**
 * Asks the policy whether an image may be copied from there. Where there is no file everything may:
 * skopeo then refuses all, but most containers have none.
 *
 * @throws {RegistrySyncError} `REJECTED` when it may not, `UNSUPPORTED` when a signature is asked for,
 * `USAGE` when a file can't be read.
 */
export async function checkPolicy(
  location: Location,
  options: PolicyOptions,
  env: Io['env'],
): Promise<void> {
  const policy = await readPolicy(options, env);
  if (policy === undefined) return;
  applyPolicy(policy, await subjectOf(location), formatLocation(location));
}

/**
 * The policy that counts; `undefined`: everything goes.
 *
 * @param system the file that is read when the user has none.
 */
export async function readPolicy(
  { policy: named, 'insecure-policy': isInsecure }: PolicyOptions,
  env: Io['env'],
  system = SYSTEM,
): Promise<Policy | undefined> {
  if (isInsecure === true) return undefined;
  const users = join(env.HOME || '/', '.config/containers/policy.json');
  for (const path of named === undefined ? [users, system] : [named]) {
    const text = await readText(path);
    if (text !== undefined) return parsePolicy(text, path);
  }
  if (named !== undefined) throw new RegistrySyncError('USAGE', `there is no policy ${named}`);
  return undefined;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new RegistrySyncError('USAGE', `can't read the policy ${path} (${code})`, { cause });
  }
}

/** An image in a registry, as policies see it. */
export function dockerSubject({
  registry,
  path,
  tag = 'latest',
  digest,
}: Reference): PolicySubject {
  const version = digest === undefined ? `:${tag}` : `@${digest}`;
  return { transport: 'docker', scopes: dockerScopes(`${registry}/${path}`, version) };
}

async function subjectOf(location: Location): Promise<PolicySubject> {
  const { transport } = location;
  switch (transport) {
    case 'docker':
      return dockerSubject(location.reference);
    case 'docker-daemon':
      return { transport, scopes: daemonScopes(location.reference) };
    case 'docker-archive':
      return { transport, scopes: [] };
    default: {
      // Scopes are paths without symbolic links. The name within a layout is not part of it.
      const path = await realpath(location.path).catch(() => resolve(location.path));
      return { transport, scopes: pathScopes(path) };
    }
  }
}

function daemonScopes(text: string): string[] {
  const reference = parseNamed(text);
  if (reference === undefined || /^[a-z0-9]+:[0-9a-f]{64}$/.test(text)) return [text];
  const { registry, path, tag, digest } = reference;
  const version = digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`;
  return dockerScopes(`${registry}/${path}`, version);
}
