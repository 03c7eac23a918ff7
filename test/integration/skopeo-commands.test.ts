/**
 * The same command line for skopeo and for us, on the same docker-registry: what is on stdout, and how
 * it ends. Debian's skopeo is 1.9.3: where newer ones differ, ours is as those are, and that is said here.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { artifact, image, index, type BuiltImage, type Family } from '../support/images.ts';
import { runHere } from '../support/in-process.ts';
import { push } from '../support/push.ts';
import { rawDigest } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const ARM = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const LIST = index(
  [
    {
      image: image({ seed: 'x' }),
      platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
    },
    {
      image: image({ seed: 'y', platform: { os: 'windows', architecture: 'amd64' } }),
      platform: { os: 'windows', architecture: 'amd64' },
    },
  ],
  { attestations: true },
);
const FOREIGN = index([
  {
    image: image({ seed: 'y', platform: ARM }),
    platform: { os: 'amigaos', architecture: 'mc68000' },
  },
]);

let registry: DockerRegistry;
let home: TempDir;

before(async () => {
  home = await tempDir();
  registry = await startDockerRegistry({ deleteEnabled: true });
  const { origin } = registry;
  await push(origin, 'a/oci', 'v1', image({ seed: 'a' }));
  await push(origin, 'a/oci', 'v2', image({ seed: 'b' }));
  await push(origin, 'a/docker', 'v1', image({ seed: 'd', mediaTypes: 'docker' }));
  await push(origin, 'a/list', 'v1', LIST);
  await push(origin, 'a/foreign', 'v1', FOREIGN);
  await push(origin, 'a/artifact', 'v1', artifact({ artifactType: 'application/x.test' }));
  for (const family of ['oci', 'docker'] as const) {
    for (const [name, config] of Object.entries(CONFIGS)) {
      await push(origin, `odd/${family}`, name, withConfig(family, config));
    }
  }
});
after(async () => {
  await registry.stop();
  await home[Symbol.asyncDispose]();
});

/** Configs with everything, and with next to nothing. */
const CONFIGS: Record<string, object> = {
  empty: {},
  nulls: { created: null, config: null, rootfs: null, history: null },
  small: {
    architecture: 'arm64',
    os: 'linux',
    created: '2024-05-06T07:08:09.123456789+02:00',
    config: { Env: [], Labels: {}, Cmd: [], Volumes: {}, ArgsEscaped: true },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  },
  rich: {
    created: '2024-01-01T00:00:00.120000000Z',
    author: 'A <a@b>&',
    architecture: 'amd64',
    variant: 'v1',
    os: 'linux',
    'os.version': '10',
    'os.features': ['win32k'],
    docker_version: '20.10.1',
    container: 'abc',
    config: {
      User: '1000',
      ExposedPorts: { '80/tcp': {}, '443/tcp': {} },
      Env: ['PATH=/bin', 'A=<b>&"\u2028é'],
      Entrypoint: ['/e'],
      Cmd: ['a', 'b'],
      Volumes: { '/v': {} },
      WorkingDir: '/w',
      Labels: { '10': 'b', '9': 'a', z: '1', a: 'x y', 'org.x': '<&>' },
      StopSignal: 'SIGTERM',
      Hostname: 'h',
      OnBuild: null,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
    history: [
      { created: '2024-01-01T00:00:00Z', created_by: 'x', comment: 'c' },
      { created: '2024-01-01T00:00:00.5Z', created_by: 'y', empty_layer: true },
      { created_by: 'z', author: 'me' },
    ],
  },
};

/** An image without layers. */
function withConfig(mediaTypes: Family, config: object): BuiltImage {
  const built = image({ mediaTypes, layers: 0 });
  const [old] = built.blobs;
  const manifest = JSON.parse(String(built.root.bytes)) as { config: object };
  const bytes = Buffer.from(JSON.stringify(config));
  const blob = { mediaType: old?.mediaType ?? '', digest: sha256(bytes), bytes };
  manifest.config = { mediaType: blob.mediaType, digest: blob.digest, size: bytes.length };
  const root = Buffer.from(JSON.stringify(manifest));
  const { mediaType } = built.root;
  return {
    root: { mediaType, digest: sha256(root), size: root.length, bytes: root },
    manifests: [],
    blobs: [blob],
  };
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

interface Ended {
  readonly code: number | undefined;
  readonly stdout: string;
}

/** Words with `R/` for the registry. */
function wordsOf(line: string | readonly string[]): string[] {
  const words = typeof line === 'string' ? line.split(' ').filter(Boolean) : [...line];
  return words.map((word) => word.replace(/^R\//, `docker://${registry.host}/`));
}

function bySkopeo(words: readonly string[]): Ended {
  const env = { PATH: process.env['PATH'], HOME: home.path, XDG_RUNTIME_DIR: home.path };
  const { status, stdout } = spawnSync('skopeo', words, { env, encoding: 'utf8', timeout: 60_000 });
  return { code: status ?? undefined, stdout };
}

async function byUs(words: readonly string[]): Promise<Ended & { stderr: string }> {
  const { code, stdout, stderr } = await runHere(words);
  // Newer than 1.9.3: sizes and types of layers.
  return { code, stdout: stdout.replace(/ {4}"LayersData": \[.*?\],\n(?= {4}"Env")/s, ''), stderr };
}

const INSPECTED = [
  'a/oci:v1',
  'a/docker:v1',
  'a/list:v1',
  'a/foreign:v1',
  'a/artifact:v1',
  ...Object.keys(CONFIGS).flatMap((name) => [`odd/oci:${name}`, `odd/docker:${name}`]),
];

const FORMATS = [
  '{{.Name}} {{.Digest}} {{.Created}} {{.Labels}} {{.Env}} {{.Layers}} {{.RepoTags}}',
  '{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}',
  '{{range $i, $e := .Env}}{{$i}} {{$e}}\\n{{end}}',
  '{{with .Labels}}{{.a}}{{.none}}{{else}}nothing{{end}}',
  '{{if .Env}}{{index .Env 0}}{{else}}none{{end}} {{len .Layers}}',
  '{{printf "%s|%-8s|%q" .Os .Architecture .DockerVersion}}',
  '{{json .}}',
  'json',
  '{{.Nope}}',
  '{{if',
];

const LINES = [
  'list-tags --tls-verify=false R/a/oci',
  'list-tags R/a/oci --tls-verify=false',
  'list-tags --tls-verify=false R/a/none',
  'list-tags --tls-verify=false R/a/oci:v1',
  'list-tags dir:/tmp',
  'inspect',
  'inspect a b',
  'inspect R/a/oci:v1 --raw --format x',
  'inspect -x R/a/oci:v1',
  'inspect --bogus R/a/oci:v1',
  'inspect nonsense',
  'bogus',
  'copy --format bogus dir:/a dir:/b',
  'copy --multi-arch bogus dir:/a dir:/b',
  'copy --all --multi-arch all dir:/a dir:/b',
  'copy --retry-times x dir:/a dir:/b',
  'delete dir:/tmp/x',
  'delete --tls-verify=false R/a/none:v1',
  'manifest-digest',
  'manifest-digest /nonexistent',
  '--command-timeout 1ms inspect R/a/oci:v1',
  '--command-timeout abc inspect R/a/oci:v1',
];

describe('the same as skopeo on stdout, and the same end', () => {
  for (const name of INSPECTED) {
    it(`inspect ${name}`, async () => {
      for (const options of ['', '--raw', '--config', '--raw --config', '-n']) {
        await compare(`inspect --tls-verify=false ${options} R/${name}`);
      }
      await compare(
        `--override-os=windows --override-arch amd64 inspect --no-tags --tls-verify=F R/${name}`,
      );
      await compare([
        'inspect',
        '--tls-verify=false',
        '--config',
        '--format',
        '{{.}}',
        `R/${name}`,
      ]);
    });
  }

  for (const name of ['a/oci:v1', 'odd/oci:rich', 'odd/docker:rich', 'odd/oci:empty']) {
    it(`inspect --format of ${name}`, async () => {
      for (const format of FORMATS) {
        await compare(['inspect', '--tls-verify=0', '-f', format, `R/${name}`]);
      }
    });
  }

  for (const line of LINES) {
    it(line, () => compare(line));
  }

  it('manifest-digest of a manifest, and of what is none', async () => {
    const path = join(home.path, 'manifest.json');
    for (const content of [LIST.root.bytes, 'nothing', '{"schemaVersion":1,"signatures":1}']) {
      await writeFile(path, content);
      await compare(['manifest-digest', path]);
    }
  });

  const fixtures = resolve('../shared/fixtures/images/container-libs/manifest-fixtures');
  it('manifest-digest of all kinds', { skip: !existsSync(fixtures) }, async () => {
    for (const name of await readdir(fixtures))
      await compare(['manifest-digest', join(fixtures, name)]);
  });
});

async function compare(line: string | readonly string[]): Promise<void> {
  const words = wordsOf(line);
  const theirs = bySkopeo(words);
  const { stderr, ...ours } = await byUs(words);
  deepEqual(ours, theirs, `${words.join(' ')}\n${stderr}`);
  if (ours.code !== 0) match(stderr, /^registry-sync: [^\n]+\n$/);
}

describe('as newer versions of skopeo', () => {
  it('inspect and copy end with 2 when there is no such image', async () => {
    const nowhere = wordsOf('R/a/none:v1 R/b/none:v1');
    for (const line of [
      ['inspect', nowhere[0] ?? ''],
      ['copy', ...nowhere],
      ['copy', '--all', ...nowhere],
    ]) {
      const { code, stderr, stdout } = await runCli(line);
      deepEqual([code, stdout], [2, ''], stderr);
      match(stderr, /a\/none:v1: there is no such image \(manifest unknown: manifest unknown\)\n$/);
    }
  });

  it('inspect tells of layers', async () => {
    const { stdout } = await runCli(wordsOf('inspect R/a/docker:v1'));
    const { Layers, LayersData } = JSON.parse(stdout) as { Layers: string[]; LayersData: object[] };
    deepEqual(
      LayersData.map((layer) => Object.keys(layer)),
      Layers.map(() => ['MIMEType', 'Digest', 'Size', 'Annotations']),
    );
    deepEqual(
      LayersData.map((layer) => (layer as { Digest: string }).Digest),
      Layers,
    );
  });
});

describe('copy', () => {
  it('copies an image as skopeo does, and says so in its words', async () => {
    const { code, stdout, stderr } = await runCli(wordsOf('copy R/a/oci:v1 R/ours/oci:v1'));

    equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    equal(lines[0], 'Getting image source signatures');
    equal(lines.filter((line) => /^Copying blob sha256:[0-9a-f]{64}$/.test(line)).length, 2);
    equal(lines.filter((line) => /^Copying config sha256:[0-9a-f]{64}$/.test(line)).length, 1);
    equal(lines.at(-1), 'Writing manifest to image destination');
    equal(stderr, '');
    await sameAsSkopeo('a/oci:v1', 'ours/oci:v1', 'theirs/oci:v1', []);
  });

  it('copies a list with all that is in it, quietly, and writes its digest', async () => {
    const digestfile = join(home.path, 'digests', 'list');
    const line = ['copy', '-aq', '--digestfile', digestfile, 'R/a/list:v1', 'R/ours/list:v1'];
    const { code, stdout, stderr } = await runCli(wordsOf(line));

    deepEqual([code, stdout, stderr], [0, '', '']);
    equal(await readFile(digestfile, 'utf8'), LIST.root.digest);
    await sameAsSkopeo('a/list:v1', 'ours/list:v1', 'theirs/list:v1', ['--all']);
  });

  it('says when there is nothing to do', async () => {
    await runCli(wordsOf('copy R/a/oci:v2 R/ours/oci:v2'));
    const { code, stdout } = await runCli(wordsOf('copy R/a/oci:v2 R/ours/oci:v2'));

    equal(code, 0);
    match(stdout, /\nNothing to copy: .*\/ours\/oci:v2 is sha256:[0-9a-f]{64} already\n$/);
  });

  it('only says what it would do with --dry-run', async () => {
    const { code, stdout } = await runCli(wordsOf('copy --dry-run R/a/oci:v1 R/never/oci:v1'));

    equal(code, 0);
    match(stdout, /^Running in dry-run mode\nWould have copied from=docker:\S+ to=docker:\S+\n$/);
    equal((await runCli(wordsOf('inspect R/never/oci:v1'))).code, 2);
  });

  it('says which options have no effect', async () => {
    const given = ['--registries.d /none', '--dest-compress-level 3'];
    const [d, level] = await Promise.all(
      given.map((option, at) => runCli(wordsOf(`copy ${option} R/a/oci:v1 R/idle/oci:${at}`))),
    );

    match(d?.stderr ?? '', /--registries\.d has no effect yet/);
    match(level?.stderr ?? '', /--dest-compress-level has an effect with --dest-compress-format/);
  });

  it('copies nothing when it is to be signed or encrypted', async () => {
    for (const option of ['--sign-by=me', '--sign-by-sigstore=x', '--encryption-key=jwe:x']) {
      const { code, stderr } = await runCli(wordsOf(`copy ${option} R/a/oci:v1 R/never/oci:v1`));
      equal(code, 1);
      match(
        stderr,
        /^registry-sync: --\S+: signing and encryption are not supported yet, and nothing/,
      );
    }
    equal((await runCli(wordsOf('inspect R/never/oci:v1'))).code, 2);
  });
});

async function sameAsSkopeo(
  from: string,
  ours: string,
  theirs: string,
  flags: string[],
): Promise<void> {
  const tls = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  const words = wordsOf([
    '--insecure-policy',
    'copy',
    ...flags,
    ...tls,
    `R/${from}`,
    `R/${theirs}`,
  ]);
  equal(bySkopeo(words).code, 0);
  const digests = [ours, theirs].map((name) =>
    rawDigest(`docker://${registry.host}/${name}`, ['--tls-verify=false']),
  );
  const [one, other] = await Promise.all(digests);
  equal(one, other);
}

describe('delete', () => {
  it('takes the image out of the registry, and says nothing', async () => {
    await push(registry.origin, 'gone/a', 'v1', image({ seed: 'gone' }));

    const { code, stdout, stderr } = await runCli(wordsOf('delete R/gone/a:v1'));
    deepEqual([code, stdout, stderr], [0, '', '']);
    equal(bySkopeo(wordsOf('inspect --tls-verify=false R/gone/a:v1')).code, 1);
    equal((await runCli(wordsOf('delete R/gone/a:v1'))).code, 1);
  });

  it('says that the registry does not delete', async () => {
    await using other = await startDockerRegistry();
    await push(other.origin, 'a', 'v1', image());
    const { code, stderr } = await runCli(['delete', `docker://${other.host}/a:v1`]);

    equal(code, 1);
    match(stderr, /a:v1: refused \(405.*does not let images be deleted this way/);
  });
});

describe('all commands', () => {
  it('say who they are, and to the registry as they are told', async () => {
    const { stdout } = await runCli(['-v']);
    match(
      stdout,
      /^registry-sync version \d+\.\d+\.\d+, in the place of skopeo version [0-9.]+\n$/,
    );
    equal((await runCli(['--version'])).stdout, stdout);

    const version = /version (\S+),/.exec(stdout)?.[1] ?? '';
    await runCli(wordsOf('list-tags R/a/oci'));
    await runCli(wordsOf('--user-agent-prefix ours/2 list-tags R/a/docker'));
    await runCli(wordsOf('list-tags --user-agent mine R/odd/oci'));
    const agents = registry.log().match(/"registry-sync\/\S+"|"ours\/2 \S+"|"mine"/g) ?? [];
    const known = new Set(agents.map((agent) => agent.replaceAll('"', '')));
    deepEqual(
      [`registry-sync/${version}`, `ours/2 registry-sync/${version}`, 'mine'].map((one) =>
        known.has(one),
      ),
      [true, true, true],
    );
  });

  it('have a help', async () => {
    for (const name of [
      'copy',
      'inspect',
      'list-tags',
      'delete',
      'manifest-digest',
      'completion',
    ]) {
      for (const help of ['--help', '-h']) {
        const { code, stdout } = await runCli([name, help]);
        equal(code, 0, name);
        match(stdout, new RegExp(`Usage: registry-sync ${name} \\[options\\] `));
      }
    }
  });
});
