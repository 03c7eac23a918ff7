/**
 * References: registry, repository, tag and digest as people write them.
 *
 * Sources: OCI Distribution 1.1, «Pulling manifests», for the grammar of names and tags;
 * https://pkg.go.dev/github.com/distribution/reference for docker.io, library/ and latest.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { tryParseDigest, type Digest } from './digest.ts';

export interface Reference {
  /** `host[:port]`; `docker.io` for Docker Hub under all of its names. */
  readonly registry: string;
  /** `a/b/c` */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_NAMES = new Set([DOCKER_HUB, 'index.docker.io', 'registry-1.docker.io']);
const MAX_PATH = 255; // as distribution and Docker Hub limit it
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;

export function isRepositoryPath(text: string): boolean {
  return text.length <= MAX_PATH && PATH.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/**
 * A registry's name in its one form: lower case, Docker Hub by one name.
 *
 * @throws {RegistrySyncError} `USAGE` when `text` is no `host[:port]`.
 */
export function parseRegistry(text: string): string {
  const host = text.trim().toLowerCase();
  // The grammar lets pass what no URL has: port 99999, the address 1.2.3.
  if (!HOST.test(host) || !URL.canParse(`https://${host}`)) {
    const shown = JSON.stringify(text);
    const hint = /\/\//.test(text)
      ? 'leave out the scheme'
      : text.includes('/')
        ? 'leave out the path'
        : 'write host or host:port';
    throw new RegistrySyncError('USAGE', `${shown} is no registry: ${hint}`);
  }
  return DOCKER_HUB_NAMES.has(host) ? DOCKER_HUB : host;
}

/** `redis` on Docker Hub is `library/redis`; everywhere else a path is what it says. */
export function repositoryPath(registry: string, path: string): string {
  return registry === DOCKER_HUB && !path.includes('/') ? `library/${path}` : path;
}

/**
 * Reads the last part of a reference: `tag`, `tag@digest`, `@digest` or `digest`.
 * `undefined` when it is none of them.
 */
export function tryParseVersion(text: string): { tag?: string; digest?: Digest } | undefined {
  const at = text.indexOf('@');
  if (at < 0 && !text.includes(':')) return isTag(text) ? { tag: text } : undefined;
  const digest = tryParseDigest(text.slice(at + 1));
  if (digest === undefined) return undefined;
  if (at <= 0) return { digest };
  const tag = text.slice(0, at);
  return isTag(tag) ? { tag, digest } : undefined;
}

/** `registry/path[:tag][@digest]`, as it can be pasted into another tool. */
export function formatReference({ registry, path, tag, digest }: Reference): string {
  const ofTag = tag === undefined ? '' : `:${tag}`;
  const ofDigest = digest === undefined ? '' : `@${digest}`;
  return `${registry}/${path}${ofTag}${ofDigest}`;
}
