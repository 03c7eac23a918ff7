/**
 * Reads registries.conf: which registries are mirrored, moved, insecure or blocked.
 *
 * Source: containers-registries.conf(5), version 2 of the format.
 */
import { parse, TomlError } from 'smol-toml';

import { RegistrySyncError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../image/descriptor.ts';
import type { MirrorUse, RegistryRule } from './registry-rules.ts';

/** One file, read. What it doesn't say is absent. */
export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** Read and kept for those who have short names; `docker://` has none. */
  readonly searchRegistries?: readonly string[];
  readonly aliases: Readonly<Record<string, string>>;
  /** Other places for credentials than auth files: `containers-auth.json` stands for those. */
  readonly credentialHelpers?: readonly string[];
}

/** Where in which file something is, for messages. */
interface Place {
  readonly file: string;
  readonly key: string;
}

/**
 * @param file for messages.
 * @throws {RegistrySyncError} `USAGE` that names file and key.
 */
export function parseRegistriesConf(text: string, file: string): RegistriesConf {
  const toml = parseToml(text, file);
  refuseVersion1(toml, file);
  const searchRegistries = textsAt(toml, 'unqualified-search-registries', { file, key: '' });
  const credentialHelpers = textsAt(toml, 'credential-helpers', { file, key: '' });
  return {
    rules: tablesAt(toml, 'registry', { file, key: '' }).map((table, at) =>
      readRule(table, { file, key: `registry[${at}].` }),
    ),
    aliases: readAliases(toml.aliases, { file, key: 'aliases' }),
    ...(searchRegistries && { searchRegistries }),
    ...(credentialHelpers && { credentialHelpers }),
  };
}

/** What later files say of a prefix stands in the place of what earlier ones said. */
export function mergeConfs(confs: readonly RegistriesConf[]): RegistriesConf {
  const rules = new Map<string, RegistryRule>();
  for (const conf of confs) {
    // In one file the first counts.
    for (const rule of conf.rules.toReversed()) rules.set(rule.prefix, rule);
  }
  const searchRegistries = confs.findLast((conf) => conf.searchRegistries)?.searchRegistries;
  const credentialHelpers = confs.findLast((conf) => conf.credentialHelpers)?.credentialHelpers;
  return {
    rules: [...rules.values()],
    aliases: Object.assign({}, ...confs.map(({ aliases }) => aliases)) as Record<string, string>,
    ...(searchRegistries && { searchRegistries }),
    ...(credentialHelpers && { credentialHelpers }),
  };
}

function parseToml(text: string, file: string): JsonObject {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [what = ''] = cause.message.split('\n', 1);
    const message = `${file}, line ${cause.line}: ${what.replace(/^Invalid TOML document: /, 'is no TOML: ')}`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
}

/** `[registries.search]`, `[registries.insecure]`, `[registries.block]`; empty ones say nothing. */
function refuseVersion1({ registries }: JsonObject, file: string): void {
  if (registries === undefined) return;
  for (const [name, table] of Object.entries(isObject(registries) ? registries : {})) {
    const listed = isObject(table) ? table.registries : undefined;
    if (Array.isArray(listed) && listed.length === 0) continue;
    const key = `registries.${name}`;
    throw wrong({ file, key }, 'is of version 1 of the format: write [[registry]] tables');
  }
}

