/**
 * Holds the source tree to its plan: who may import whom, which folder may use which package, how
 * long a file may be. A rule that fails here is changed here, in the same commit, or obeyed.
 */
import { deepEqual } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { it } from 'node:test';

/** Folders of src, lowest floor first. A file imports from its own folder and from lower floors. */
const FLOORS = [
  ['base'],
  ['image'],
  ['files', 'http', 'tar'],
  ['registry'],
  ['azure', 'store'],
  ['copy'],
  ['sync'],
  ['audit', 'observe', 'report'],
  ['cli'],
];

/** The folders that may import each package. */
const PACKAGES: Record<string, string[]> = {
  undici: ['http'],
  'lru-cache': ['audit', 'registry', 'cli'],
  'tar-stream': ['tar'],
  fzstd: ['copy', 'tar'],
  yaml: ['sync'],
  'smol-toml': ['registry'],
  '@azure/identity': ['azure'],
  '@azure/container-registry': ['azure'],
  '@azure/core-auth': ['azure'],
  '@azure/core-rest-pipeline': ['azure'],
  pino: ['base'],
  'pino-pretty': ['base'],
  semver: ['sync'],
  'csv-parse': ['sync'],
  'csv-stringify': ['sync'],
  '@tanstack/table-core': ['report'],
  yargs: ['cli'],
  'cli-progress': ['cli'],
  'prom-client': ['observe'],
  'p-limit': ['copy', 'cli'],
};

const MAX_LINES = 300;
const SRC = new URL('../../../src/', import.meta.url).pathname;

interface Module {
  readonly path: string; // from src
  readonly text: string;
  readonly imports: readonly string[];
}

function readModules(): Module[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readFileSync(join(SRC, path), 'utf8');
      const imports = [
        ...text.matchAll(/(?<=[\s}(]|^)(?:from|import|import\()\s*'([^'\n]+)'/gm),
      ].map((m) => m[1] ?? '');
      return { path, text, imports };
    });
}

const folderOf = (path: string): string =>
  path.includes('/') ? path.slice(0, path.indexOf('/')) : 'main';
const floorOf = (folder: string): number =>
  folder === 'main' ? FLOORS.length : FLOORS.findIndex((floor) => floor.includes(folder));

function upwardImports({ path, imports }: Module): string[] {
  const folder = folderOf(path);
  return imports
    .filter((name) => name.startsWith('.'))
    .map((name) => relative('.', normalize(join(dirname(path), name))))
    .filter((to) => folderOf(to) !== folder && floorOf(folderOf(to)) >= floorOf(folder))
    .map((to) => `${path} imports ${to}`);
}

function strayPackages({ path, imports }: Module): string[] {
  return imports
    .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
    .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'))
    .filter((name) => !PACKAGES[name]?.includes(folderOf(path)))
    .map((name) => `${path} imports ${name}`);
}

const modules = readModules();

it('imports only go down', () => deepEqual(modules.flatMap(upwardImports), []));
it('each package has its folder', () => deepEqual(modules.flatMap(strayPackages), []));
it('what speaks to Azure is loaded when it is needed, as it takes longer than all the rest', () => {
  const early = modules
    .filter(({ path }) => folderOf(path) !== 'azure')
    .flatMap(({ path, text }) =>
      [...text.matchAll(/^(?:import|export) (?!type\b)[^;]*from '[^']*\/azure\/[^']+'/gm)].map(
        ([statement]) => `${path}: ${statement}`,
      ),
    );
  deepEqual(early, []);
});
it('every folder has its floor', () => {
  deepEqual(
    modules.map((m) => folderOf(m.path)).filter((folder) => floorOf(folder) < 0),
    [],
  );
});
it(`no file is longer than ${MAX_LINES} lines`, () => {
  deepEqual(
    modules.filter((m) => m.text.split('\n').length > MAX_LINES).map((m) => m.path),
    [],
  );
});
it('every file says at its top what it is for', () => {
  deepEqual(
    modules.filter((m) => !/^(?:#!.*\n)?\/\*\*/.test(m.text)).map((m) => m.path),
    [],
  );
});
