/** User and password from environment variables, or from the files that these name. */
import { readFileSync } from 'node:fs';

import { RegistrySyncError } from '../base/errors.ts';
import type { Credentials } from './credentials.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `…_USERNAME` and `…_PASSWORD`, or the same with `_FILE`; `undefined`: neither is set.
 *
 * @throws {RegistrySyncError} `USAGE` when only one of them is, or a file can't be read.
 */
export function credentialsInEnvironment(
  variables: string,
  env: Environment,
): Extract<Credentials, { kind: 'basic' }> | undefined {
  const [userName, passwordName] = [`${variables}_USERNAME`, `${variables}_PASSWORD`];
  const username = readVariable(userName, env);
  const password = readVariable(passwordName, env);
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) {
    const [given, absent] =
      username === undefined ? [passwordName, userName] : [userName, passwordName];
    throw new RegistrySyncError('USAGE', `${given} is set but ${absent} is not: they go together`);
  }
  return { kind: 'basic', username, password, from: `${userName} and ${passwordName}` };
}

/** `NAME`, or the first line of the file that `NAME_FILE` names; an empty one counts as unset. */
function readVariable(name: string, env: Environment): string | undefined {
  if (env[name]) return env[name];
  const path = env[`${name}_FILE`];
  if (!path) return undefined;
  try {
    const [line = ''] = readFileSync(path, 'utf8').split(/\r?\n/, 1);
    if (line !== '') return line;
  } catch (cause) {
    throw new RegistrySyncError('USAGE', `can't read ${path}, which ${name}_FILE names`, { cause });
  }
  throw new RegistrySyncError('USAGE', `${path}, which ${name}_FILE names, is empty`);
}
