/**
 * What the types of kubernetes-models say of manifests (fields that there are not, values of another
 * type), and what its validation says (values that are not allowed, fields that are missing).
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

import { CronJob } from 'kubernetes-models/batch/v1/CronJob';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';

import { run } from '../support/containers/programs.ts';
import { tempDir } from '../support/temp-dir.ts';
import type { Manifest } from './manifests.ts';

interface Validated {
  validate(): void;
}

const KINDS: Record<
  string,
  { readonly path: string; readonly model: new (data: never) => Validated }
> = {
  CronJob: { path: 'batch/v1', model: CronJob },
  Job: { path: 'batch/v1', model: Job },
  NetworkPolicy: { path: 'networking.k8s.io/v1', model: NetworkPolicy },
  PersistentVolumeClaim: { path: 'v1', model: PersistentVolumeClaim },
  ServiceAccount: { path: 'v1', model: ServiceAccount },
  ConfigMap: { path: 'v1', model: ConfigMap },
};

const COMPILER = join(
  createRequire(import.meta.url).resolve('typescript/package.json'),
  '..',
  'bin',
  'tsc',
);

/** What is wrong with the values of one; empty: nothing. */
export function invalidities(manifest: Manifest): string[] {
  const kind = KINDS[manifest.kind];
  if (kind === undefined) return [`kind ${manifest.kind} is not one of ours`];
  try {
    new kind.model(manifest as never).validate();
    return [];
  } catch (error) {
    return [`${manifest.kind}: ${(error as Error).message}`];
  }
}

/** What is wrong with the types of each, by its name; one run of the compiler for all. */
export async function typeErrors(
  manifests: ReadonlyMap<string, readonly Manifest[]>,
): Promise<Map<string, string[]>> {
  await using dir = await tempDir();
  symlinkSync(resolve('node_modules'), join(dir.path, 'node_modules'));
  mkdirSync(join(dir.path, 'src'));
  const names = [...manifests.keys()];
  for (const [n, name] of names.entries()) {
    writeFileSync(join(dir.path, 'src', `m${n}.ts`), asProgram(manifests.get(name) ?? []));
  }
  const compilerOptions = { strict: true, noEmit: true, skipLibCheck: true, types: [] };
  const modules = { module: 'nodenext', target: 'es2023' };
  const config = { compilerOptions: { ...compilerOptions, ...modules }, include: ['src'] };
  writeFileSync(join(dir.path, 'tsconfig.json'), JSON.stringify(config));
  const { stdout } = await run('node', [COMPILER, '-p', dir.path, '--pretty', 'false'], {
    cwd: dir.path,
  });
  return new Map(names.map((name, n) => [name, errorsIn(stdout, `src/m${n}.ts`)]));
}

/** As literals: of those the compiler refuses fields that it does not know. */
function asProgram(manifests: readonly Manifest[]): string {
  return manifests
    .map((manifest, n) => {
      const path = KINDS[manifest.kind]?.path ?? 'unknown';
      const from = JSON.stringify(`kubernetes-models/${path}/${manifest.kind}`);
      const type = `import(${from}, { with: { "resolution-mode": "require" } }).I${manifest.kind}`;
      return `export const m${n}: ${type} = ${JSON.stringify(manifest, undefined, 1)};\n`;
    })
    .join('');
}

function errorsIn(stdout: string, file: string): string[] {
  return stdout.split('\n').filter((line) => line.startsWith(`${file}(`));
}
