/** login, logout, and the files that say how registries are reached and what is trusted. */
import type { Case, Difference } from './case.ts';

const AUTH_FILE = '{"auths":{"{auth}":{"auth":"c3luYzpwQHNzOncvw7YicmQ="}}}';

const LOGIN = `-T -u {user} -p '{password}'`;
const STDIN = { stdin: '{password}\n' } as const;
const LOGGED_IN = { before: [`login ${LOGIN} --authfile auth.json {auth}`] } as const;
const LOGINS: readonly Case[] = [
  { line: `login ${LOGIN} {auth}` },
  { line: `login ${LOGIN} --authfile auth.json {auth}` },
  { line: `login -T -u {user} --password-stdin {auth}`, ...STDIN },
  { line: `login -T --username {user} --password-stdin --verbose {auth}`, ...STDIN },
  { line: `login -T -u{user} '-p{password}' {auth}` },
  { line: `login -v ${LOGIN} {auth}` },
  { line: `login --cert-dir {certs} -u {user} -p '{password}' {auth}` },
  { line: `login ${LOGIN} {auth}/seed` },
  { line: `login ${LOGIN} {auth}/seed/docker` },
  { line: `login ${LOGIN} {auth}/seed/docker:latest` },
  { line: `login ${LOGIN} https://{auth}` },
  { line: `login -T -u {user} -p wrong {auth}` },
  { line: `login -T -u {user} --password-stdin {auth}`, stdin: '', stdout: 'any' },
  { line: `login -T --password-stdin {auth}`, ...STDIN },
  { line: `login -T -u {user} -p x --password-stdin {auth}`, ...STDIN },
  { line: `login -u {user} -p '{password}' {auth}` },
  { line: `login -T -u {user} -p '{password}' {free}` },
  { line: `login -T -u {user} -p '{password}' {reg}` },
  { line: 'login -T --get-login {auth}' },
  { line: 'login --get-login --authfile auth.json {auth}', ...LOGGED_IN },
  { line: 'login --get-login --authfile auth.json {auth}/seed', ...LOGGED_IN },
  { line: 'login --get-login --authfile auth.json other.test', ...LOGGED_IN },
  { line: `login -T --authfile auth.json {auth}`, ...LOGGED_IN },
  { line: `login ${LOGIN} --authfile auth.json {auth}`, ...LOGGED_IN },
  {
    line: `login ${LOGIN} --authfile auth.json {auth}`,
    files: { 'auth.json': '{"auths":{"other.test":{"auth":"YTpi"}}}' },
    differs: { because: 'keysInOrder', ours: { left: ['auth.json', 'run/', 'tmp/'] } },
  },
  { line: `login ${LOGIN} --authfile auth.json {auth}`, files: { 'auth.json': '{"auths":' } },
  { line: `login ${LOGIN} {auth}`, env: { REGISTRY_AUTH_FILE: '{work}/env.json' } },
  { line: 'logout --authfile auth.json {auth}', ...LOGGED_IN },
  { line: 'logout --authfile auth.json {auth}/seed', ...LOGGED_IN },
  { line: 'logout --authfile auth.json other.test', ...LOGGED_IN },
  { line: 'logout -a --authfile auth.json', ...LOGGED_IN },
  { line: 'logout --all --authfile auth.json {auth}', ...LOGGED_IN },
  { line: 'logout --authfile no.json {auth}' },
  {
    line: 'logout --authfile auth.json {auth}',
    files: { 'auth.json': `{"auths":{"other.test":{"auth":"YTpi"},"{auth}":{"auth":"YTpi"}}}` },
  },
  {
    line: 'inspect -T docker://{auth}/seed/docker',
    before: [`login ${LOGIN} {auth}`],
  },
  {
    line: 'inspect -T docker://{auth}/seed/docker',
    before: [`login ${LOGIN} {auth}`, 'logout {auth}'],
  },
  {
    line: 'copy -S docker://{auth}/seed/docker dir:out',
    files: { 'env.json': AUTH_FILE },
    env: { REGISTRY_AUTH_FILE: '{work}/env.json' },
  },
  {
    line: 'copy -S docker://{auth}/seed/docker dir:out',
    files: { 'env.json': `{"auths":{"{auth}/seed/docker":{"auth":"c3luYzpwQHNzOncvw7YicmQ="}}}` },
    env: { REGISTRY_AUTH_FILE: '{work}/env.json' },
  },
  {
    line: 'copy -S docker://{auth}/seed/docker dir:out',
    files: { '../home/.docker/config.json': AUTH_FILE },
  },
];

