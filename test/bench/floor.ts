/** The least requests that a sync of rows with digests can do with: what real ones are compared with. */
import { holdingOf, unionOf, type Holding, type Model } from './model.ts';
import type { Counts } from './tally.ts';

export interface Floor {
  readonly source: Counts;
  readonly target: Counts;
}

const NOTHING: Holding = { tags: new Map(), manifests: new Set(), blobs: new Set() };

/**
 * For a target that holds `held` (nothing unless given). Each manifest of a repository is read and put
 * once, each tag looked at and put once, each blob read and uploaded once and linked to where else it
 * is needed.
 */
export function floorOf(model: Model, held?: Model): Floor {
  const before = new Map(
    held?.repositories.map((repository) => [repository.name, holdingOf(held, repository)]),
  );
  const known = unionOf([...before.values()].map((holding) => holding.blobs));
  const sum = { heads: 0, gets: 0, puts: 0, sent: 0, linked: 0 };
  for (const repository of model.repositories) {
    const holding = holdingOf(model, repository);
    const there = before.get(repository.name) ?? NOTHING;
    const manifests = [...holding.manifests].filter((digest) => !there.manifests.has(digest));
    const tags = [...holding.tags].filter(([tag, digest]) => there.tags.get(tag) !== digest);
    const blobs = [...holding.blobs].filter((digest) => !there.blobs.has(digest));
    const roots = new Set(tags.map(([, digest]) => digest));
    sum.heads += holding.tags.size;
    sum.gets += new Set([...manifests, ...roots]).size;
    sum.puts += tags.length + manifests.filter((digest) => !roots.has(digest)).length;
    const fresh = blobs.filter((digest) => !known.has(digest));
    sum.sent += fresh.length;
    sum.linked += blobs.length - fresh.length;
    for (const digest of fresh) known.add(digest);
  }
  return {
    source: { 'manifest GET': sum.gets, 'blob GET': sum.sent },
    target: {
      'manifest HEAD': sum.heads,
      'manifest PUT': sum.puts,
      'upload POST': sum.sent,
      'upload PUT': sum.sent,
      mount: sum.linked,
    },
  };
}

/** All requests together. */
export function totalOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
