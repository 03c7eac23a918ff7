/** list-tags, delete, manifest-digest, help and version. */
import { lines, sample, type Case } from './case.ts';

const AUTH_FILE = '{"auths":{"{auth}":{"auth":"c3luYzpwQHNzOncvw7YicmQ="}}}';

const LIST_TAGS = lines(
  [
    'list-tags -T docker://{seed}/docker',
    'list-tags -T docker://{seed}/many',
    'list-tags docker://{seed}/many -T',
    'list-tags docker-archive:{s}/one.tar',
    'list-tags docker-archive:{s}/more.tar',
    'list-tags docker-archive:{s}/both.tar',
    'list-tags docker-archive:{s}/unnamed.tar',
    'list-tags --creds {login} --cert-dir {certs} docker://{auth}/seed/many',
    'list-tags -T --authfile auth.json docker://{auth}/seed/many',
    'list-tags -T docker://{auth}/seed/many',
    'list-tags -T --no-creds docker://{auth}/seed/many',
    'list-tags docker://{seed}/many',
    'list-tags -T --retry-times 1 docker://{seed}/many',
    '--debug list-tags -T docker://{seed}/many',
  ],
  { files: { 'auth.json': AUTH_FILE } },
);

const TWO_TAGS = [
  'copy -D dir:{s}/docker docker://{ns}/x:a',
  'copy -D dir:{s}/docker docker://{ns}/x:b',
  'copy -D dir:{s}/oci-image docker://{ns}/x:c',
];
const DELETE: readonly Case[] = [
  { line: 'delete -T docker://{ns}/x:c', before: TWO_TAGS },
  { line: 'delete -T docker://{ns}/x:a', before: TWO_TAGS },
  { line: 'delete -T docker://{ns}/x@{D:oci:latest}', before: TWO_TAGS },
  { line: 'delete -T docker://{ns}/x', before: TWO_TAGS },
  { line: 'delete docker://{ns}/x:a', before: TWO_TAGS },
  { line: 'delete -T --retry-times=1 docker://{ns}/x:b', before: TWO_TAGS },
  {
    line: 'delete -T docker://{ns}/l:a',
    before: ['copy -D --all dir:{s}/multi docker://{ns}/l:a'],
  },
  { line: 'delete -T docker://{auth}/seed/docker:latest' },
  { line: 'delete oci:out:a', before: ['copy oci:{s}/layout:one oci:out:a'] },
];

const MANIFEST_DIGEST: readonly Case[] = [
  ...lines(
    [
      'manifest-digest {s}/docker/manifest.json',
      'manifest-digest {s}/multi/manifest.json',
      'manifest-digest {s}/schema1/manifest.json',
      'manifest-digest {s}/oci-image/manifest.json',
      'manifest-digest {s}/not.tar',
      'manifest-digest empty',
      'manifest-digest broken.json',
      '--debug manifest-digest {s}/docker/manifest.json',
    ],
    { files: { empty: '', 'broken.json': '{"schemaVersion":1,"signatures":[' } },
  ),
];

const COMMANDS = [
  'copy',
  'inspect',
  'list-tags',
  'delete',
  'login',
  'logout',
  'sync',
  'manifest-digest',
];
const HELP = lines(
  [
    '--help',
    '-h',
    'help',
    '--version',
    '-v',
    'version',
    'completion bash',
    'completion zsh',
    'completion fish',
    ...COMMANDS.flatMap((name) => [`${name} --help`, `${name} -h`, `help ${name}`]),
  ],
  { stdout: 'any' },
);

export const OTHER_COMMANDS: readonly Case[] = [
  ...LIST_TAGS,
  ...DELETE,
  ...MANIFEST_DIGEST,
  ...sample(2, HELP),
  {
    line: 'completion powershell',
    stdout: 'any',
    differs: { because: 'shells', skopeo: { code: 0 }, ours: { code: 1 } },
  },
];
