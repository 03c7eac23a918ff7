/** What a sync starts from, and what it must have left at its target: over an emulator's store. */
import type { BuiltImage } from './images.ts';
import type { FleetTag } from './fleet.ts';
import { digestOf, putImage, type Store } from './registry/store.ts';

/** Puts each tag's image where its name says. */
export function seedTags(store: Store, tags: readonly FleetTag[]): void {
  for (const { repository, tag, image } of tags) putImage(store, repository, tag, image);
}

/** The tags.csv that a crawl of them would write. */
export function tagsCsv(tags: readonly FleetTag[]): string {
  const rows = tags.map(({ repository, tag, image }) => {
    const slash = repository.indexOf('/');
    const names = `${repository.slice(0, Math.max(slash, 0))},${repository.slice(slash + 1)}`;
    return `${names},${tag},,,${image.root.digest}`;
  });
  return ['namespace,repo_name,name,created_on,last_updated_on,digest', ...rows, ''].join('\r\n');
}

/** What of these tags is not there, or is not what it should be; empty: all is well. */
export function wrongAt(store: Store, tags: readonly FleetTag[]): string[] {
  return tags.flatMap(({ repository, tag, image }) => {
    const digest = store.repositories.get(repository)?.tags.get(tag);
    const wrong = digest === image.root.digest ? [] : [`${repository}:${tag} is ${digest}`];
    return [...wrong, ...missingOf(store, repository, image)];
  });
}

/** The manifests and blobs of an image that a repository lacks or has with other bytes. */
export function missingOf(store: Store, repository: string, image: BuiltImage): string[] {
  const held = store.repositories.get(repository);
  const manifests = [...image.manifests, image.root].filter(
    ({ digest, bytes }) => !held?.manifests.get(digest)?.bytes.equals(bytes),
  );
  const blobs = image.blobs.filter(({ digest }) => {
    const bytes = held?.blobs.has(digest) ? store.blobs.get(digest) : undefined;
    return bytes === undefined || digestOf(bytes) !== digest;
  });
  return [...manifests, ...blobs].map(({ digest }) => `${repository} lacks ${digest}`);
}

/** `repository digest` of each upload that was finished, in order: a blob that came twice is there twice. */
export function committedBlobs(
  requests: readonly { readonly method: string; readonly path: string; readonly status: number }[],
): string[] {
  return requests
    .filter(({ method, status }) => method === 'PUT' && status === 201)
    .flatMap(({ path }) => {
      const match = /^\/v2\/(.+)\/blobs\/uploads\/.*[?&]digest=([^&]+)/.exec(path);
      return match === null ? [] : [`${match[1]} ${decodeURIComponent(match[2] ?? '')}`];
    });
}

/** What is in the list more than once. */
export function repeated(items: readonly string[]): string[] {
  return items.filter((item, at) => items.indexOf(item) !== at);
}

/** Status and error of each row of a results.csv, by `repository:tag`. */
export function outcomesOf(csv: string): Map<string, { status: string; error: string }> {
  const rows = csv.split('\r\n').slice(1, -1);
  return new Map(
    rows.map((row) => {
      const [namespace, name, tag, , , status = '', , , ...error] = row.split(',');
      return [`${namespace}/${name}:${tag}`, { status, error: error.join(',') }];
    }),
  );
}
