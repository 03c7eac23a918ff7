/**
 * Deletes what a plan says of one repository.
 *
 * Its tags are listed, those of the plan are compared with it, and what stays says what must not be deleted by its
 * digest. Before every few deletions that is looked at again; what was to go and stays is one of those that stay.
 */
import { allEnded, mapAsDone } from '../base/concurrent.ts';
import type { Clock } from '../base/clock.ts';
import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import { kindOfMediaType } from '../image/media-types.ts';
import { subjectKey, subjectOf } from './prune-choice.ts';
import { Needs } from './prune-needs.ts';
import { stagesOf, type Group } from './prune-order.ts';
import type { PlanRow } from './prune-plan.ts';
import type { Remover, Removed } from './prune-removal.ts';
import type { PruneOutcome, PruneStatus } from './prune-results.ts';
import type { WantedImage } from './prune-scope.ts';
import type { PruneTarget } from './prune-target.ts';

export interface ApplySettings {
  readonly target: PruneTarget;
  /** Why a tag of the plan has to stay after all; `undefined`: it may go. */
  readonly reasonToStay: (repository: string, tag: string) => string | undefined;
  /** What rows of tags.csv want of a repository. */
  readonly wantedIn: (repository: string) => readonly WantedImage[];
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

type Settings = ApplySettings & { readonly remover: Remover };

/** Deletions of one repository between two looks at its tags. */
export const BATCH = 16;
/** What stays is asked for before each batch; where that takes longer, it is believed so many times as long. */
const QUICK_MS = 250;
const BELIEVED_TIMES = 4;

export class RepositoryPrune {
  readonly #repository: string;
  readonly #rows: readonly PlanRow[];
  readonly #settings: Settings;
  readonly #startedAt: number;
  /** Tags of the plan that are still as they were planned, with what they stand for. */
  readonly #going = new Map<string, PlanRow>();
  /** Tags that stay. */
  readonly #others = new Set<string>();
  /** Tags of the plan that were away before: that a list still has them means nothing. */
  readonly #away = new Set<string>();
  /** Images that were to go and stay, whatever becomes of their tags. */
  readonly #staying = new Set<Digest>();
  /** Those of them whose needs are not known yet. */
  #new: Digest[] = [];
  #needs: Needs;
  #believedUntil = 0;
  /** Tags of which it is known what came of them. */
  readonly #noted = new Set<string>();
  /** What the registry keeps for its referrers is learnt once. */
  readonly #referrers = { areKept: undefined };

