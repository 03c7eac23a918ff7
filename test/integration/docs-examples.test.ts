/** The command lines of our pages, in their order, as they are written: each does what it says. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startDocumentedWorld, type DocumentedWorld } from '../support/documented-world.ts';
import { tempDir } from '../support/temp-dir.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Pages whose lines are shown elsewhere, and by which test. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'docs/commands/login.md':
    'integration/login: it asks at a terminal, and registries have accounts',
  'docs/commands/logout.md': 'integration/login',
};

/** What a page takes for granted: files that are there when its first line runs. */
const FILES: Readonly<Record<string, string>> = {
  'repositories.txt': 'acme/web\nacme/team/api\n',
  'sync.yml': 'registry.example.com:\n  images:\n    team/web: ["1.0"]\n',
};

interface Example {
  readonly line: string;
  /** As a comment behind it says; 0 unless it does. */
  readonly code: number;
}

/** Lines in blocks of shell that call the program; continued lines are one. */
function examplesIn(page: string): Example[] {
  const blocks = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.replaceAll(/\\\n\s*/g, ' ').split('\n'))
    .filter((line) => /^(?:node dist\/main\.js|registry-sync) /.test(line) && !line.includes('…'))
    .map((line) => ({ line, code: Number(/# exit code (\d+)/.exec(line)?.[1] ?? 0) }));
}

const pages = await readPages();

async function readPages(): Promise<Map<string, Example[]>> {
  const names = await readdir(join(ROOT, 'docs'), { recursive: true });
  const paths = [
    'README.md',
    ...names.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
  ];
  const found = new Map<string, Example[]>();
  for (const path of paths.toSorted()) {
    const examples = examplesIn(await readFile(join(ROOT, path), 'utf8'));
    if (examples.length > 0) found.set(path, examples);
  }
  return found;
}

let world: DocumentedWorld;
before(async () => {
  world = await startDocumentedWorld();
});
after(() => world[Symbol.asyncDispose]());

/** Paths that a reader has, here in the page's own directory. */
function withOwnPaths(line: string, home: string): string {
  return line.replaceAll(/(?<=[ =])\/(data|media|runs)\b/g, `${home}/$1`);
}

async function runLine(line: string, home: string) {
  const env = { PATH: `${join(home, 'bin')}:${process.env['PATH']}`, HOME: home, ...world.env };
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', line], { cwd: home, env });
  child.stdin.end();
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'close')) as [number];
  return { code, output: `${await stdout}${await stderr}` };
}

for (const [path, examples] of pages) {
  if (path in ELSEWHERE) continue;
  describe(path, () => {
    it(`works as it is written (${examples.length} lines)`, async () => {
      await using dir = await tempDir();
      await symlink(join(ROOT, 'dist'), join(dir.path, 'dist'));
      await symlink(join(ROOT, 'package.json'), join(dir.path, 'package.json'));
      await mkdir(join(dir.path, 'bin'));
      const program = `#!/bin/sh\nexec node ${join(ROOT, 'dist/main.js')} "$@"\n`;
      await writeFile(join(dir.path, 'bin/registry-sync'), program, { mode: 0o755 });
      for (const [name, content] of Object.entries(FILES)) {
        await writeFile(join(dir.path, name), content);
      }
      if (path !== 'README.md') await putTags(dir.path);
      for (const { line, code: expected } of examples) {
        const { code, output } = await runLine(withOwnPaths(line, dir.path), dir.path);
        equal(code, expected, `${line}\n${output}`);
      }
    });
  });
}

/** tags.csv as the page before left it. */
async function putTags(home: string): Promise<void> {
  const line = 'registry-sync crawl --registry a.example.com --namespace acme --quiet';
  const { code, output } = await runLine(line, home);
  equal(code, 0, output);
}

it('every command has a page, and every page of a command an example', async () => {
  const { output } = await runLine(`node ${join(ROOT, 'dist/main.js')} --help`, ROOT);
  const commands = [...output.matchAll(/^ {2}registry-sync ([a-z-]+)/gm)].map(([, name]) => name);
  ok(commands.length > 8, output);
  deepEqual(
    commands.filter((name) => !pages.has(`docs/commands/${name}.md`)),
    [],
  );
});
