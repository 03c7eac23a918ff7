/** sync between registries, directories and from YAML. */
import { lines, sample, type Case, type Difference } from './case.ts';

const TO_DIR = 'sync -S --src docker --dest dir';
const TO_REGISTRY = 'sync -S -D --src docker --dest docker';

const DOCKER = lines([
  `${TO_DIR} {seed}/docker:v1 out`,
  `${TO_DIR} {seed}/docker out`,
  `${TO_DIR} {seed}/many out`,
  `${TO_DIR} --scoped {seed}/docker:v1 out`,
  `${TO_DIR} --scoped {seed}/docker out`,
  `${TO_DIR} {seed}/docker@{D:docker:latest} out`,
  `${TO_DIR} --scoped {seed}/docker@{D:docker:latest} out`,
  `${TO_DIR} {seed}/multi out`,
  `${TO_DIR} --all {seed}/multi:latest out`,
  `${TO_DIR} -a {seed}/index out`,
  `${TO_DIR} --format oci {seed}/docker:v1 out`,
  `${TO_DIR} -f oci --all {seed}/multi out`,
  `${TO_DIR} --preserve-digests {seed}/docker:v1 out`,
  `${TO_DIR} --preserve-digests --format oci {seed}/docker:v1 out`,
  `${TO_DIR} --dry-run {seed}/docker out`,
  `${TO_DIR} --dry-run --scoped {seed}/docker out`,
  `${TO_DIR} --keep-going {seed}/docker out`,
  `${TO_DIR} --keep-going {seed}/alien out`,
  `${TO_DIR} --remove-signatures {seed}/docker:v1 out`,
  `${TO_DIR} --retry-times 2 {seed}/docker:v1 out`,
  `${TO_DIR} {seed}/docker:v1 a/b/c`,
  `${TO_DIR} docker://{seed}/docker:v1 out`,
  `sync -S -s docker -d dir {seed}/docker:v1 out`,
  `sync -S -sdocker -ddir -a {seed}/multi out`,
  `sync --src docker --dest dir {seed}/docker:v1 out -S`,
  `sync --src docker --dest dir {seed}/docker:v1 out`,
  `sync -S --src=docker --dest=dir --src-creds {login} {auth}/seed/docker:v1 out`,
  `sync -S --src=docker --dest=dir {auth}/seed/docker:v1 out`,
  `--override-arch arm64 ${TO_DIR} {seed}/multi out`,
  `${TO_REGISTRY} {seed}/docker:v1 {ns}`,
  `${TO_REGISTRY} {seed}/docker {ns}`,
  `${TO_REGISTRY} {seed}/docker {ns}/more`,
  `${TO_REGISTRY} --all {seed}/multi {ns}`,
  `${TO_REGISTRY} --all {seed}/index:latest {ns}`,
  `${TO_REGISTRY} {seed}/multi {ns}`,
  `${TO_REGISTRY} {seed}/docker@{D:docker:latest} {ns}`,
  `${TO_REGISTRY} --format v2s2 {seed}/oci {ns}`,
  `${TO_REGISTRY} --format oci {seed}/docker:v1 {ns}`,
  `${TO_REGISTRY} --dry-run {seed}/docker {ns}`,
  `${TO_REGISTRY} {seed}/many {ns}`,
  `${TO_REGISTRY} {seed}/docker docker://{ns}`,
  `${TO_REGISTRY} {seed}/docker {ns}/`,
  `${TO_REGISTRY} {seed}/docker {ns}:tag`,
]);

const AGAIN: readonly Case[] = [
  { line: `${TO_DIR} {seed}/docker:v1 out`, before: [`${TO_DIR} {seed}/docker:v1 out`] },
  { line: `${TO_DIR} {seed}/tree/one out`, before: [`${TO_DIR} {seed}/other/one out`] },
  { line: `${TO_REGISTRY} {seed}/docker {ns}`, before: [`${TO_REGISTRY} {seed}/docker:v1 {ns}`] },
  {
    line: `${TO_REGISTRY} {seed}/other/one:a {ns}`,
    before: [`${TO_REGISTRY} {seed}/tree/one {ns}`],
  },
];

const TREE = [`${TO_DIR} {seed}/tree/one in`, `${TO_DIR} --all {seed}/tree/two:a in`];
const SCOPED = [`${TO_DIR} --scoped {seed}/tree/one in`];
const DIR: readonly Case[] = [
  { line: 'sync -D --src dir --dest docker in {ns}', before: TREE },
  { line: 'sync -D --src dir --dest docker --all in {ns}', before: TREE },
  { line: 'sync -D --src dir --dest docker --scoped in {ns}', before: TREE },
  { line: 'sync -D --src dir --dest docker in {ns}/deep/er', before: TREE },
  { line: 'sync -D --src dir --dest docker in {ns}', before: SCOPED },
  { line: 'sync -D --src dir --dest docker --dry-run in {ns}', before: TREE },
  { line: 'sync -D --src dir --dest docker --format oci in {ns}', before: TREE },
  { line: 'sync -D --src dir --dest docker in/one:a {ns}', before: TREE },
  { line: 'sync -D --src dir --dest docker in {ns}', files: { 'in/x': 'no image' } },
];