  constructor(rows: readonly PlanRow[], settings: Settings) {
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
      const batch = stage.slice(at, at + size);
      await this.#look(batch);
      await allEnded(batch.map((group) => this.#remove(group)));
    }
  }

  /** Compares the plan with what is there. What is left to do comes in its order: whole images before their parts. */
  async #check(): Promise<readonly (readonly Group[])[]> {
    const { reasonToStay, mayEmpty, target, signal } = this.#settings;
    const names = await target.tagNames(this.#repository, signal);
    for (const row of this.#rows) {
      const reason = reasonToStay(this.#repository, row.tag);
      if (reason !== undefined) await this.#note([row], 'skipped', reason);
    }
    const groups = await this.#compare(names === undefined);
    const going = [...this.#going.values()];
    for (const tag of this.#unknownOf(names ?? [])) this.#others.add(tag);
    if (this.#others.size === 0 && !mayEmpty && going.length > 0) {
      const why = `no tag would be left in ${this.#repository}: where that is meant, give --allow-empty-repositories`;
      await this.#note(going, 'skipped', why);
      return [];
    }
    return stagesOf(groups, async (digest) => {
      const { manifest } = await target.manifest(this.#repository, digest, signal);
      return manifest.kind === 'index' ? manifest.manifests.map((part) => part.digest) : [];
    });
  }

  /** Groups what is as it was planned by its image, and says of the rest what it is. */
  async #compare(isUnknown: boolean): Promise<readonly Group[]> {
    const { target, signal } = this.#settings;
    const groups = new Map<Digest, Group & { readonly rows: PlanRow[] }>();
    const compare = async (row: PlanRow): Promise<void> => {
      const found = await target.head(this.#repository, row.tag, signal);
      if (found === undefined && !(await this.#isLeftUntagged(row))) {
        this.#away.add(row.tag);
        return this.#note([row], 'gone');
      }
      if (isUnknown) {
        return this.#note([row], 'failed', 'the registry lists no such repository, and has this');
      }
      if (found !== undefined && found.digest !== row.digest) return this.#noteMoved(row, found);
      const isIndex = kindOfMediaType(found?.mediaType ?? '') === 'index';
      const group = groups.get(row.digest) ?? { digest: row.digest, rows: [], isIndex };
      group.rows.push(row);
      groups.set(row.digest, group);
      this.#going.set(row.tag, row);
    };
    const planned = this.#rows.filter(({ tag }) => !this.#noted.has(tag));
    for await (const _ of mapAsDone(planned, BATCH, compare));
    return [...groups.values()];
  }

  /** An earlier run may have been ended between a tag and its image. */
  async #isLeftUntagged({ digest, action }: PlanRow): Promise<boolean> {
    const { target, signal } = this.#settings;
    if (action !== 'delete' || target.rules.manifests !== 'without tags') return false;
    return (await target.head(this.#repository, digest, signal)) !== undefined;
  }

  #noteMoved(row: PlanRow, { digest }: { readonly digest: Digest }): Promise<void> {
    this.#going.delete(row.tag);
    return this.#note([row], 'skipped', `has moved since the plan: it is ${digest} now`);
  }

  /** Learns what stays, what has moved, and what came since. */
  async #look(batch: readonly Group[]): Promise<void> {
    const { target, wantedIn, clock, signal } = this.#settings;
    const hasAttached = this.#rows.some(({ tag }) => subjectOf(tag) !== undefined);
    if (target.rules.manifests === 'never' && !hasAttached) return;
    const begun = clock.now();
    if (begun >= this.#believedUntil) {
      this.#needs = new Needs(target, this.#repository);
      this.#new = [...this.#staying];
      await this.#seeMoved([...this.#going.values()]);
      await this.#needs.add(this.#others, signal);
      await this.#needs.addWanted(wantedIn(this.#repository), signal);
      const took = clock.now() - begun;
      this.#believedUntil = clock.now() + (took < QUICK_MS ? 0 : took * BELIEVED_TIMES);
    } else {
      await this.#seeMoved(batch.flatMap(({ rows }) => rows));
    }
    await this.#needs.addImages(this.#new, 'it was to go, and stays', signal);
    this.#new = [];
    // Last, so that what came meanwhile is seen, and what stays after all.
    const names = (await target.tagNames(this.#repository, signal)) ?? [];
    const added = this.#unknownOf(names);
    for (const tag of added) this.#others.add(tag);
    await this.#needs.add(added, signal);
    this.#needs.settle(names);
  }

  #unknownOf(names: readonly string[]): readonly string[] {
    const known = [this.#going, this.#others, this.#away];
    return names.filter((tag) => !known.some((tags) => tags.has(tag)));
  }

  async #seeMoved(rows: readonly PlanRow[]): Promise<void> {
    const { target, signal } = this.#settings;
    const look = async (row: PlanRow): Promise<void> => {
      const found = await target.head(this.#repository, row.tag, signal);
      if (found !== undefined && found.digest !== row.digest) await this.#noteMoved(row, found);
    };
    const open = rows.filter(({ tag }) => !this.#noted.has(tag));
    for await (const _ of mapAsDone(open, BATCH, look));
  }

  async #remove({ digest, rows: all }: Group): Promise<void> {
    const rows = all.filter(({ tag }) => !this.#noted.has(tag));
    if (rows.length === 0) return;
    const { remover, target, signal } = this.#settings;
    if (rows.some(({ tag }) => this.#belongsToWhatStays(tag))) {
      return this.#leave(digest, rows, 'skipped', 'what it belongs to is still there');
    }
    try {
      // Who changed one of its rows to untag by hand wants the image to stay.
      const isMeant = rows.every(({ action }) => action === 'delete');
      const needed = await this.#neededFor(digest, isMeant);
      const isWhole = isMeant && needed === undefined;
      const image = { repository: this.#repository, digest, tags: rows.map(({ tag }) => tag) };
      const others = this.#needs.tagsOf(digest);
      const removed = await remover.remove({ ...image, isWhole, needed, others }, signal);
      await this.#noteRemoved(rows, removed);
      const isGone = isWhole || (target.rules.manifests === 'never' && needed === undefined);
      if (!isGone || !removed.every(isAway)) this.#stays(digest);
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof RegistrySyncError)) throw error;
      await this.#leave(digest, rows, 'failed', error.message);
      remover.noteFailure(error);
    }
  }

  async #neededFor(digest: Digest, isMeant: boolean): Promise<string | undefined> {
    const { target, signal } = this.#settings;
    const needed = this.#needs.reason(digest);
    if (needed !== undefined || !isMeant || target.rules.manifests === 'never') return needed;
    // Some registries delete what is attached together with the image.
    const attached = await target.referrers(this.#repository, digest, this.#referrers, signal);
    const tag = this.#needs.whichStays(attached.map((one) => one.digest));
    return tag === undefined ? undefined : `${tag} belongs to it`;
  }

  async #noteRemoved(rows: readonly PlanRow[], removed: readonly Removed[]): Promise<void> {
    for (const one of removed) {
      const row = rows.find(({ tag }) => tag === one.tag);
      if (row === undefined) continue;
      if (!isAway(one)) this.#going.delete(one.tag);
      await this.#note([row], one.status, one.error);
    }
  }

  #belongsToWhatStays(tag: string): boolean {
    const subject = subjectOf(tag);
    if (subject === undefined) return false;
    const staying = [...this.#staying].some((digest) => subjectKey(digest) === subject);
    return staying || this.#needs.hasSubject(subject);
  }

  #leave(
    digest: Digest,
    rows: readonly PlanRow[],
    status: PruneStatus,
    error: string,
  ): Promise<void> {
    this.#stays(digest);
    for (const { tag } of rows) this.#going.delete(tag);
    return this.#note(rows, status, error);
  }

  #stays(digest: Digest): void {
    this.#staying.add(digest);
    this.#new.push(digest);
  }

  async #note(rows: readonly PlanRow[], status: PruneStatus, error?: string): Promise<void> {
    const fresh = rows.filter(({ tag }) => !this.#noted.has(tag));
    if (fresh.length === 0) return;
    for (const { tag } of fresh) this.#noted.add(tag);
    const elapsedMs = this.#settings.clock.now() - this.#startedAt;
    const why = error === undefined ? {} : { error };
    await this.#settings.note(fresh.map((row) => Object.assign({ row, status, elapsedMs }, why)));
  }
}

function isAway({ status }: Removed): boolean {
  return ['deleted', 'gone', 'would-delete', 'would-untag'].includes(status);
}
