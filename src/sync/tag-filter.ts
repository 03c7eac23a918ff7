/** Which tags a crawl keeps: pure predicates, each with the reason it gives. */
import semver from 'semver';

import { RegistrySyncError } from '../base/errors.ts';
import type { TagInfo } from '../registry/catalog.ts';

export interface TagFilterOptions {
  readonly tagRegex?: string | undefined;
  readonly excludeTagRegex?: string | undefined;
  /** Days since the last update. */
  readonly tagMinAge?: number | undefined;
  readonly tagMaxAge?: number | undefined;
  readonly semver?: string | undefined;
}

/** Why a tag is dropped; `undefined`: it is kept. */
export type TagFilter = (tag: TagInfo) => string | undefined;

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Compiles the filters.
 *
 * @param now milliseconds since the epoch.
 * @throws {RegistrySyncError} `USAGE` when a filter can't be understood; from the filter, when an age
 * is asked for and the registry gives no dates.
 */
export function createTagFilter(options: TagFilterOptions, now: number): TagFilter {
  const include = matcher('--tag-regex', options.tagRegex);
  const exclude = matcher('--exclude-tag-regex', options.excludeTagRegex);
  const range = options.semver === undefined ? undefined : readRange(options.semver);
  return (tag) => {
    if (include !== undefined && !include(tag.name)) return `does not match ${options.tagRegex}`;
    if (exclude?.(tag.name)) return `matches ${options.excludeTagRegex}, which excludes it`;
    if (range !== undefined) {
      const version = versionOf(tag.name);
      if (version === undefined) return 'is no semantic version';
      if (!range.test(version)) return `is not in the range ${options.semver}`;
    }
    return ageReason(tag, options, now);
  };
}

/**
 * Compiles a regular expression that matches at the start, as Python's `re.match` does.
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export function matcher(
  option: string,
  source: string | undefined,
): ((text: string) => boolean) | undefined {
  if (source === undefined) return undefined;
  let regex: RegExp;
  try {
    regex = fromPython(source);
  } catch (cause) {
    const message = `${option} ${JSON.stringify(source)} is no regular expression: ${(cause as Error).message}`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
  return (text) => regex.test(text);
}

/** Python spells flags, named groups and the ends of the text in its own way. */
const PYTHON_ONLY = /\(\?P<|\(\?P=(\w+)\)|\\[\s\S]/g;
const ENDS: Readonly<Record<string, string>> = { '\\A': '^', '\\Z': '$' };

function fromPython(source: string): RegExp {
  const [prefix = '', flags = ''] = /^\(\?([aimsu]+)\)/.exec(source) ?? [];
  const pattern = source
    .slice(prefix.length)
    .replaceAll(PYTHON_ONLY, (found: string, group?: string) =>
      group === undefined ? (ENDS[found] ?? found.replace('(?P<', '(?<')) : `\\k<${group}>`,
    );
  return new RegExp(`^(?:${pattern})`, flags.replaceAll(/[^ims]/g, ''));
}

function readRange(text: string): semver.Range {
  try {
    return new semver.Range(text, { loose: true });
  } catch (cause) {
    const message = `--semver ${JSON.stringify(text)} is no range of versions: write for example ">=1.2 <3" or "^2.1"`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
}

/** A tag as a version: `v1.2.3`, `1.2.3-rc.1`, and with fewer parts `1.2` and `3`. */
function versionOf(tag: string): semver.SemVer | undefined {
  const exact = semver.parse(tag, { loose: true });
  if (exact !== null) return exact;
  return /^v?\d+(?:\.\d+)?$/.test(tag) ? (semver.coerce(tag) ?? undefined) : undefined;
}

function ageReason(
  { name, lastUpdatedOn }: TagInfo,
  { tagMinAge, tagMaxAge }: TagFilterOptions,
  now: number,
): string | undefined {
  if (tagMinAge === undefined && tagMaxAge === undefined) return undefined;
  const updated = lastUpdatedOn === undefined ? Number.NaN : Date.parse(lastUpdatedOn);
  if (Number.isNaN(updated)) {
    const message = `the registry gives no date for the tag ${name}, so --tag-min-age and --tag-max-age can't be obeyed: leave them out, and choose by --semver, --latest or --tag-regex`;
    throw new RegistrySyncError('USAGE', message);
  }
  const ageMs = now - updated;
  if (tagMinAge !== undefined && ageMs < tagMinAge * DAY_MS) {
    return `was updated on ${lastUpdatedOn}, less than ${tagMinAge} days ago`;
  }
  if (tagMaxAge !== undefined && ageMs > tagMaxAge * DAY_MS) {
    return `was updated on ${lastUpdatedOn}, more than ${tagMaxAge} days ago`;
  }
  return undefined;
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

/** Orders tags newest first: by date where both have one, then by version, then by name. */
export function newestFirst(a: TagInfo, b: TagInfo): number {
  return (
    byPresence(a.lastUpdatedOn, b.lastUpdatedOn, (x, y) => Date.parse(y) - Date.parse(x)) ||
    byPresence(versionOf(a.name), versionOf(b.name), (x, y) => semver.rcompare(x, y)) ||
    COLLATOR.compare(b.name, a.name)
  );
}

/** What has a value comes before what has none. */
function byPresence<T>(
  a: T | undefined,
  b: T | undefined,
  compare: (a: T, b: T) => number,
): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compare(a, b);
}

/** Keeps the newest `count` of any number of tags, in the memory of twice as many. */
export class Newest {
  readonly #count: number;
  #kept: TagInfo[] = [];
  #dropped: TagInfo[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  add(tag: TagInfo): void {
    this.#kept.push(tag);
    if (this.#kept.length >= this.#count * 2 + 1) this.#cut();
  }

  /** The newest, newest first. What fell out is for `takeDropped`. */
  take(): TagInfo[] {
    this.#cut();
    return this.#kept;
  }

  takeDropped(): TagInfo[] {
    const dropped = this.#dropped;
    this.#dropped = [];
    return dropped;
  }

  #cut(): void {
    const sorted = this.#kept.toSorted(newestFirst);
    this.#kept = sorted.slice(0, this.#count);
    this.#dropped.push(...sorted.slice(this.#count));
  }
}
