/** Runs one command line with one of the two programs and notes what it did. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Case, Outcome } from './case.ts';
import { fileTree, registryTree } from './tree.ts';
import type { World } from './world.ts';

export type Program = 'skopeo' | 'ours';

// From build/test/integration/skopeo-table/side.js.
const MAIN = fileURLToPath(new URL('../../../../dist/main.js', import.meta.url));
const COMMANDS: Readonly<Record<Program, readonly [string, ...string[]]>> = {
  skopeo: ['skopeo'],
  ours: [process.execPath, MAIN],
};
const TIMEOUT_MS = 30_000;
/** Letters of the same number, so that both sides write lines of the same length. */
const SIDES: Readonly<Record<Program, string>> = { skopeo: 'a', ours: 'b' };
/** Settings, and what programs may keep as they like. */
const OWN = /^home\/(\.config\/containers\/|\.local\/)/;

interface Place {
  readonly root: string;
  readonly work: string;
  readonly repositories: string;
  readonly names: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a line of the table. `id` is its own. */
export async function runSide(
  world: World,
  program: Program,
  test: Case,
  id: string,
): Promise<Outcome> {
  const place = await makePlace(world, test, `${id}${SIDES[program]}`);
  for (const [path, content] of Object.entries(test.files ?? {})) {
    const file = join(place.work, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, world.fill(content, place.names));
  }
  for (const line of test.before ?? []) {
    const done = await run(COMMANDS.skopeo, wordsOf(world, line, place), place, '');
    if (done.code !== 0) throw new Error(`before: ${line}: ${done.stderr}`);
  }
  const words = wordsOf(world, test.line, place);
  const ended = await run(
    COMMANDS[program],
    words,
    place,
    world.fill(test.stdin ?? '', place.names),
  );
  return {
    code: ended.code,
    stdout: neutral(ended.stdout, place),
    stderr: neutral(ended.stderr, place),
    left: await whatIsLeft(world, place, test),
  };
}

async function makePlace(world: World, test: Case, name: string): Promise<Place> {
  const root = join(world.runs, name);
  const work = join(root, 'work');
  for (const path of ['work', 'home/.config/containers', 'run', 'tmp']) {
    await mkdir(join(root, path), { recursive: true });
  }
  await writeFile(
    join(root, 'home/.config/containers/policy.json'),
    '{"default":[{"type":"insecureAcceptAnything"}]}',
  );
  const names = { ns: world.fill(`{reg}/${name}`), path: name, work };
  const own = Object.entries(test.env ?? {});
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: join(root, 'home'),
    XDG_RUNTIME_DIR: join(root, 'run'),
    TMPDIR: join(root, 'tmp'),
    ...Object.fromEntries(own.map(([key, value]) => [key, world.fill(value, names)])),
  };
  return { root, work, repositories: name, names, env };
}

const SHORT: Readonly<Record<string, string>> = {
  '-S': '--src-tls-verify=false',
  '-D': '--dest-tls-verify=false',
  '-T': '--tls-verify=false',
};

/** Words as a shell would make them. */
function wordsOf(world: World, line: string, place: Place): string[] {
  const words = line.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  return words.map((word) => {
    const plain = word.replaceAll("'", '');
    return SHORT[plain] ?? world.fill(plain, place.names);
  });
}

async function run(
  command: readonly [string, ...string[]],
  words: readonly string[],
  { work, env }: Place,
  stdin: string,
): Promise<Omit<Outcome, 'left'>> {
  const child = spawn(command[0], [...command.slice(1), ...words], { cwd: work, env });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  }
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(stdin);
  const timeout = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timeout);
  return { code: code ?? -1, ...output };
}

/** Without what differs from side to side. */
function neutral(text: string, { root, repositories }: Place): string {
  return text.replaceAll(root, 'ROOT').replaceAll(`/${repositories}`, '/NS');
}

async function whatIsLeft(
  world: World,
  { root, repositories }: Place,
  test: Case,
): Promise<Outcome['left']> {
  const files = await fileTree(root);
  const pushed = await registryTree(world.registry.storage, repositories, test.left === 'unpacked');
  const kept = [...files, ...pushed].filter(([name]) => !OWN.test(name));
  return new Map(kept.map(([name, bytes]) => [name.replace(/^work\/(?=.)/, ''), bytes]));
}
