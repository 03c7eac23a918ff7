/**
 * `sync --src` by skopeo and by us: the same command line leaves the same content and the same exit
 * code. What only we have is compared with what is expected.
 */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli, type CliResult } from '../support/cli.ts';
import {
  REGISTRY_LOGIN,
  startDockerRegistry,
  type DockerRegistry,
} from '../support/docker-registry.ts';
import { image, index } from '../support/images.ts';
import { push } from '../support/push.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const LOGIN = `${REGISTRY_LOGIN.user}:${REGISTRY_LOGIN.password}`;
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };
const ONE = image({ seed: 'one' });
const DOCKER = image({ seed: 'docker', mediaTypes: 'docker' });
const MANY = index([
  { image: image({ seed: 'amd', platform: AMD64 }), platform: AMD64 },
  { image: image({ seed: 'arm', platform: ARM64 }), platform: ARM64 },
]);

let dir: TempDir;
let source: DockerRegistry;
let locked: DockerRegistry;
/** Where skopeo writes, and where we do. */
let theirs: DockerRegistry;
let ours: DockerRegistry;

before(async () => {
  dir = await tempDir();
  [source, theirs, ours, locked] = await Promise.all([
    startDockerRegistry(),
    startDockerRegistry(),
    startDockerRegistry(),
    startDockerRegistry({ htpasswd: true }),
  ]);
  await push(source.origin, 'a/b/web', '1.0', ONE);
  await push(source.origin, 'a/b/web', '1.1-rc.1', DOCKER);
  await push(source.origin, 'a/b/web', 'latest', MANY);
  await push(source.origin, 'x/web', '1.0', image({ seed: 'other' }));
  await push(source.origin, 'x/api', '2.10', image({ seed: 'api' }));
});
after(async () => {
  await Promise.all([source, theirs, ours, locked].map((registry) => registry.stop()));
  await dir[Symbol.asyncDispose]();
});

const INSECURE = ['--src-tls-verify=false', '--dest-tls-verify=false'];

interface Ended {
  readonly code: number | undefined;
  readonly stderr: string;
}

async function bySkopeo(args: readonly string[]): Promise<Ended> {
  const env = { PATH: process.env['PATH'], HOME: dir.path, XDG_RUNTIME_DIR: dir.path };
  return new Promise((resolve) => {
    const child = execFile('skopeo', ['--insecure-policy', ...args], { env }, (_, __, stderr) =>
      resolve({ code: child.exitCode ?? undefined, stderr }),
    );
  });
}

/** `repository:tag digest` of all that a registry holds. */
async function contentOf({ origin }: DockerRegistry): Promise<string[]> {
  const { repositories } = (await (await fetch(`${origin}/v2/_catalog`)).json()) as {
    repositories: string[];
  };
  const rows = repositories.map(async (repository) => {
    const answer = await fetch(`${origin}/v2/${repository}/tags/list`);
    const { tags } = (await answer.json()) as { tags: string[] | null };
    return Promise.all((tags ?? []).map((tag) => rowOf(`${origin}/v2/${repository}`, tag)));
  });
  return (await Promise.all(rows)).flat().toSorted();
}

async function rowOf(base: string, tag: string): Promise<string> {
  const headers = { accept: [ONE, DOCKER, MANY].map(({ root }) => root.mediaType).join(', ') };
  const answer = await fetch(`${base}/manifests/${tag}`, { method: 'HEAD', headers });
  return `${base.replace(/^.*\/v2\//, '')}:${tag} ${answer.headers.get('docker-content-digest')}`;
}

/** `path sha256` of every file under `root`. */
async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const rows = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    const hash = createHash('sha256').update(await readFile(path));
    return `${relative(root, path)} ${hash.digest('hex')}`;
  });
  const sorted = (await Promise.all(rows)).toSorted();
  ok(sorted.length > 0);
  return sorted;
}

function oursUnder(path: string, content: readonly string[]): string[] {
  return content.filter((row) => row.startsWith(`${path}/`));
}

/** Puts hosts and files in the place of SRC, TO and YAML. */
function filled(words: readonly string[], to: DockerRegistry, yaml: string): string[] {
  return words.map((word) =>
    word.replace('SRC', source.host).replace('TO', to.host).replace('YAML', yaml),
  );
}

interface Case {
  readonly args: readonly string[];
  readonly yaml?: string;
  readonly code: 0 | 1;
  /** Content differs because we work on several images at a time, or refuse beforehand. */
  readonly codeOnly?: true;
}

const DOCKERS = ['--src', 'docker', '--dest', 'docker'];
const YAMLS = ['--src', 'yaml', '--dest', 'docker', 'YAML'];

