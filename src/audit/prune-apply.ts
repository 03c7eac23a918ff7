/**
 * Deletes what a plan says, after another look at each row: what is not any more as it was planned stays.
 *
 * Repository by repository: its tags are listed, those of the plan are compared with it, and what stays says what must
 * not be deleted by its digest. Before every few deletions the tags are listed again.
 */
import { allEnded, mapAsDone } from '../base/concurrent.ts';
import type { Clock } from '../base/clock.ts';
import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import type { Digest } from '../image/digest.ts';
import { kindOfMediaType } from '../image/media-types.ts';
import { subjectKey, subjectOf } from './prune-choice.ts';
import { Needs } from './prune-needs.ts';
import type { PlanRow } from './prune-plan.ts';
import { Remover } from './prune-removal.ts';
import type { PruneOutcome, PruneStatus } from './prune-results.ts';
import type { PruneTarget } from './prune-target.ts';

export interface ApplySettings {
  readonly target: PruneTarget;
  /** Why a tag of the plan has to stay after all; `undefined`: it may go. */
  readonly reasonToStay: (repository: string, tag: string) => string | undefined;
  /** Whether a row of tags.csv names the image. */
  readonly isPromised: (repository: string, digest: Digest) => boolean;
  /** Whether a repository may be left without a tag. */
  readonly mayEmpty: boolean;
  readonly dryRun: boolean;
  /** Deletions at a time, at most. */
  readonly jobs: number;
  /** Told of what is done. */
  readonly note: (outcomes: readonly PruneOutcome[]) => Promise<void>;
  readonly clock: Clock;
  /** Aborted: nothing more is begun. */
  readonly stopping: AbortSignal;
  readonly signal: AbortSignal;
}

/** Deletions of one repository between two looks at its tags. */
const BATCH = 16;
/** What stays is asked for again when that was longer ago, or so many times longer than it took. */
const BELIEVED_MS = 30_000;
const BELIEVED_TIMES = 4;

/**
 * Applies a plan. What of it was not begun, for want of time or after a failure that is everybody's, is not noted.
 *
 * @throws {RegistrySyncError} what would happen to every row: the registry deletes nothing, the credentials may not.
 */
export async function applyPlan(rows: readonly PlanRow[], settings: ApplySettings): Promise<void> {
  using stopping = new LinkedAbort(settings.stopping);
  const remover = new Remover(settings.target, settings.dryRun);
  const own = { ...settings, remover, stopping: stopping.signal };
  let fatal: unknown;
  const work = async (group: readonly PlanRow[]): Promise<void> => {
    if (stopping.signal.aborted) return;
    try {
      await new RepositoryPrune(group, own).run();
    } catch (error) {
      fatal ??= error;
      stopping.abort(error);
    }
  };
  const limit = Math.max(1, Math.floor(settings.jobs / BATCH));
  for await (const _ of mapAsDone(byRepository(rows), limit, work));
  if (fatal !== undefined) throw fatal;
}

function byRepository(rows: readonly PlanRow[]): Iterable<readonly PlanRow[]> {
  const groups = new Map<string, PlanRow[]>();
  for (const row of rows) {
    const group = groups.get(row.repository);
    if (group === undefined) groups.set(row.repository, [row]);
    else group.push(row);
  }
  return groups.values();
}

/** Rows of one image. */
interface Group {
  readonly digest: Digest;
  readonly rows: PlanRow[];
  readonly isIndex: boolean;
}

class RepositoryPrune {
  readonly #repository: string;
  readonly #rows: readonly PlanRow[];
  readonly #settings: ApplySettings & { readonly remover: Remover };
  readonly #startedAt: number;
  /** Tags of the plan that are still as they were planned. */
  #going: ReadonlySet<string> = new Set();
  /** Tags that stay. */
  #others = new Set<string>();
  #needs: Needs;
  #believedUntil = 0;
  /** Tags of which it is known what came of them. */
  readonly #noted = new Set<string>();
  /** What was to go and is left, as `subjectKey` has it. */
  readonly #left = new Set<string>();

  constructor(rows: readonly PlanRow[], settings: ApplySettings & { readonly remover: Remover }) {
    this.#rows = rows;
    this.#repository = rows[0]?.repository ?? '';
    this.#settings = settings;
    this.#startedAt = settings.clock.now();
    this.#needs = new Needs(settings.target, this.#repository);
  }

