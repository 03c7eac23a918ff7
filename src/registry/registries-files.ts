/**
 * Finds registries.conf and its drop-ins.
 *
 * Sources: containers-registries.conf(5), containers-registries.conf.d(5).
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import type { RegistriesConf } from './registries-conf.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const SYSTEM = '/etc/containers';
const NAME = 'registries.conf';

/**
 * Reads the file that is named, or `CONTAINERS_REGISTRIES_CONF`, or the user's, or the system's; then
 * the drop-ins, in order of their names: the system's (unless the user has a file), then the user's.
 *
 * @throws {RegistrySyncError} `USAGE` when a named file is missing, or one can't be read.
 */
export async function readRegistriesConf(
  named: string | undefined,
  env: Environment,
  system = SYSTEM,
): Promise<RegistriesConf> {
  const user = join(env.HOME || '/', '.config/containers');
  const main = await mainFile(named ?? (env.CONTAINERS_REGISTRIES_CONF || undefined), user, system);
  const directories = main?.isUsers === true ? [user] : [system, user];
  const further = await Promise.all(directories.map((path) => dropIns(join(path, `${NAME}.d`))));
  const files = [main?.file ?? [], ...further].flat();
  if (files.length === 0) return { rules: [], aliases: {} };
  const { mergeConfs, parseRegistriesConf } = await import('./registries-conf.ts');
  return mergeConfs(files.map(({ path, text }) => parseRegistriesConf(text, path)));
}

interface TextFile {
  readonly path: string;
  readonly text: string;
}

async function mainFile(
  explicit: string | undefined,
  user: string,
  system: string,
): Promise<{ readonly file: TextFile; readonly isUsers: boolean } | undefined> {
  if (explicit !== undefined) {
    const file = await readText(explicit);
    if (file !== undefined) return { file, isUsers: false };
    throw new RegistrySyncError('USAGE', `there is no file ${explicit}`);
  }
  const users = await readText(join(user, NAME));
  if (users !== undefined) return { file: users, isUsers: true };
  const systems = await readText(join(system, NAME));
  return systems && { file: systems, isUsers: false };
}

async function dropIns(directory: string): Promise<TextFile[]> {
  const names = await reading(directory, () => readdir(directory));
  const paths = (names ?? [])
    .filter((name) => name.endsWith('.conf'))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((name) => join(directory, name));
  return (await Promise.all(paths.map(readText))).flatMap((file) => file ?? []);
}

async function readText(path: string): Promise<TextFile | undefined> {
  const text = await reading(path, () => readFile(path, 'utf8'));
  return text === undefined ? undefined : { path, text };
}

async function reading<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new RegistrySyncError('USAGE', `can't read ${path} (${code})`, { cause });
  }
}
