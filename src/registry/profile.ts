/**
 * What is known of each registry beforehand, as data: how it wants blobs, what its lists say, how
 * its names look. A registry that is not known gets the form that every registry takes. What can be
 * learnt while it runs (pages, mounts, pace) is learnt, whatever this table says.
 */
import { DOCKER_HUB } from '../image/reference.ts';

export const REGISTRY_KINDS = [
  'acr',
  'artifactory',
  'distribution',
  'docker-hub',
  'ecr',
  'ghcr',
  'gitlab',
  'google',
  'harbor',
  'quay',
  'zot',
  'generic',
] as const;

export type RegistryKind = (typeof REGISTRY_KINDS)[number];

export interface RegistryProfile {
  readonly kind: RegistryKind;
  /** For people. */
  readonly title: string;
  /** Hosts that are known to be of this kind, without their port. */
  readonly hosts?: RegExp;
  /** Up to here a blob goes with the closing PUT, larger ones by one streamed PATCH before it. Bytes. */
  readonly monolithicBytes: number;
  /** Whether linking a blob from another repository is worth a try. */
  readonly mounts: boolean;
  /** Whether an upload that turned out not to be needed may be cancelled by who may push. */
  readonly cancelsUploads: boolean;
  /** Whether a blob or child that was just pushed may be unknown for a moment: the manifest is put again. */
  readonly lags: boolean;
  /** Which repositories can be listed. */
  readonly catalog: 'all' | 'of a namespace' | 'none';
  /** Which list says the digests of all tags of a repository. */
  readonly bulk?: 'acr' | 'docker-hub' | 'google' | 'zot';
  /** Whether a token may be for all repositories at once. */
  readonly wildcardScopes: boolean;
  /** How many parts a repository's path has. */
  readonly parts: { readonly least: number; readonly most: number };
  /** Requests per minute that hosts are known to take. Where nothing is said, 429 and latency say it. */
  readonly budgets: Readonly<Record<string, number>>;
  /** What to do about a repository that is not there; absent: a push makes it. */
  readonly creation?: string;
  readonly deletion: DeletionRules;
}

/** How a registry deletes. */
export interface DeletionRules {
  /** A tag alone: by the protocol (not every registry does, which it then says), by an API of its own, or not at all. */
  readonly tags: 'protocol' | 'acr' | 'docker-hub' | 'none';
  /** A manifest by its digest: with the tags that it has, only once it has none, or not at all. */
  readonly manifests: 'with tags' | 'without tags' | 'never';
  /** What people can do where we can do nothing. */
  readonly instead?: string;
}

const MIB = 1024 * 1024;

/** What every registry takes. Source: OCI Distribution 1.1, «Pushing Blobs». */
const GENERIC: RegistryProfile = {
  kind: 'generic',
  title: 'the registry',
  monolithicBytes: 4 * MIB,
  mounts: true,
  cancelsUploads: true,
  lags: false,
  catalog: 'all',
  wildcardScopes: false,
  parts: { least: 1, most: Infinity },
  budgets: {},
  deletion: { tags: 'protocol', manifests: 'with tags' },
};

