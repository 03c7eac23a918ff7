/**
 * What registries do differently from the emulated one, as options of it, by kind. Add `auth`, `store`
 * and what else a test needs: `startRegistry({ ...quirksOf('harbor', { projects: ['acme'] }), store })`.
 *
 * Sources: issues and source code of the registries and of their clients; see each entry.
 */
import { googleQuirks } from '../google/google.ts';
import { zotQuirks } from '../zot/zot.ts';
import type { OwnTokenAuth } from './auth.ts';
import type { RegistryOptions } from './registry.ts';
import type { TokenOptions } from './tokens.ts';

export type RegistryKind =
  | 'distribution 2'
  | 'distribution 3'
  | 'ecr'
  | 'gcr'
  | 'ghcr'
  | 'gitlab'
  | 'harbor'
  | 'quay'
  | 'zot'
  | 'zot without search';

export interface Circumstances {
  /** Where may be pushed to: GitLab's projects (two or more components) or Harbor's. */
  readonly projects?: readonly string[];
  /** Who there is; nobody needs a password unless given. */
  readonly users?: TokenOptions['users'];
  /** What is granted without a password, by the kinds that give tokens: `repository:*:pull`, … */
  readonly anonymous?: readonly string[];
}

const EVERYTHING = Number.MAX_SAFE_INTEGER;
const GHCR_CHUNK_BYTES = 4 * 1024 * 1024;
const GITLAB_DEPTH = 2;
const QUAY_CONFIGS = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.oci.empty.v1+json',
];

const QUIRKS: Record<RegistryKind, (given: Circumstances) => RegistryOptions> = {
  /** distribution/distribution 2.8.3: no pages of tags, a larger `n` is rejected, no referrers. */
  'distribution 2': ({ users }) => ({
    tagsListPaging: false,
    aboveMaxPageSize: 'reject',
    referrersApi: false,
    missingDetail: 'string',
    tagDeletion: 'refused',
    ...basic(users),
  }),
  /** distribution/distribution 3.1: pages of tags on demand, `n` is clamped, no referrers. */
  'distribution 3': ({ users }) => ({
    referrersApi: false,
    missingDetail: 'string',
    ...basic(users),
  }),
  /** aws/containers-roadmap and renovate#3800: repositories must exist, pages of 100, 405 above 1000. */
  ecr: ({ users }) => ({
    catalog: 'missing',
    pageSize: 100,
    aboveMaxPageSize: 'unsupported',
    mount: 'declined',
    oddPatch: true,
    pushRules: { into: 'existing', refusal: 'NAME_UNKNOWN' },
    redirectBlobs: true,
    ...basic(users),
  }),
  /** gcr.io and pkg.dev: the extended list of tags, no mounts. */
  gcr: ({ users, anonymous }) => ({
    ...googleQuirks(),
    ...bearer(users, { anonymous, service: 'gcr.io' }),
  }),
  /** ghcr.io: no catalog, oldest tags first, referrers lead away, chunks of at most 4 MiB. */
  ghcr: ({ users, anonymous }) => ({
    catalog: 'missing',
    tagOrder: 'oldest first',
    pageSize: 100,
    referrersApi: 'https://github.com',
    maxChunkBytes: GHCR_CHUNK_BYTES,
    redirectBlobs: true,
    ...bearer(users, { anonymous, service: 'ghcr.io', field: 'token' }),
  }),
  /** gitlab-org/gitlab#438563: no catalog, at most two components below a project that exists. */
  gitlab: ({ users, anonymous, projects = [] }) => ({
    catalog: 'denied',
    pushRules: { into: projects, maxDepth: GITLAB_DEPTH, refusal: 'denied' },
    ...bearer(users, { anonymous, service: 'container_registry', refusedStatus: 403 }),
  }),
  /** goharbor/harbor, src/server: a catalog by Basic only, projects must exist, lists are whole. */
  harbor: ({ users, anonymous, projects = [] }) => ({
    pageSize: EVERYTHING,
    maxPageSize: EVERYTHING,
    strictCursor: true,
    tagDeletion: 'refused',
    pushRules: { into: projects, refusal: 'NAME_UNKNOWN' },
    ...bearer(users, { anonymous, service: 'harbor-registry', basicToo: 'harbor' }),
  }),
  /** quay.io: 100 on a page whatever is asked for, the catalog needs a login, few kinds of configs. */
  quay: ({ users, anonymous }) => ({
    pageSize: 100,
    maxPageSize: 100,
    configTypes: QUAY_CONFIGS,
    redirectBlobs: true,
    ...bearer(users, { anonymous, service: 'quay.io', field: 'token' }),
  }),
  zot: ({ users }) => ({ ...zotQuirks(), ...basic(users) }),
  'zot without search': ({ users }) => ({
    ...zotQuirks({ search: false }),
    ...basic(users),
  }),
};

/** Options of a registry of that kind. */
export function quirksOf(kind: RegistryKind, given: Circumstances = {}): RegistryOptions {
  return QUIRKS[kind](given);
}

type Auth = Pick<RegistryOptions, 'auth'>;

function basic(users: Circumstances['users']): Auth {
  return users === undefined ? {} : { auth: { scheme: 'basic', users } };
}

interface TokenQuirks extends Pick<
  OwnTokenAuth,
  'service' | 'field' | 'refusedStatus' | 'basicToo'
> {
  readonly anonymous: readonly string[] | undefined;
}

function bearer(users: Circumstances['users'], { anonymous, ...quirks }: TokenQuirks): Auth {
  if (users === undefined) return {};
  return { auth: { scheme: 'bearer', users, ...quirks, ...(anonymous && { anonymous }) } };
}
