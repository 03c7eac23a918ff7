/** Plans a prune: repository by repository, what would go, and why the rest stays. */
import { mapInOrder } from '../base/concurrent.ts';
import { isError, withName } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import type { Catalog, TagInfo } from '../registry/catalog.ts';
import {
  chooseOld,
  needsDates,
  rowsFor,
  sortTags,
  subjectKey,
  subjectOf,
  type Candidate,
  type ChoiceRules,
  type Spared,
} from './prune-choice.ts';
import { Needs, ROW_NAMES_IT } from './prune-needs.ts';
import type { PlanRow } from './prune-plan.ts';
import { checkTag, type PruneTarget } from './prune-target.ts';

export interface PlanningSettings {
  readonly target: PruneTarget;
  /** Says the tags, and digests and dates where its lists have them. */
  readonly catalog: Catalog;
  readonly rules: ChoiceRules;
  /** Whether a row promises this image to the repository: it will be needed. */
  readonly isPromised: (repository: string, digest: Digest) => boolean;
  /** Whether repositories were named by somebody, so that one that is not there is a mistake. */
  readonly areNamed: boolean;
  /** Repositories at a time. */
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** What a prune makes of one repository. */
export interface RepositoryPlan {
  readonly repository: string;
  /** How many tags it has. */
  readonly seen: number;
  readonly rows: readonly PlanRow[];
  readonly spared: readonly Spared[];
}

/**
 * Plans each repository; those that the target does not have are passed over.
 *
 * @throws {RegistrySyncError} when a repository can't be read: a plan is whole or there is none.
 */
export async function* planRepositories(
  repositories: Iterable<string>,
  settings: PlanningSettings,
): AsyncGenerator<RepositoryPlan, void, void> {
  const plan = (repository: string): Promise<RepositoryPlan | undefined> =>
    planRepository(repository, settings).catch((error: unknown) => {
      throw withName(error, `nothing is planned, as ${repository} can't be read`);
    });
  for await (const one of mapInOrder(repositories, settings.jobs, plan)) {
    if (one !== undefined) yield one;
  }
}

async function planRepository(
  repository: string,
  settings: PlanningSettings,
): Promise<RepositoryPlan | undefined> {
  const { rules, target, signal } = settings;
  const tags = await tagsOf(repository, settings);
  if (tags === undefined) return undefined;
  const sorted = sortTags(repository, tags, rules);
  const dated = await withDates(repository, sorted.candidates, settings);
  const old = chooseOld(dated, rules);
  const going = await withDigests(repository, old.going, settings);
  const spared = [...sorted.spared, ...old.spared, ...going.spared];
  const result = { repository, seen: tags.length };
  if (going.found.length === 0 && sorted.attachments.length === 0) {
    return { ...result, rows: [], spared };
  }
  const needs = new Needs(target, repository);
  const isAsked = target.rules.manifests !== 'never' || sorted.attachments.length > 0;
  if (isAsked) {
    await needs.add([...sorted.listed, ...spared.map(({ tag }) => tag)], signal);
    if (needs.hasEmpty) needs.settle((await target.tagNames(repository, signal)) ?? []);
  }
  const needed = (digest: Digest): string | undefined =>
    needs.reason(digest) ?? (settings.isPromised(repository, digest) ? ROW_NAMES_IT : undefined);
  const freed = going.found.filter(({ digest }) => needed(digest) === undefined);
  const attached = await chooseAttachments(repository, sorted.attachments, {
    ...settings,
    needs,
    freed: freed.map(({ digest }) => digest),
  });
  if (isAsked)
    await needs.add(
      attached.spared.map(({ tag }) => tag),
      signal,
    );
  const deletion = target.rules;
  const images = rowsFor(repository, going.found, { needed, deletion, reason: rules.reason });
  const reason = 'belongs to what goes';
  const others = rowsFor(repository, attached.found, { needed, deletion, reason });
  return {
    ...result,
    rows: [...images.rows, ...others.rows],
    spared: [...spared, ...images.spared, ...attached.spared, ...others.spared],
  };
}

/** `undefined`: the target has no such repository. */
async function tagsOf(
  repository: string,
  { catalog, areNamed, signal }: PlanningSettings,
): Promise<TagInfo[] | undefined> {
  const tags: TagInfo[] = [];
  try {
    for await (const tag of catalog.tags(repository, signal)) {
      checkTag(tag.name, `${catalog.registry}/${repository}`);
      tags.push(tag);
    }
  } catch (error) {
    if (isError(error, 'NOT_FOUND') && !areNamed) return undefined;
    throw error;
  }
  return tags;
}

/** Where the age counts and the list does not say it, the image is asked when it was made. */
async function withDates(
  repository: string,
  tags: readonly TagInfo[],
  settings: PlanningSettings,
): Promise<readonly TagInfo[]> {
  const { rules, target, signal } = settings;
  if (!needsDates(tags, rules)) return tags;
  const known = new Map<Digest, Promise<string | undefined>>();
  const dated: TagInfo[] = [];
  for await (const one of mapInOrder(tags, AT_ONCE, async (tag): Promise<TagInfo> => {
    if (tag.lastUpdatedOn !== undefined) return tag;
    const digest = tag.digest ?? (await target.head(repository, tag.name, signal))?.digest;
    if (digest === undefined) return tag;
    let created = known.get(digest);
    if (created === undefined) {
      created = target.created(repository, digest, signal);
      known.set(digest, created);
    }
    return { ...tag, digest, lastUpdatedOn: await created };
  })) {
    dated.push(one);
  }
  return dated;
}

/** Requests of one repository under way. */
const AT_ONCE = 16;

interface Found {
  readonly found: readonly Candidate[];
  readonly spared: readonly Spared[];
}

async function withDigests(
  repository: string,
  tags: readonly TagInfo[],
  { target, signal }: PlanningSettings,
): Promise<Found> {
  const found: Candidate[] = [];
  const spared: Spared[] = [];
  const resolved = mapInOrder(tags, AT_ONCE, async (one) => ({
    tag: one,
    digest: one.digest ?? (await target.head(repository, one.name, signal))?.digest,
  }));
  for await (const { tag, digest } of resolved) {
    if (digest === undefined) spared.push({ tag: tag.name, reason: 'has nothing under it' });
    else found.push({ ...tag, digest });
  }
  return { found, spared };
}

interface AttachmentSettings extends PlanningSettings {
  readonly needs: Needs;
  /** What goes as a whole. */
  readonly freed: readonly Digest[];
}

/** What is attached goes with what it belongs to, and stays where that stays. What belongs to nothing is judged by its age. */
async function chooseAttachments(
  repository: string,
  attachments: readonly TagInfo[],
  settings: AttachmentSettings,
): Promise<Found> {
  if (attachments.length === 0) return { found: [], spared: [] };
  const going: TagInfo[] = [];
  const orphans: TagInfo[] = [];
  const spared: Spared[] = [];
  const freed = new Set(settings.freed.map(subjectKey));
  let parts: ReadonlySet<string> | undefined;
  for (const tag of attachments) {
    const subject = subjectOf(tag.name) ?? '';
    const stay = (reason: string): unknown => spared.push({ tag: tag.name, reason });
    if (settings.needs.hasSubject(subject)) {
      stay('belongs to an image that stays');
      continue;
    }
    parts ??= await partsOf(repository, settings);
    if (freed.has(subject) || parts.has(subject)) going.push(tag);
    else if (await isThere(repository, subject, settings)) {
      stay('belongs to an image that is there without a tag');
    } else if (settings.areNamed) stay('belongs to an image that is not here');
    else if (settings.rules.isOurs(repository, tag.name)) orphans.push(tag);
    else stay('is of another form than the tags that sync makes here');
  }
  // They are no versions of anything, so none is among the newest.
  const { keepNewest: _, ...byAge } = settings.rules;
  const old = chooseOld(await withDates(repository, orphans, settings), byAge);
  const { found, spared: absent } = await withDigests(
    repository,
    [...going, ...old.going],
    settings,
  );
  return { found, spared: [...spared, ...old.spared, ...absent] };
}

/** What goes is made of, where it is an index. */
async function partsOf(
  repository: string,
  { target, freed, signal }: AttachmentSettings,
): Promise<ReadonlySet<string>> {
  const parts = new Set<string>();
  for (const digest of freed) {
    const { manifest } = await target.manifest(repository, digest, signal);
    if (manifest.kind !== 'index') continue;
    for (const part of manifest.manifests) parts.add(subjectKey(part.digest));
  }
  return parts;
}

/** A subject whose digest is longer than its tag can't be asked for: it is taken to be there. */
async function isThere(
  repository: string,
  subject: string,
  { target, signal }: AttachmentSettings,
): Promise<boolean> {
  if (!subject.startsWith('sha256-')) return true;
  const digest = subject.replace('-', ':');
  return (await target.head(repository, digest, signal)) !== undefined;
}

/** Whether nothing of a repository would be left. */
export function isEmptied({ rows, seen }: RepositoryPlan): boolean {
  return rows.length > 0 && rows.length >= seen;
}