const CONF = (text: string): Pick<Case, 'files'> => ({
  files: { '../home/.config/containers/registries.conf': text },
});
const VERSION_1: Difference = {
  because: 'confVersion1',
  skopeo: { code: 0 },
  ours: { code: 1, stdout: '' },
};
const REGISTRIES_CONF: readonly Case[] = [
  {
    line: 'inspect docker://{seed}/docker',
    ...CONF('[[registry]]\nlocation="{reg}"\ninsecure=true\n'),
  },
  {
    line: 'copy docker://{seed}/docker dir:out',
    ...CONF('[[registry]]\nlocation="{reg}"\ninsecure=true\n'),
  },
  {
    line: 'copy docker://{seed}/docker dir:out',
    ...CONF('[[registry]]\nprefix="{reg}/seed"\nlocation="{reg}/seed"\ninsecure=true\n'),
  },
  {
    line: 'copy docker://example.test/docker dir:out',
    ...CONF('[[registry]]\nprefix="example.test"\nlocation="{reg}/seed"\ninsecure=true\n'),
  },
  {
    line: 'inspect docker://example.test/docker',
    ...CONF('[[registry]]\nprefix="example.test"\nlocation="{reg}/seed"\ninsecure=true\n'),
  },
  {
    line: 'list-tags docker://example.test/many',
    ...CONF('[[registry]]\nprefix="example.test"\nlocation="{reg}/seed"\ninsecure=true\n'),
  },
  {
    line: 'copy docker://sub.example.test/docker dir:out',
    ...CONF('[[registry]]\nprefix="*.example.test"\nlocation="{reg}/seed"\ninsecure=true\n'),
  },
  {
    line: 'copy -S docker://{seed}/docker dir:out',
    ...CONF('[[registry]]\nlocation="{reg}"\nblocked=true\n'),
  },
  {
    line: 'inspect -T docker://{seed}/docker',
    ...CONF('[[registry]]\nlocation="{reg}"\nblocked=true\n'),
  },
  {
    line: 'copy -D dir:{s}/docker docker://{ns}/to:x',
    ...CONF('[[registry]]\nlocation="{reg}"\nblocked=true\n'),
  },
  {
    line: 'copy docker://example.test/docker dir:out',
    ...CONF(
      '[[registry]]\nlocation="example.test"\n[[registry.mirror]]\nlocation="{reg}/seed"\ninsecure=true\n',
    ),
  },
  {
    line: 'copy docker://example.test/docker dir:out',
    ...CONF(
      '[[registry]]\nlocation="example.test"\n[[registry.mirror]]\nlocation="{reg}/nope"\ninsecure=true\n[[registry.mirror]]\nlocation="{reg}/seed"\ninsecure=true\n',
    ),
  },
  {
    line: 'copy docker://example.test/docker@{D:docker:latest} dir:out',
    ...CONF(
      '[[registry]]\nlocation="example.test"\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation="{reg}/seed"\ninsecure=true\n',
    ),
  },
  { line: 'copy -S docker://{seed}/docker dir:out', ...CONF('this is [not TOML') },
  {
    line: 'copy -S docker://{seed}/docker dir:out',
    ...CONF(
      '[registries.search]\nregistries=["example.test"]\n[registries.insecure]\nregistries=["{reg}"]\n',
    ),
    left: 'any',
    differs: VERSION_1,
  },
  {
    line: 'copy docker://{seed}/docker dir:out',
    ...CONF('[registries.insecure]\nregistries=["{reg}"]\n'),
    left: 'any',
    differs: VERSION_1,
  },
  {
    line: 'inspect -T docker://{seed}/docker',
    ...CONF('unqualified-search-registries=["example.test"]\nshort-name-mode="enforcing"\n'),
  },
];

const POLICY = (name: string, text: string): Case => ({
  line: `--policy policy.json copy -S docker://{seed}/${name} dir:out`,
  files: { 'policy.json': text },
});
const POLICIES: readonly Case[] = [
  POLICY('docker', '{"default":[{"type":"insecureAcceptAnything"}]}'),
  POLICY('docker', '{"default":[{"type":"reject"}]}'),
  POLICY('docker', '{"default":[]}'),
  POLICY('docker', '{}'),
  POLICY('docker', '{'),
  POLICY('docker', '{"default":[{"type":"reject"}],"nope":1}'),
  POLICY(
    'docker',
    '{"default":[{"type":"reject"}],"transports":{"docker":{"{reg}":[{"type":"insecureAcceptAnything"}]}}}',
  ),
  POLICY(
    'docker',
    '{"default":[{"type":"reject"}],"transports":{"docker":{"{seed}/docker":[{"type":"insecureAcceptAnything"}]}}}',
  ),
  POLICY(
    'docker',
    '{"default":[{"type":"reject"}],"transports":{"docker":{"{seed}/docker:latest":[{"type":"insecureAcceptAnything"}]}}}',
  ),
  POLICY(
    'docker',
    '{"default":[{"type":"reject"}],"transports":{"docker":{"{seed}/docker:v1":[{"type":"insecureAcceptAnything"}]}}}',
  ),
  POLICY(
    'docker',
    '{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"":[{"type":"reject"}]}}}',
  ),
  POLICY(
    'docker',
    '{"default":[{"type":"insecureAcceptAnything"}],"transports":{"dir":{"":[{"type":"reject"}]}}}',
  ),
  POLICY('docker', '{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/no/such"}]}'),
  {
    line: '--policy policy.json copy dir:{s}/docker dir:out',
    files: {
      'policy.json':
        '{"default":[{"type":"insecureAcceptAnything"}],"transports":{"dir":{"":[{"type":"reject"}]}}}',
    },
  },
  {
    line: '--policy policy.json copy dir:{s}/docker dir:out',
    files: {
      'policy.json':
        '{"default":[{"type":"reject"}],"transports":{"dir":{"{s}":[{"type":"insecureAcceptAnything"}]}}}',
    },
  },
  {
    line: '--insecure-policy --policy policy.json copy dir:{s}/docker dir:out',
    files: { 'policy.json': '{"default":[{"type":"reject"}]}' },
  },
];

export const ACCESS: readonly Case[] = [...LOGINS, ...REGISTRIES_CONF, ...POLICIES];