function readRule(table: JsonObject, { file, key }: Place): RegistryRule {
  const at = (name: string): Place => ({ file, key: `${key}${name}` });
  const location = locationAt(table, 'location', { file, key });
  const prefix = locationAt(table, 'prefix', { file, key }) ?? location;
  if (prefix === undefined) throw wrong(at('location'), 'is missing, and so is prefix');
  checkPrefix(prefix, at('prefix'));
  if (location === undefined && !prefix.startsWith('*.')) {
    throw wrong(at('location'), `is missing, which only a prefix like *.example.com allows`);
  }
  if (table['pull-from-mirror'] !== undefined) {
    throw wrong(at('pull-from-mirror'), 'belongs to a [[registry.mirror]]');
  }
  refuseProxy(table, at('proxy'));
  const byDigestOnly = flagAt(table, 'mirror-by-digest-only', { file, key });
  return {
    prefix,
    location,
    insecure: flagAt(table, 'insecure', { file, key }),
    blocked: flagAt(table, 'blocked', { file, key }),
    file,
    mirrors: tablesAt(table, 'mirror', { file, key }).map((mirror, n) =>
      readMirror(mirror, { file, key: `${key}mirror[${n}].` }, byDigestOnly),
    ),
  };
}

function readMirror(
  table: JsonObject,
  { file, key }: Place,
  byDigestOnly: boolean,
): RegistryRule['mirrors'][number] {
  const location = locationAt(table, 'location', { file, key });
  if (location === undefined) throw wrong({ file, key: `${key}location` }, 'is missing');
  const place = { file, key: `${key}pull-from-mirror` };
  const use = textAt(table, 'pull-from-mirror', { file, key }) || undefined;
  if (use !== undefined && !isUse(use)) throw wrong(place, 'is none of all, digest-only, tag-only');
  if (use !== undefined && byDigestOnly) {
    throw wrong(place, "is not possible with the registry's mirror-by-digest-only");
  }
  refuseProxy(table, { file, key: `${key}proxy` });
  return {
    location,
    insecure: flagAt(table, 'insecure', { file, key }),
    use: byDigestOnly ? 'digest-only' : (use ?? 'all'),
  };
}

function isUse(text: string): text is MirrorUse {
  return ['all', 'digest-only', 'tag-only'].includes(text);
}

/** Going without it could lead past a wall. */
function refuseProxy({ proxy }: JsonObject, place: Place): void {
  if (proxy !== undefined && proxy !== '') {
    throw wrong(place, 'is not supported: set HTTPS_PROXY and NO_PROXY');
  }
}

function checkPrefix(prefix: string, place: Place): void {
  if (!prefix.includes('*')) return;
  if (/^\*(?:\.[A-Za-z0-9-]+)+$/.test(prefix)) return;
  throw wrong(place, `${JSON.stringify(prefix)} may have a * only as in *.example.com`);
}

function locationAt(table: JsonObject, name: string, place: Place): string | undefined {
  const text = textAt(table, name, place)?.replace(/\/+$/, '');
  if (text?.includes('://')) {
    throw wrong({ ...place, key: place.key + name }, 'has a scheme: leave it out');
  }
  return text || undefined;
}

function readAliases(value: unknown, place: Place): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value)) throw wrong(place, 'is no table');
  for (const [name, alias] of Object.entries(value)) {
    if (typeof alias !== 'string') throw wrong({ ...place, key: `aliases.${name}` }, 'is no text');
  }
  return { ...value } as Record<string, string>;
}

function textAt(table: JsonObject, name: string, { file, key }: Place): string | undefined {
  const value = table[name];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong({ file, key: key + name }, 'is no text');
}

function flagAt(table: JsonObject, name: string, { file, key }: Place): boolean {
  const { [name]: value = false } = table;
  if (typeof value === 'boolean') return value;
  throw wrong({ file, key: key + name }, 'is neither true nor false');
}

function textsAt(table: JsonObject, name: string, place: Place): string[] | undefined {
  const value = table[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw wrong({ ...place, key: place.key + name }, 'is no list of texts');
}

function tablesAt(table: JsonObject, name: string, place: Place): readonly JsonObject[] {
  const { [name]: value = [] } = table;
  if (Array.isArray(value) && value.every(isObject)) return value;
  throw wrong({ ...place, key: place.key + name }, `is no [[${name}]]`);
}

function wrong({ file, key }: Place, what: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `${file}: ${key} ${what}`);
}