const STRICT: Difference = {
  because: 'strictYaml',
  skopeo: { code: 0 },
  ours: { code: 1, stdout: '', left: ['run/', 'sync.yaml', 'tmp/'] },
};
const SKIPPED: Difference = { because: 'skipped', skopeo: { code: 0 }, ours: { code: 1 } };
const PARALLEL: Difference = { because: 'parallel', skopeo: { code: 1 }, ours: { code: 1 } };

interface Yaml {
  readonly text: string;
  readonly more?: string;
  readonly differs?: Difference;
}
const YAMLS: readonly Yaml[] = [
  { text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker:\n      - v1\n      - v2\n' },
  { text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: []\n' },
  { text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker:\n' },
  { text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: []\n', more: '--scoped' },
  {
    text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker:\n      - "{D:docker:latest}"\n',
  },
  {
    text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: [v1, v2]\n    seed/oci: [latest]\n',
    more: '--all',
  },
  { text: '{reg}:\n  tls-verify: false\n  images-by-tag-regex:\n    seed/many: ^v1\\.\n' },
  { text: '{reg}:\n  tls-verify: false\n  images-by-tag-regex:\n    seed/many: "^nothing$"\n' },
  { text: '{reg}:\n  tls-verify: false\n  images-by-tag-regex:\n    seed/many: "v1[.]\\\\d+"\n' },
  {
    text: '{reg}:\n  tls-verify: false\n  images-by-tag-regex:\n    seed/many: "(["\n',
    differs: STRICT,
  },
  {
    text: '{reg}:\n  tls-verify: false\n  images-by-tag-regex:\n    seed/many: ^v(?P<major>[0-9]+)\\.0\n',
  },
  {
    text: "{auth}:\n  tls-verify: false\n  credentials:\n    username: {user}\n    password: '{password}'\n  images:\n    seed/docker: [v1]\n",
  },
  {
    text: "{auth}:\n  cert-dir: {certs}\n  credentials:\n    username: {user}\n    password: '{password}'\n  images:\n    seed/docker: [v1]\n",
  },
  {
    text: '{auth}:\n  tls-verify: false\n  credentials:\n    username: {user}\n    password: wrong\n  images:\n    seed/docker: [v1]\n',
  },
  { text: '{reg}:\n  tls-verify: true\n  images:\n    seed/docker: [v1]\n' },
  { text: '{reg}:\n  images:\n    seed/docker: [v1]\n' },
  { text: '{reg}:\n  images:\n    seed/docker: [v1]\n', more: '-S' },
  { text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: [missing]\n' },
  {
    text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: [missing, v1]\n',
    more: '--keep-going',
  },
  {
    text: '{reg}:\n  tls-verify: false\n  images:\n    seed/missing: []\n    seed/docker: [v1]\n',
    differs: SKIPPED,
  },
  {
    text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: ["bad tag!"]\n',
    differs: STRICT,
  },
  { text: '{reg}:\n  tls-verify: false\n  images:\n    UPPER: [v1]\n', differs: STRICT },
  { text: '{reg}:\n  tls-verify: false\n' },
  { text: '', differs: STRICT },
  { text: 'not: [yaml\n' },
  { text: '- a\n- b\n' },
  {
    text: '{reg}:\n  tls-verify: false\n  nope: 1\n  images:\n    seed/docker: [v1]\n',
    differs: STRICT,
  },
  { text: '{reg}:\n  tls-verify: maybe\n  images:\n    seed/docker: [v1]\n' },
  { text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: v1\n' },
  { text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: [1.0]\n' },
  {
    text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: [v1]\n{free}:\n  images:\n    x: [y]\n',
  },
  {
    text: '{free}:\n  images:\n    x: [y]\n{reg}:\n  tls-verify: false\n  images:\n    seed/docker: [v1]\n',
    differs: PARALLEL,
  },
  {
    text: '{reg}:\n  tls-verify: false\n  images:\n    seed/docker: [v1, v2]\n',
    more: '--dry-run',
  },
];

const SCOPED_BY_PORT: readonly Case[] = [
  { line: `${TO_REGISTRY} --scoped {seed}/docker:v1 {ns}` },
  { line: `${TO_REGISTRY} --scoped {seed}/docker {ns}/more` },
  { line: 'sync -D --src dir --dest docker --scoped in {ns}', before: SCOPED },
];

function fromYaml(to: string): readonly Case[] {
  return YAMLS.map(({ text, more = '', differs }): Case => ({
    line: `sync ${more} --src yaml ${to}`,
    files: { 'sync.yaml': text },
    differs,
    left: differs?.because === 'parallel' ? 'any' : 'same',
  }));
}

const TO_ANOTHER_DIR: readonly Case[] = ['', '--all', '--scoped'].map((more) => ({
  line: `sync --src dir --dest dir ${more} in out`,
  before: TREE,
  differs: { because: 'dirToDir', skopeo: { code: 1 }, ours: { code: 0 } },
  stdout: 'any',
  left: 'any',
}));

export const SYNC: readonly Case[] = [
  ...DOCKER,
  ...AGAIN,
  ...DIR,
  ...TO_ANOTHER_DIR,
  ...SCOPED_BY_PORT,
  ...fromYaml('--dest dir sync.yaml out'),
  ...sample(3, fromYaml('-D --dest docker sync.yaml {ns}')),
];
