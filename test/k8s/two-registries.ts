/** Two real registries on this machine, in the place of those of the manifests, and pods between them. */
import { equal } from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';

import {
  REGISTRY_LOGIN,
  startDockerRegistry,
  type DockerRegistry,
} from '../support/docker-registry.ts';
import { fleet, type FleetTag } from '../support/fleet.ts';
import { push } from '../support/push.ts';
import { rawDigest } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import {
  asCronJob,
  cronJobOf,
  manifestsOf,
  manifestsWith,
  type ICronJob,
  type Manifest,
} from './manifests.ts';
import { play, type Played } from './play.ts';

export const NAMESPACE = 'giantswarm'; // as the manifests have it
/** What the source has. */
export const TAGS = fleet(9, 2, NAMESPACE);
export const ACCESS: readonly string[] = [
  '--tls-verify=false',
  '--creds',
  `${REGISTRY_LOGIN.user}:${REGISTRY_LOGIN.password}`,
];
export const SECRETS = {
  'registry-sync': {
    'source-username': 'nobody',
    'source-password': 'asks for it',
    'target-username': REGISTRY_LOGIN.user,
    'target-password': REGISTRY_LOGIN.password,
  },
};

/** What every test has: a target and a directory of its own. */
export class Scene {
  home!: TempDir;
  source!: DockerRegistry;
  target!: DockerRegistry;

  run(job: ICronJob, name: string, more: object = {}): Promise<Played> {
    const rewrite = (word: string): string => this.rewrite(word);
    const options = { name, job: name, objects: SECRETS, rewrite, directory: this.home.path };
    return play(job, { ...options, ...more });
  }

  async expectCopied(tags: readonly FleetTag[]): Promise<void> {
    for (const { repository, tag, image } of tags) {
      const digest = await rawDigest(`docker://${this.target.host}/${repository}:${tag}`, ACCESS);
      equal(digest, image.root.digest, `${repository}:${tag}`);
    }
  }

  /** Real registries' names become those of this machine's. */
  rewrite(word: string): string {
    return word
      .replace(/^--(source-)?registry-name=gsoci$/, `--$1registry=${this.source.host}`)
      .replace(/^--target-registry-name=docker\.io$/, `--target-registry=${this.target.host}`);
  }
}

/** For the tests of the file that calls it. */
export function useRegistries(): Scene {
  const scene = new Scene();
  before(async () => {
    scene.source = await startDockerRegistry();
    for (const { repository, tag, image } of TAGS) {
      await push(scene.source.origin, repository, tag, image);
    }
  });
  after(() => scene.source.stop());
  beforeEach(async () => {
    scene.home = await tempDir();
    scene.target = await startDockerRegistry({ htpasswd: true, deleteEnabled: true });
  });
  afterEach(async () => {
    await scene.target.stop();
    await scene.home[Symbol.asyncDispose]();
  });
  return scene;
}

export async function cronJob(directory: string): Promise<ICronJob> {
  return cronJobOf(await manifestsOf(directory));
}

/** A Job that is started by hand, with those variables. */
export async function jobIn(
  name: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<ICronJob> {
  const [job] = await manifestsWith(join('k8s', 'jobs', `${name}.yaml`), variables);
  return asCronJob(job as Manifest);
}

/** The ends of a pod's containers, as `crawl 0, sync 3, report -`. */
export function endsOf({ containers }: Played): string {
  return Object.entries(containers)
    .map(([name, { code }]) => `${name} ${code ?? '-'}`)
    .join(', ');
}

/** For the messages of assertions. */
export function allOf(played: Played): string {
  return JSON.stringify(played.containers, undefined, 1);
}

/** Those of a CSV, without the header. */
export async function rowsOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).trimEnd().split('\r\n').slice(1);
}

/** Hides a layer that only this image has: the tag is there, its blob is not. Gives it back when called. */
export async function hideLayer(
  { storage }: DockerRegistry,
  { image }: FleetTag,
): Promise<() => Promise<void>> {
  const hex = image.blobs.at(-1)?.digest.replace('sha256:', '') ?? '';
  const blobs = join(storage, 'docker', 'registry', 'v2', 'blobs', 'sha256');
  const file = join(blobs, hex.slice(0, 2), hex, 'data');
  await rename(file, `${file}.hidden`);
  return () => rename(`${file}.hidden`, file);
}