const PROFILES: readonly RegistryProfile[] = [
  {
    ...GENERIC,
    kind: 'acr',
    title: 'Azure Container Registry',
    hosts: /^[a-z0-9-]+(?:\.[a-z0-9-]+\.geo)?\.azurecr\.(?:io|cn|us)$/,
    // A closing PUT of more than about 20 MB is a 413: https://github.com/goharbor/harbor/issues/23015
    monolithicBytes: 4 * MIB,
    // DELETE of an upload wants the permission to delete: recordings of azure-sdk-for-go, CancelUpload.
    cancelsUploads: false,
    // Replicas: https://learn.microsoft.com/azure/container-registry/container-registry-geo-replication
    lags: true,
    bulk: 'acr',
    // Not where roles are granted per repository (ABAC): acr-cli, buildAbacScope.
    wildcardScopes: true,
    deletion: { tags: 'acr', manifests: 'with tags' },
  },
  {
    ...GENERIC,
    kind: 'docker-hub',
    title: 'Docker Hub',
    hosts: /^docker\.io$/,
    // https://docs.docker.com/docker-hub/repos/create/
    catalog: 'of a namespace',
    bulk: 'docker-hub',
    parts: { least: 2, most: 2 },
    // https://docs.docker.com/reference/api/hub/latest/#tag/rate-limiting
    budgets: { 'hub.docker.com': 180 },
    // The registry answers UNSUPPORTED: https://github.com/distribution/distribution/issues/1831
    deletion: { tags: 'docker-hub', manifests: 'never' },
  },
  {
    ...GENERIC,
    kind: 'ghcr',
    title: 'GitHub',
    hosts: /^ghcr\.io$/,
    // https://github.com/oras-project/oras/issues/621
    catalog: 'none',
    parts: { least: 2, most: Infinity },
    // As others found: https://github.com/clowdhaus/ocync, registries/ghcr.
    budgets: { 'ghcr.io': 2000 },
    // https://docs.github.com/en/rest/packages/packages#delete-package-version-for-an-organization
    deletion: {
      tags: 'none',
      manifests: 'never',
      instead: 'gh api --method DELETE /orgs/ORG/packages/container/NAME/versions/ID',
    },
  },
  {
    ...GENERIC,
    kind: 'ecr',
    title: 'Amazon ECR',
    hosts: /^(?:\d{12}\.dkr[.-]ecr[.-].+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)|public\.ecr\.aws)$/,
    // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html has one.
    catalog: 'none',
    // https://github.com/aws/containers-roadmap/issues/1970
    creation:
      'Amazon ECR makes a repository at its first push only where a creation template says so: aws ecr create-repository --repository-name NAME',
  },
  {
    ...GENERIC,
    kind: 'google',
    title: 'Google',
    hosts: /^(?:(?:[a-z]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)$/,
    // As others found: https://github.com/clowdhaus/ocync, registries/gar.
    mounts: false,
    bulk: 'google',
    parts: { least: 2, most: Infinity },
    // GOOGLE_MANIFEST_DANGLING_TAG: https://github.com/genuinetools/reg/issues/136
    deletion: { tags: 'protocol', manifests: 'without tags' },
    creation:
      'Artifact Registry wants its repository (the second or third part of the path) made beforehand: gcloud artifacts repositories create NAME --repository-format=docker',
  },
  {
    ...GENERIC,
    kind: 'gitlab',
    title: 'GitLab',
    hosts: /^registry\.gitlab\.com$/,
    // Only administrators: https://github.com/swarmpit/swarmpit/issues/341
    catalog: 'none',
    parts: { least: 2, most: Infinity },
    // https://docs.gitlab.com/user/packages/container_registry/#naming-convention-for-your-container-images
    creation:
      'a path at GitLab is GROUP/PROJECT and at most two further parts, and the project has to be there',
  },
  {
    ...GENERIC,
    kind: 'harbor',
    title: 'Harbor',
    // https://goharbor.io/docs/latest/working-with-projects/create-projects/
    parts: { least: 2, most: Infinity },
    creation: 'Harbor wants the project (the first part of the path) made beforehand',
    // By a tag it refuses, and 2.0 deleted the image: https://github.com/goharbor/harbor/pull/11971
    deletion: { tags: 'none', manifests: 'with tags' },
  },
  {
    ...GENERIC,
    kind: 'quay',
    title: 'Quay',
    hosts: /^quay\.io$/,
    // https://docs.quay.io/guides/create-repo.html
    parts: { least: 2, most: Infinity },
  },
  // https://zotregistry.dev/latest/articles/graphql/
  {
    ...GENERIC,
    kind: 'zot',
    title: 'zot',
    bulk: 'zot',
    // A digest under several tags is a conflict: zot, pkg/storage/imagestore, ErrManifestConflict.
    deletion: { tags: 'protocol', manifests: 'without tags' },
  },
  // Some versions take no PUT with the blob in it: https://github.com/moby/buildkit/issues/1130
  { ...GENERIC, kind: 'artifactory', title: 'Artifactory', monolithicBytes: 0 },
  // https://distribution.github.io/distribution/: what all the others are measured by.
  { ...GENERIC, kind: 'distribution', title: 'distribution' },
  GENERIC,
];

/** What is known of a registry: by its kind where that is said, else by its host. */
export function profileOf(registry: string, kind?: RegistryKind): RegistryProfile {
  const host = registry.replace(/:\d+$/, '');
  const known = PROFILES.find((profile) =>
    kind === undefined ? profile.hosts?.test(host) : profile.kind === kind,
  );
  return known ?? GENERIC;
}

/** The host that answers for a registry's name. */
export function hostOf(registry: string): string {
  return registry === DOCKER_HUB ? 'registry-1.docker.io' : registry;
}
