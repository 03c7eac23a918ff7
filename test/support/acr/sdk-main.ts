/**
 * What Azure's own client sees of a registry, written to stdout as JSON. Run in a process of its own,
 * because whom it trusts and which proxy it uses are settings of the process.
 */
import { ContainerRegistryClient } from '@azure/container-registry';
import {
  EnvironmentCredential,
  WorkloadIdentityCredential,
  type TokenCredential,
} from '@azure/identity';

export interface SdkTask {
  /** `https://gsoci.azurecr.io`. */
  readonly endpoint: string;
  /** A token to show as it is, or where to get one from; nothing when anonymous. */
  readonly credential: { readonly token: string } | 'environment' | 'workload' | 'anonymous';
  /** Instead of containerregistry.azure.net. */
  readonly audience?: string;
  readonly repository: string;
  readonly maxPageSize: number;
}

export interface SdkFindings {
  readonly repositories: string[];
  /** By page. */
  readonly tags: { name: string; digest: string; lastUpdatedOn: string }[][];
  /** After each page of tags that isn't the last. */
  readonly continuationTokens: string[];
  /** Tags after the first page, when continued by another client. */
  readonly continued: string[];
  readonly manifests: { digest: string; tags: string[]; sizeInBytes: number | undefined }[];
  readonly tagCount: number;
  readonly related: number;
  /** Paths of the requests that `onResponse` was told of, in order. */
  readonly told: string[];
}

async function main(): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? '{}') as SdkTask;
  process.stdout.write(JSON.stringify(await explore(task)));
}

async function explore(task: SdkTask): Promise<SdkFindings> {
  const { repository, maxPageSize } = task;
  const client = clientFor(task);
  const told: string[] = [];
  const onResponse = (raw: { request: { method: string; url: string } }): void => {
    told.push(`${raw.request.method} ${new URL(raw.request.url).pathname}`);
  };
  const repositories: string[] = [];
  for await (const name of client.listRepositoryNames({ onResponse })) repositories.push(name);

  const tags: SdkFindings['tags'] = [];
  const continuationTokens: SdkFindings['continuationTokens'] = [];
  const artifact = client.getArtifact(repository, 'latest');
  for await (const page of artifact.listTagProperties().byPage({ maxPageSize })) {
    const { continuationToken } = page as { continuationToken?: string }; // its type keeps quiet
    if (continuationToken !== undefined) continuationTokens.push(continuationToken);
    tags.push(
      page.map(({ name, digest, lastUpdatedOn }) => ({
        name,
        digest,
        lastUpdatedOn: lastUpdatedOn.toISOString(),
      })),
    );
  }
  const manifests: SdkFindings['manifests'] = [];
  for await (const manifest of client.getRepository(repository).listManifestProperties()) {
    const { digest, sizeInBytes } = manifest;
    manifests.push({ digest, sizeInBytes, tags: manifest.tags });
  }
  const { tagCount } = await client.getRepository(repository).getProperties();
  const { relatedArtifacts } = await artifact.getManifestProperties();
  const continued = await continueFrom(task, continuationTokens[0]);
  const related = relatedArtifacts.length;
  return { repositories, tags, continuationTokens, continued, manifests, tagCount, related, told };
}

async function continueFrom(task: SdkTask, continuationToken?: string): Promise<string[]> {
  if (continuationToken === undefined) return [];
  const artifact = clientFor(task).getArtifact(task.repository, 'latest');
  const names: string[] = [];
  for await (const page of artifact.listTagProperties().byPage({ continuationToken })) {
    names.push(...page.map(({ name }) => name));
  }
  return names;
}

function clientFor({ endpoint, credential, audience }: SdkTask): ContainerRegistryClient {
  const options = audience === undefined ? {} : { audience };
  if (credential === 'anonymous') return new ContainerRegistryClient(endpoint, options);
  return new ContainerRegistryClient(endpoint, credentialOf(credential), options);
}

function credentialOf(credential: Exclude<SdkTask['credential'], 'anonymous'>): TokenCredential {
  if (credential === 'environment') return new EnvironmentCredential();
  if (credential === 'workload') return new WorkloadIdentityCredential();
  const { token } = credential;
  return { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
}

await main();