/** Each destination is its own: `TO/tN`. */
const CASES: Record<string, Case> = {
  'all tags of a repository': { args: [...DOCKERS, 'SRC/a/b/web', 'TO/t1'], code: 0 },
  'short options': { args: ['-s', 'docker', '-d', 'docker', 'SRC/a/b/web:1.0', 'TO/t2'], code: 0 },
  'one tag': { args: [...DOCKERS, 'SRC/a/b/web:1.0', 'TO/t3'], code: 0 },
  'one digest': { args: [...DOCKERS, `SRC/a/b/web@${ONE.root.digest}`, 'TO/t4'], code: 0 },
  'a tag and a digest': {
    args: [...DOCKERS, `SRC/a/b/web:1.0@${ONE.root.digest}`, 'TO/t5'],
    code: 1,
  },
  'indexes whole': { args: [...DOCKERS, '--all', 'SRC/a/b/web', 'TO/t6'], code: 0 },
  'indexes whole, digests kept': {
    args: [...DOCKERS, '-a', '--preserve-digests', 'SRC/a/b/web', 'TO/t7'],
    code: 0,
  },
  'without signatures': {
    args: [...DOCKERS, '--remove-signatures', 'SRC/x/api', 'TO/t8'],
    code: 0,
  },
  'a destination of several parts': { args: [...DOCKERS, 'SRC/x/api', 'TO/t9/deep/er'], code: 0 },
  'a destination with slashes at its end': { args: [...DOCKERS, 'SRC/x/api', 'TO/t10//'], code: 0 },
  'a dry run': { args: [...DOCKERS, '--dry-run', 'SRC/a/b/web', 'TO/t11'], code: 0 },
  'a tag that is not there': { args: [...DOCKERS, 'SRC/a/b/web:gone', 'TO/t12'], code: 1 },
  'a tag that is not there, going on': {
    args: [...DOCKERS, '--keep-going', 'SRC/a/b/web:gone', 'TO/t13'],
    code: 1,
  },
  'a repository that is not there': { args: [...DOCKERS, 'SRC/a/gone', 'TO/t14'], code: 1 },
  'a name that is none': { args: [...DOCKERS, 'SRC/A/B', 'TO/t15'], code: 1 },
  'no source transport': { args: ['--dest', 'docker', 'SRC/a/b/web', 'TO/t16'], code: 1 },
  'a source transport that is none': {
    args: ['--src', 'oci', '--dest', 'docker', 'SRC/a/b/web', 'TO/t17'],
    code: 1,
  },
  'a directory that is not there': {
    args: ['--src', 'dir', '--dest', 'docker', '/nonexistent', 'TO/t18'],
    code: 1,
  },
  'a file of tags, digests and regexes': {
    args: [...YAMLS, 'TO/t20'],
    yaml: `SRC:
  tls-verify: false
  images:
    x/api: []
    a/b/web:
      - "1.0"
      - ${ONE.root.digest}
  images-by-tag-regex:
    a/b/web: ^1.*rc
`,
    code: 0,
  },
  'a file whose regex matches nothing': {
    args: [...YAMLS, 'TO/t21'],
    yaml: 'SRC:\n  tls-verify: false\n  images-by-tag-regex:\n    a/b/web: ^9\n',
    code: 0,
  },
  'a file without images': { args: [...YAMLS, 'TO/t22'], yaml: 'SRC:\n', code: 0 },
  'a file with a failure, going on': {
    args: [...YAMLS, 'TO/t23', '--keep-going'],
    yaml: 'SRC:\n  tls-verify: false\n  images:\n    a/b/web: ["1.0", gone, 1.1-rc.1]\n',
    code: 1,
  },
  'a file with a failure': {
    args: [...YAMLS, 'TO/t24'],
    yaml: 'SRC:\n  tls-verify: false\n  images:\n    a/b/web: [gone, "1.0"]\n',
    code: 1,
    codeOnly: true,
  },
  'a number as a tag': {
    args: [...YAMLS, 'TO/t25'],
    yaml: 'SRC:\n  tls-verify: false\n  images:\n    x/api: [2.10]\n',
    code: 0,
  },
  "document 003's file, which is no list of registries": {
    args: [...YAMLS, 'TO/t26'],
    yaml: 'nginx:\n  - latest\nredis:\n  - alpine\n',
    code: 1,
  },
  'a file that is not there': { args: ['--src', 'yaml', '--dest', 'docker', '/no', 'TO'], code: 1 },
  "images that can't be signed yet": {
    args: [...DOCKERS, '--sign-by', 'nobody', 'SRC/x/api', 'TO/t27'],
    code: 1,
    codeOnly: true, // skopeo pushes first, and fails then
  },
};