  async run(): Promise<void> {
    try {
      for (const stage of await this.#check()) await this.#runStage(stage);
    } catch (error) {
      const { remover, signal } = this.#settings;
      throwIfAborted(signal);
      if (!(error instanceof RegistrySyncError)) throw error;
      const rest = this.#rows.filter(({ tag }) => !this.#noted.has(tag));
      if (rest.length === 0) throw error;
      await this.#note(rest, 'failed', error.message);
      remover.noteFailure(error);
    }
  }

  async #runStage(stage: readonly Group[]): Promise<void> {
    const { stopping, jobs } = this.#settings;
    const size = Math.min(BATCH, jobs);
    for (let at = 0; at < stage.length && !stopping.aborted; at += size) {
      await this.#look();
      await allEnded(stage.slice(at, at + size).map((group) => this.#remove(group)));
    }
  }

  /** Compares the plan with what is there. What is left to do comes in its order: whole images before their parts. */
  async #check(): Promise<readonly (readonly Group[])[]> {
    const { target, reasonToStay, mayEmpty, signal } = this.#settings;
    const names = await this.#names();
    if (names === undefined) {
      await this.#note(this.#rows, 'gone');
      return [];
    }
    for (const row of this.#rows) {
      const reason = reasonToStay(this.#repository, row.tag);
      if (reason !== undefined) await this.#note([row], 'skipped', reason);
    }
    const planned = this.#rows.filter(({ tag }) => !this.#noted.has(tag));
    const groups = new Map<Digest, Group>();
    const compare = async (row: PlanRow): Promise<void> => {
      const found = await target.head(this.#repository, row.tag, signal);
      if (found === undefined && !(await this.#isLeftUntagged(row))) {
        return this.#note([row], 'gone');
      }
      if (found !== undefined && found.digest !== row.digest) {
        return this.#note([row], 'skipped', `has moved since the plan: it is ${found.digest} now`);
      }
      const isIndex = kindOfMediaType(found?.mediaType ?? '') === 'index';
      const group = groups.get(row.digest) ?? { digest: row.digest, rows: [], isIndex };
      group.rows.push(row);
      groups.set(row.digest, group);
    };
    for await (const _ of mapAsDone(planned, BATCH, compare));
    const all = [...groups.values()];
    this.#going = new Set(all.flatMap(({ rows }) => rows.map(({ tag }) => tag)));
    this.#others = new Set(names.filter((tag) => !this.#going.has(tag)));
    if (this.#others.size === 0 && !mayEmpty && all.length > 0) {
      const why = `no tag would be left in ${this.#repository}: where that is meant, give --allow-empty-repositories`;
      await this.#note(
        all.flatMap(({ rows }) => rows),
        'skipped',
        why,
      );
      return [];
    }
    return stagesOf(all);
  }

  /** An earlier run may have been ended between a tag and its image. */
  async #isLeftUntagged({ digest, action }: PlanRow): Promise<boolean> {
    const { target, signal } = this.#settings;
    if (action !== 'delete' || target.rules.manifests !== 'without tags') return false;
    return (await target.head(this.#repository, digest, signal)) !== undefined;
  }

  async #names(): Promise<string[] | undefined> {
    const { target, signal } = this.#settings;
    const names: string[] = [];
    try {
      for await (const tag of target.tags(this.#repository, signal)) names.push(tag);
      return names;
    } catch (error) {
      if (isError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Learns what stays, and what came since. */
  async #look(): Promise<void> {
    const { target, clock, signal } = this.#settings;
    const hasAttached = this.#rows.some(({ tag }) => subjectOf(tag) !== undefined);
    if (target.rules.manifests === 'never' && !hasAttached) return;
    const begun = clock.now();
    if (begun >= this.#believedUntil) {
      this.#needs = new Needs(target, this.#repository);
      await this.#needs.add(this.#others, signal);
      const took = clock.now() - begun;
      this.#believedUntil = clock.now() + Math.max(BELIEVED_MS, took * BELIEVED_TIMES);
    }
    // Last, so that what came meanwhile is seen.
    const names = (await this.#names()) ?? [];
    const added = names.filter((tag) => !this.#going.has(tag) && !this.#others.has(tag));
    for (const tag of added) this.#others.add(tag);
    await this.#needs.add(added, signal);
  }

  async #remove({ digest, rows }: Group): Promise<void> {
    const { remover, isPromised } = this.#settings;
    const stays = rows.find(({ tag }) => this.#belongsToWhatStays(tag));
    if (stays !== undefined) {
      return this.#leave(digest, rows, 'skipped', 'what it belongs to is still there');
    }
    const needed =
      this.#needs.reason(digest) ??
      (isPromised(this.#repository, digest) ? 'a row of tags.csv names it' : undefined);
    // Who changed one of its rows to untag by hand wants the image to stay.
    const isWhole = needed === undefined && rows.every(({ action }) => action === 'delete');
    const image = { repository: this.#repository, digest, tags: rows.map(({ tag }) => tag) };
    try {
      const removed = await remover.remove(
        { ...image, isWhole, needed, others: this.#needs.tagsOf(digest) },
        this.#settings.signal,
      );
      for (const { tag, status, error } of removed) {
        const row = rows.find((one) => one.tag === tag);
        if (row !== undefined) await this.#note([row], status, error);
      }
      if (removed.some(({ status }) => !isAway(status))) this.#left.add(subjectKey(digest));
    } catch (error) {
      throwIfAborted(this.#settings.signal);
      if (!(error instanceof RegistrySyncError)) throw error;
      await this.#leave(digest, rows, 'failed', error.message);
      remover.noteFailure(error);
    }
  }

  #belongsToWhatStays(tag: string): boolean {
    const subject = subjectOf(tag);
    if (subject === undefined) return false;
    return this.#left.has(subject) || this.#needs.hasSubject(subject);
  }

  #leave(
    digest: Digest,
    rows: readonly PlanRow[],
    status: PruneStatus,
    error: string,
  ): Promise<void> {
    this.#left.add(subjectKey(digest));
    return this.#note(rows, status, error);
  }

  async #note(rows: readonly PlanRow[], status: PruneStatus, error?: string): Promise<void> {
    if (rows.length === 0) return;
    for (const { tag } of rows) this.#noted.add(tag);
    const elapsedMs = this.#settings.clock.now() - this.#startedAt;
    const rest = { status, elapsedMs, ...(error !== undefined && { error }) };
    await this.#settings.note(rows.map((row) => ({ row, ...rest })));
  }
}

function isAway(status: PruneStatus): boolean {
  return ['deleted', 'gone', 'would-delete', 'would-untag'].includes(status);
}

/** Indexes come before their parts, and what is attached after what it belongs to. */
function stagesOf(groups: readonly Group[]): readonly (readonly Group[])[] {
  const isAttached = ({ rows }: Group): boolean =>
    rows.some(({ tag }) => subjectOf(tag) !== undefined);
  const [attached, images] = [groups.filter(isAttached), groups.filter((one) => !isAttached(one))];
  return [
    images.filter(({ isIndex }) => isIndex),
    images.filter(({ isIndex }) => !isIndex),
    attached,
  ];
}
