/**
 * What registries.conf means for a reference: where it is read, whether TLS may be missing, whether it
 * may be asked at all. Pure.
 *
 * Source: containers-registries.conf(5), «Choosing a [[registry]] TOML table» and after.
 */
import { RegistrySyncError } from '../base/errors.ts';
import {
  formatReference,
  isRepositoryPath,
  parseRegistry,
  repositoryPath,
  tryParseVersion,
  type Reference,
} from '../image/reference.ts';

export type MirrorUse = 'all' | 'digest-only' | 'tag-only';

/** One `[[registry]]`. */
export interface RegistryRule {
  /** `host[:port][/path[:tag]]` or `*.example.com`. */
  readonly prefix: string;
  /** What stands in the place of the prefix; `undefined`: the prefix itself. */
  readonly location: string | undefined;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly {
    readonly location: string;
    readonly insecure: boolean;
    readonly use: MirrorUse;
  }[];
  /** That says so. */
  readonly file: string;
}

/** A place to read an image from. */
export interface PullPlace {
  readonly reference: Reference;
  /** Any certificate will do there, and so will plain http. */
  readonly insecure: boolean;
}

export class RegistryRules {
  readonly #rules: readonly RegistryRule[];

  constructor(rules: readonly RegistryRule[]) {
    // The longest prefix counts.
    this.#rules = rules.toSorted((a, b) => b.prefix.length - a.prefix.length);
  }

  /**
   * Whether any certificate will do for a registry, a repository or an image: `host[/path[:tag]]`.
   *
   * @throws {RegistrySyncError} `REJECTED` when it is blocked.
   */
  isInsecure(name: string): boolean {
    return this.#ruleFor(name)?.insecure ?? false;
  }

  /**
   * The places to read an image from, in their order: mirrors, then its own place.
   *
   * @throws {RegistrySyncError} `REJECTED` when it is blocked; `USAGE` when a location makes no reference.
   */
  pullPlaces(reference: Reference): readonly PullPlace[] {
    const name = formatReference(reference);
    const rule = this.#ruleFor(name);
    if (rule === undefined) return [{ reference, insecure: false }];
    const isByDigest = reference.digest !== undefined;
    const mirrors = rule.mirrors.filter(
      ({ use }) => use === 'all' || (use === 'digest-only') === isByDigest,
    );
    return [...mirrors, rule].map(({ location, insecure }) => ({
      reference: location === undefined ? reference : moved(name, rule, location),
      insecure,
    }));
  }

  #ruleFor(name: string): RegistryRule | undefined {
    const rule =
      this.#rules.find(({ prefix }) => matchLength(name, prefix) !== undefined) ??
      this.#rules.find(({ prefix, blocked }) => blocked && isOtherPort(name, prefix));
    if (rule?.blocked !== true) return rule;
    throw new RegistrySyncError('REJECTED', `${name}: ${rule.prefix} is blocked in ${rule.file}`);
  }
}

/** How much of `name` the prefix stands for; `undefined`: it is another one's. */
function matchLength(name: string, prefix: string): number | undefined {
  if (!prefix.startsWith('*.')) {
    // A host with a port is another registry.
    const ends = prefix.includes('/') ? ['', '/', ':', '@'] : ['', '/'];
    return name.startsWith(prefix) && ends.includes(name.charAt(prefix.length))
      ? prefix.length
      : undefined;
  }
  const [host = ''] = name.split(/[:/@]/, 1);
  return host.endsWith(prefix.slice(1)) ? host.length : undefined;
}

/** To skopeo a host with a port is what the host alone is. What is blocked stays so. */
function isOtherPort(name: string, prefix: string): boolean {
  return !prefix.includes('/') && name.startsWith(`${prefix}:`);
}

function moved(name: string, rule: RegistryRule, location: string): Reference {
  const text = location + name.slice(matchLength(name, rule.prefix));
  const reference = parseMoved(text);
  if (reference !== undefined) return reference;
  const message = `${rule.file}: ${name} would be read from ${text}, which is no reference`;
  throw new RegistrySyncError('USAGE', message);
}

function parseMoved(text: string): Reference | undefined {
  const [, host = '', path = '', mark = '', version = ''] =
    /^([^/]+)\/([^:@]+)(?:([:@])(.+))?$/.exec(text) ?? [];
  if (!isRepositoryPath(path)) return undefined;
  const registry = parseRegistry(host);
  const named = { registry, path: repositoryPath(registry, path) };
  if (mark === '') return named;
  const read = tryParseVersion(mark === '@' ? `@${version}` : version);
  return read && { ...named, ...read };
}