describe('sync as skopeo', () => {
  for (const [what, { args, yaml, code, codeOnly }] of Object.entries(CASES)) {
    it(what, async () => {
      const file = join(dir.path, 'sync.yml');
      if (yaml !== undefined) await writeFile(file, yaml.replace('SRC', source.host));
      const line = ['sync', ...INSECURE, ...args];
      const [byThem, byUs] = [
        await bySkopeo(filled(line, theirs, file)),
        await runCli(filled(line, ours, file)),
      ];

      equal(byThem.code, code, byThem.stderr);
      equal(byUs.code, code, byUs.stderr);
      if (codeOnly !== true) deepEqual(await contentOf(ours), await contentOf(theirs));
    });
  }

  it('names directories as skopeo does, and makes none in a dry run', async () => {
    for (const more of [
      ['SRC/a/b/web'],
      ['--scoped', 'SRC/a/b/web:1.0'],
      ['--scoped', 'SRC/x/api'],
    ]) {
      const line = ['sync', ...INSECURE, '--src', 'docker', '--dest', 'dir', '--dry-run', ...more];
      const of = async (at: string, run: typeof bySkopeo): Promise<string[]> => {
        const { stderr } = await run([...filled(line, ours, ''), join(dir.path, at)]);
        const lines = stderr.matchAll(/ref (\d\/\d)"? from="?(\S+?)"? to="?(\S+?)"?$/gm);
        return [...lines].map(([, n, from, to]) => `${n} ${from} ${to?.replace(`/${at}/`, '/')}`);
      };
      const [byThem, byUs] = [await of(`t-${more.length}`, bySkopeo), await of('o', runCli)];

      ok(byUs.length > 0);
      deepEqual(byUs, byThem);
    }
    equal(await readFile(join(dir.path, 'o')).catch(({ code }) => code as string), 'ENOENT');
  });
});

function sync(...args: string[]): Promise<CliResult> {
  return runCli(['sync', ...args]);
}

describe('sync as skopeo, what newer ones have', () => {
  it('adds a suffix to tags, and writes digests', async () => {
    const file = join(dir.path, 'digests');
    const more = ['--append-suffix', '-mirror', '--digestfile', file, '--retry-delay', '10ms'];
    const { code, stderr } = await sync(
      ...DOCKERS,
      '-a',
      ...more,
      `${source.host}/a/b/web`,
      `${ours.host}/s1`,
    );

    equal(code, 0, stderr);
    match(stderr, /Synced 3 images from 1 sources/);
    deepEqual(oursUnder('s1', await contentOf(ours)), [
      `s1/web:1.0-mirror ${ONE.root.digest}`,
      `s1/web:1.1-rc.1-mirror ${DOCKER.root.digest}`,
      `s1/web:latest-mirror ${MANY.root.digest}`,
    ]);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    deepEqual(
      lines.toSorted(),
      [
        `${ONE.root.digest} docker://${ours.host}/s1/web:1.0-mirror`,
        `${DOCKER.root.digest} docker://${ours.host}/s1/web:1.1-rc.1-mirror`,
        `${MANY.root.digest} docker://${ours.host}/s1/web:latest-mirror`,
      ].toSorted(),
    );
  });

  it('knows versions, filters, and styles per repository', async () => {
    const file = join(dir.path, 'versions.yml');
    await writeFile(
      file,
      `"${source.host}":
  images:
    x/web: []
  images-by-semver:
    a/b/web: ">= 1.0, < 1.1"
    x/api: "^2"
  destination-path-style:
    a/b/web: flat
    x/api: scoped-without-registry
`,
    );
    const { code, stderr } = await sync(
      '-s',
      'yaml',
      '-d',
      'docker',
      '--exclude',
      '^9',
      file,
      `${ours.host}/s2`,
    );

    equal(code, 0, stderr);
    deepEqual(
      oursUnder('s2', await contentOf(ours)).map((row) => row.split(' ')[0]),
      ['s2/a-b-web:1.0', 's2/web:1.0', 's2/x/api:2.10'],
    );
  });
});

describe('sync as skopeo, what only we have', () => {
  it('copies from a directory to another, and overwrites nothing there', async () => {
    const [from, to] = [join(dir.path, 'from'), join(dir.path, 'to')];
    const repository = `${source.host}/a/b/web`;
    equal((await sync('-a', '-s', 'docker', '-d', 'dir', repository, from)).code, 0);
    const line = ['-a', '-s', 'dir', '-d', 'dir', from, to];
    const { code, stderr } = await sync(...line);

    equal(code, 0, stderr);
    deepEqual(await filesIn(to), await filesIn(from));
    const again = await sync(...line);
    equal(again.code, 1);
    match(again.stderr, /Refusing to overwrite destination directory ".*\/to\/web:1\.0"/);
    match((await sync('-s', 'dir', '-d', 'dir', from, from)).stderr, /Refusing to overwrite/);
  });

  it('obeys filters as document 000 has them', async () => {
    const { code } = await sync(
      ...DOCKERS,
      '--filter',
      '.*-rc',
      `${source.host}/a/b/web`,
      `${ours.host}/s3`,
    );

    equal(code, 0);
    deepEqual(oursUnder('s3', await contentOf(ours)), [`s3/web:1.1-rc.1 ${DOCKER.root.digest}`]);
  });

  it('scopes names by a registry with a port, which skopeo can not', async () => {
    const { code } = await sync(
      ...DOCKERS,
      '--scoped',
      `${source.host}/a/b/web:1.0`,
      `${ours.host}/s4`,
    );

    equal(code, 0);
    deepEqual(oursUnder('s4', await contentOf(ours)), [
      `s4/127.0.0.1/a/b/web:1.0 ${ONE.root.digest}`,
    ]);
  });
});

describe('sync as skopeo, when it can not', () => {
  it('refuses images that would become one, before it copies', async () => {
    const file = join(dir.path, 'both.yml');
    await writeFile(file, `"${source.host}":\n  images:\n    x/web: []\n    a/b/web: ["1.0"]\n`);
    const { code, stderr } = await sync('-s', 'yaml', '-d', 'docker', file, `${ours.host}/f1`);

    equal(code, 1);
    match(
      stderr,
      /\/x\/web:1\.0 and docker:\/\/\S+\/a\/b\/web:1\.0 would both become docker:\/\/\S+\/f1\/web:1\.0/,
    );
    deepEqual(oursUnder('f1', await contentOf(ours)), []);
  });

  it('goes on with the other repositories of a file, but does not call that well', async () => {
    const file = join(dir.path, 'gone.yml');
    await writeFile(file, `"${source.host}":\n  images:\n    gone: []\n    x/api: []\n`);
    const { code, stderr } = await sync('-s', 'yaml', '-d', 'docker', file, `${ours.host}/f2`);

    equal(code, 1);
    match(stderr, /Error processing repo, skipping registry=\S+ path=gone/);
    equal(oursUnder('f2', await contentOf(ours)).length, 1);
  });

  it('uses the credentials of the file, and shows none of them', async () => {
    const file = join(dir.path, 'locked.yml');
    const { user, password } = REGISTRY_LOGIN;
    await sync(...DOCKERS, '--dest-creds', LOGIN, `${source.host}/x/api`, `${locked.host}/p`);
    const text = (secret: string): string =>
      `"${locked.host}":\n  images: {p/api: []}\n  credentials:\n    username: ${user}\n    password: ${JSON.stringify(secret)}\n`;
    await writeFile(file, text(password));
    const well = await sync('-s', 'yaml', '-d', 'docker', '--debug', file, `${ours.host}/f3`);
    await writeFile(file, text('not-this-one'));
    const wrong = await sync('-s', 'yaml', '-d', 'docker', '--debug', file, `${ours.host}/f4`);

    equal(well.code, 0, well.stderr);
    equal(oursUnder('f3', await contentOf(ours)).length, 1);
    equal(wrong.code, 1);
    match(wrong.stderr, /Error processing repo, skipping/);
    doesNotMatch(well.stderr + wrong.stderr, /w\/ö|not-this-one/);
  });

  it('gives credentials of the environment to no list of several registries', async () => {
    const file = join(dir.path, 'two.yml');
    const { user, password } = REGISTRY_LOGIN;
    const env = { SOURCE_USERNAME: user, SOURCE_PASSWORD: password };
    const args = ['sync', '-s', 'yaml', '-d', 'docker', '--dry-run', file, 't.test'];
    const one = `"${locked.host}":\n  images: {p/api: []}\n`;
    await writeFile(file, one);
    equal((await runCli(args, { env })).code, 0);
    await writeFile(file, `${one}"${source.host}":\n  images: {x/web: []}\n`);
    const { code, stderr } = await runCli(args, { env });

    equal(code, 1);
    match(stderr, /Error processing repo, skipping .* path=p\/api error=".*401/);
    match(stderr, /Would have synced 1 images from 1 sources/);
  });
});
