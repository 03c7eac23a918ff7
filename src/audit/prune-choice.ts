/** Which tags of a repository are to go: pure choices over what its lists say. */
import { counted } from '../base/counted.ts';
import { algorithmOf, hexOf, type Digest } from '../image/digest.ts';
import type { TagInfo } from '../registry/catalog.ts';
import type { DeletionRules } from '../registry/profile.ts';
import { matcher, newestFirst } from '../sync/tag-filter.ts';
import type { PlanRow } from './prune-plan.ts';
import type { Scope } from './prune-scope.ts';

export interface ChoiceRules {
  /** Whether a tag is wanted: a row of tags.csv has it. */
  readonly isListed: (repository: string, tag: string) => boolean;
  /** Whether a tag could have been made by the rows of its repository; others are not ours to judge. */
  readonly isOurs: (repository: string, tag: string) => boolean;
  readonly isProtected: (repository: string, tag: string) => boolean;
  /** Days. */
  readonly minAge?: number | undefined;
  readonly keepNewest?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Why what goes, goes: `is not in tags.csv`. */
  readonly reason: string;
}

/** What people say about what stays. */
export interface Wishes {
  /** Regular expressions, as `--protect` has them. */
  readonly protect: readonly string[];
  /** Days. */
  readonly minAge?: number | undefined;
  readonly keepNewest?: number | undefined;
}

/**
 * @param scope what rows want; absent: rows are not gone by.
 * @param now milliseconds since the epoch.
 * @throws {RegistrySyncError} `USAGE` when a regular expression is none.
 */
export function choiceRules(
  { protect, minAge, keepNewest }: Wishes,
  scope: Scope | undefined,
  now: number,
): ChoiceRules {
  const age = minAge === undefined ? [] : [`is ${counted(minAge, 'day')} old or older`];
  const newest = keepNewest === undefined ? [] : [`is not among the newest ${keepNewest}`];
  const list = scope === undefined ? [] : ['is not in tags.csv'];
  return {
    isListed: (repository, tag) => scope?.isWanted(repository, tag) ?? false,
    isOurs: (repository, tag) => scope?.isOurs(repository, tag) ?? true,
    isProtected: protection(protect),
    minAge,
    keepNewest,
    now,
    reason: [...list, ...age, ...newest].join(', '),
  };
}

/**
 * Whether a tag, or `repository:tag`, matches one of the patterns at its start.
 *
 * @throws {RegistrySyncError} `USAGE` when a pattern is no regular expression.
 */
export function protection(
  patterns: readonly string[],
): (repository: string, tag: string) => boolean {
  const protects = patterns.map((source) => matcher('--protect', source));
  return (repository, tag) =>
    protects.some((matches) => matches?.(tag) === true || matches?.(`${repository}:${tag}`));
}

/** A tag that nobody wants, and why it stays nevertheless. */
export interface Spared {
  readonly tag: string;
  readonly reason: string;
}

export interface Sorted {
  /** Stay without a word: they are wanted. */
  readonly listed: readonly string[];
  readonly spared: readonly Spared[];
  readonly candidates: readonly TagInfo[];
  /** Signatures and the like, under tags that are made of the digest of what they belong to. */
  readonly attachments: readonly TagInfo[];
}

/** Parts the tags of a repository by what their names say. */
export function sortTags(repository: string, tags: readonly TagInfo[], rules: ChoiceRules): Sorted {
  const listed: string[] = [];
  const spared: Spared[] = [];
  const candidates: TagInfo[] = [];
  const attachments: TagInfo[] = [];
  for (const info of tags) {
    const tag = info.name;
    if (rules.isListed(repository, tag)) listed.push(tag);
    else if (rules.isProtected(repository, tag)) spared.push({ tag, reason: 'is protected' });
    else if (subjectOf(tag) !== undefined) attachments.push(info);
    else if (rules.isOurs(repository, tag)) candidates.push(info);
    else spared.push({ tag, reason: 'is of another form than the tags that sync makes here' });
  }
  return { listed, spared, candidates, attachments };
}

export interface Chosen {
  readonly going: readonly TagInfo[];
  readonly spared: readonly Spared[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Spares what is too young, and then the newest of the rest. */
export function chooseOld(candidates: readonly TagInfo[], rules: ChoiceRules): Chosen {
  const { minAge, keepNewest, now } = rules;
  const spared: Spared[] = [];
  // Beside those that have a date, one that has none may be the newest.
  const mustBeDated = keepNewest !== undefined && candidates.some(isDated);
  const old = candidates.filter((tag) => {
    const { name, lastUpdatedOn } = tag;
    const isUnknown = mustBeDated && !isDated(tag);
    const reason =
      minAge !== undefined
        ? youth(lastUpdatedOn, minAge, now)
        : isUnknown
          ? UNKNOWN_AGE
          : undefined;
    if (reason !== undefined) spared.push({ tag: name, reason });
    return reason === undefined;
  });
  if (keepNewest === undefined) return { going: old, spared };
  const sorted = old.toSorted(newestFirst);
  const newest = sorted.slice(0, keepNewest).map(({ name }) => ({
    tag: name,
    reason: `is among the newest ${keepNewest}`,
  }));
  return { going: sorted.slice(keepNewest), spared: [...spared, ...newest] };
}

/** Whether tags have to have dates to be chosen by these rules: by age, or by date as others have one. */
export function needsDates(candidates: readonly TagInfo[], rules: ChoiceRules): boolean {
  const { minAge, keepNewest } = rules;
  return minAge !== undefined || (keepNewest !== undefined && candidates.some(isDated));
}

function isDated({ lastUpdatedOn }: TagInfo): boolean {
  return !Number.isNaN(Date.parse(lastUpdatedOn ?? ''));
}

const UNKNOWN_AGE = 'is of unknown age';

/** Why a tag is too young to go; what has no date might be. */
function youth(updated: string | undefined, minAge: number, now: number): string | undefined {
  const ageMs = now - Date.parse(updated ?? '');
  if (Number.isNaN(ageMs)) return UNKNOWN_AGE;
  return ageMs < minAge * DAY_MS ? `is of ${updated}, less than ${minAge} days ago` : undefined;
}

/** A tag that goes, with what it stands for now. */
export type Candidate = TagInfo & { readonly digest: Digest };

/** Rows for what goes; what others need loses its tag alone, or stays where that can't be done. */
export function rowsFor(
  repository: string,
  going: readonly Candidate[],
  {
    needed,
    deletion,
    reason,
  }: {
    /** Why an image must stay; `undefined`: it need not. */
    readonly needed: (digest: Digest) => string | undefined;
    readonly deletion: DeletionRules;
    readonly reason: string;
  },
): { readonly rows: readonly PlanRow[]; readonly spared: readonly Spared[] } {
  const rows: PlanRow[] = [];
  const spared: Spared[] = [];
  for (const { name: tag, digest, lastUpdatedOn } of going) {
    const why = needed(digest);
    const row = { repository, tag, digest, lastUpdatedOn };
    if (why === undefined) {
      const action = deletion.manifests === 'never' ? 'untag' : 'delete';
      rows.push({ ...row, action, reason });
    } else if (deletion.tags === 'none') {
      spared.push({ tag, reason: `${why}, and the registry can't take away a tag alone` });
    } else {
      rows.push({ ...row, action: 'untag', reason: `${reason}; the tag alone, as ${why}` });
    }
  }
  return { rows, spared };
}

/** Of cosign's tags, and of the tag that keeps a list of referrers. Hex is cut to 64 characters. */
const DIGEST_TAG = /^(sha(?:256|384|512)-[0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/;

/** What a tag that is made of a digest belongs to, as `subjectKey` gives it; `undefined`: any other tag. */
export function subjectOf(tag: string): string | undefined {
  return DIGEST_TAG.exec(tag)?.[1];
}

/** A digest as it stands in tags. */
export function subjectKey(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`;
}
