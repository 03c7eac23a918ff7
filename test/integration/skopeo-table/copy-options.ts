/** What options of copy do. */
import { lines, sample, type Case, type Difference } from './case.ts';

const ONE = '-S docker://{seed}/docker';
const OCI = '-S docker://{seed}/oci';
const LIST = '-S docker://{seed}/multi';

const FORMATS = ['oci', 'v2s1', 'v2s2'].flatMap((format) =>
  [
    ONE,
    OCI,
    'dir:{s}/docker',
    'dir:{s}/schema1',
    'oci:{s}/layout:one',
    'docker-archive:{s}/one.tar',
  ].flatMap((from): Case[] => [
    { line: `copy --format ${format} ${from} dir:out`, left: 'unpacked' },
    { line: `copy -f=${format} -D ${from} docker://{ns}/to:tag`, left: 'unpacked' },
  ]),
);

const FORMATS_OF_LISTS = ['oci', 'v2s2', 'v2s1'].flatMap((format) =>
  [LIST, '-S docker://{seed}/index', 'dir:{s}/multi', 'oci:{s}/layout:multi'].map((from): Case => ({
    line: `copy --all --format ${format} ${from} dir:out`,
    left: 'unpacked',
  })),
);

const COMPRESSION = lines(
  [
    `copy --dest-compress ${ONE} dir:out`,
    'copy --dest-compress docker-archive:{s}/one.tar dir:out',
    'copy --dest-compress -S docker://{seed}/plain dir:out',
    `copy --dest-decompress ${ONE} dir:out`,
    `copy --dest-decompress ${OCI} dir:out`,
    'copy --dest-decompress --all -S docker://{seed}/index dir:out',
    `copy --dest-compress-format zstd ${OCI} oci:out:z`,
    `copy --dest-compress-format=zstd --dest-compress-level=3 ${OCI} oci:out:z`,
    `copy --dest-compress --dest-compress-format gzip --dest-compress-level 1 -S docker://{seed}/plain dir:out`,
    `copy --dest-compress-format zstd -D ${OCI} docker://{ns}/to:z`,
    `copy --dest-compress-format zstd --format oci -D ${ONE} docker://{ns}/to:z`,
    'copy --dest-oci-accept-uncompressed-layers -S docker://{seed}/plain oci:out:p',
    'copy --dest-oci-accept-uncompressed-layers docker-archive:{s}/one.tar oci:out:p',
    'copy -S docker://{seed}/plain oci:out:p',
  ],
  { left: 'unpacked' },
);

const DIGESTS = lines([
  `copy --preserve-digests ${ONE} dir:out`,
  `copy --preserve-digests --all ${LIST} dir:out`,
  `copy --preserve-digests -D ${OCI} docker://{ns}/to:tag`,
  `copy --preserve-digests ${OCI} oci:out:x`,
  `copy --preserve-digests ${ONE} oci:out:x`,
  `copy --preserve-digests --format oci ${ONE} dir:out`,
  `copy --preserve-digests --all --format oci ${LIST} dir:out`,
  `copy --preserve-digests docker-archive:{s}/one.tar oci:out:x`,
  `copy --digestfile digest ${ONE} dir:out`,
  `copy --digestfile=digest --all ${LIST} dir:out`,
  `copy --digestfile digest ${LIST} dir:out`,
  `copy --digestfile digest ${ONE} oci:out:x`,
  `copy --digestfile digest -D ${OCI} docker://{ns}/to:tag`,
  'copy -D dir:{s}/docker docker://{ns}/to@{D:docker:latest}',
  'copy -D dir:{s}/docker docker://{ns}/to@{D:docker:v2}',
  'copy -D --all dir:{s}/multi docker://{ns}/to@{D:multi:latest}',
]);

const LISTS = lines([
  `copy --multi-arch system ${LIST} dir:out`,
  `copy --multi-arch all ${LIST} dir:out`,
  `copy --multi-arch=index-only ${LIST} dir:out`,
  `copy --multi-arch=all ${ONE} dir:out`,
  `copy --multi-arch=index-only ${ONE} dir:out`,
  `copy -a ${LIST} dir:out`,
  `copy --all=true ${LIST} dir:out`,
  `copy --all=false ${LIST} dir:out`,
  `copy --all ${LIST} docker-archive:out.tar`,
  `copy --all --multi-arch all ${LIST} dir:out`,
  `copy --multi-arch some ${LIST} dir:out`,
  `--override-arch arm64 copy ${LIST} dir:out`,
  `--override-arch=arm64 --override-variant=v8 copy ${LIST} dir:out`,
  `--override-arch=arm copy ${LIST} dir:out`,
  `--override-arch=arm --override-variant v6 copy ${LIST} dir:out`,
  `--override-arch=s390x copy ${LIST} dir:out`,
  `--override-os windows copy ${LIST} dir:out`,
  `copy --override-arch arm64 ${LIST} dir:out`,
  `copy ${LIST} dir:out --override-arch arm64`,
  '--override-os amigaos --override-arch mc68000 --override-variant 1000 copy -S docker://{seed}/alien dir:out',
  'copy -S docker://{seed}/alien dir:out',
  'copy --all -S docker://{seed}/alien dir:out',
  '--override-arch arm64 copy -S docker://{seed}/docker dir:out',
  'copy --all -S docker://{seed}/artifact dir:out',
  'copy -S docker://{seed}/artifact dir:out',
  'copy -S docker://{seed}/artifact oci:out:x',
  'copy -S -D docker://{seed}/artifact docker://{ns}/to:x',
]);

const TAGS = lines([
  `copy --additional-tag a:one ${ONE} docker-archive:out.tar:b:two`,
  `copy --additional-tag a:one --additional-tag example.test/c:three ${ONE} docker-archive:out.tar:b:two`,
  `copy --additional-tag a:one,c:three ${ONE} docker-archive:out.tar:b:two`,
  `copy --additional-tag a:one ${ONE} docker-archive:out.tar`,
  `copy --additional-tag a ${ONE} docker-archive:out.tar:b:two`,
  `copy --additional-tag UPPER:x ${ONE} docker-archive:out.tar:b:two`,
]);

const REFUSED: readonly Case[] = [
  {
    line: `copy --additional-tag a:one ${ONE} dir:out`,
    differs: {
      because: 'refused',
      skopeo: { code: 0 },
      ours: { code: 1, stdout: '', left: ['run/', 'tmp/', 'work/'] },
    },
  },
];
const SHARED = lines([
  `copy --dest-shared-blob-dir shared ${ONE} oci:out`,
  `copy --dest-shared-blob-dir=shared --all -S docker://{seed}/index oci:out:x`,
]);

const QUIET: readonly Case[] = [
  ...lines(
    [
      `copy -q ${ONE} dir:out`,
      `copy --quiet ${ONE} dir:out`,
      `copy -qa ${LIST} dir:out`,
      `copy -aq ${LIST} dir:out`,
      `copy -aqf oci ${LIST} dir:out`,
      `copy -aqfoci ${LIST} dir:out`,
      `copy --quiet=true ${ONE} dir:out`,
      `copy --quiet=1 ${ONE} dir:out`,
      `copy --quiet=t ${ONE} dir:out`,
      `copy --quiet=T ${ONE} dir:out`,
      `copy --quiet=TRUE ${ONE} dir:out`,
    ],
    { stdout: 'exact' },
  ),
  ...lines(
    [
      `copy --quiet=false ${ONE} dir:out`,
      `copy --quiet=F ${ONE} dir:out`,
      `copy --quiet=0 ${ONE} dir:out`,
      `copy -q=false ${ONE} dir:out`,
      `copy --src-tls-verify=0 docker://{seed}/docker dir:out`,
      `copy --src-tls-verify=False docker://{seed}/docker dir:out`,
      `copy docker://{seed}/docker dir:out -S`,
      `copy docker://{seed}/docker -S dir:out`,
      `copy -S -- docker://{seed}/docker dir:out`,
      `copy --src-tls-verify docker://{seed}/docker dir:out`,
      `copy --retry-times 3 ${ONE} dir:out`,
      `copy --retry-times=0 ${ONE} dir:out`,
      `copy --retry-times=x ${ONE} dir:out`,
      `copy --remove-signatures ${ONE} dir:out`,
      `copy --dest-precompute-digests -D docker-archive:{s}/one.tar docker://{ns}/to:tag`,
      `--insecure-policy copy ${ONE} dir:out`,
      `copy --insecure-policy ${ONE} dir:out`,
      `--command-timeout 20s copy ${ONE} dir:out`,
      `copy --command-timeout=1m ${ONE} dir:out`,
      `--tmpdir . copy ${ONE} oci-archive:out.tar:x`,
      `--debug copy ${ONE} dir:out`,
      `copy --debug=false ${ONE} dir:out`,
      `--registries.d . copy ${ONE} dir:out`,
    ],
    { left: 'unpacked' },
  ),
];

/** What skopeo refuses, and we understand. */
const BOOLEANS: readonly Case[] = lines(
  [
    `copy --quiet=yes ${ONE} dir:out`,
    'copy --src-tls-verify=fALSE docker://{seed}/docker dir:out',
    'copy --src-tls-verify=no docker://{seed}/docker dir:out',
  ],
  {
    stdout: 'any',
    left: 'any',
    differs: { because: 'booleans', skopeo: { code: 1 }, ours: { code: 0 } },
  },
);

const FAILS_HERE = { skopeo: { code: 0 }, ours: { code: 1 } } as const;

/** What skopeo does, and we refuse. */
const REFUSED_BY_US: readonly Case[] = [
  {
    line: `copy --preserve-digests ${ONE} docker-archive:out.tar`,
    stdout: 'any',
    left: 'any',
    differs: { because: 'preserveArchive', ...FAILS_HERE },
  },
  {
    line: `copy --multi-arch=index-only ${LIST} oci:out:x`,
    stdout: 'any',
    left: 'any',
    differs: { because: 'indexAlone', ...FAILS_HERE },
  },
];

const PARENTS: Difference = { because: 'parents', skopeo: { code: 1 }, ours: { code: 0 } };

/** What was there before. */
const AGAIN: readonly Case[] = [
  { line: `copy ${ONE} dir:out`, before: ['copy -S docker://{seed}/oci dir:out'] },
  { line: `copy ${ONE} dir:out`, before: [`copy ${ONE} dir:out`] },
  { line: `copy ${ONE} dir:out`, files: { 'out/something': 'else' } },
  { line: `copy ${ONE} dir:out`, files: { 'out/version': 'what is this?\n' } },
  { line: `copy ${ONE} dir:a/b/c`, left: 'any', differs: PARENTS },
  { line: `copy ${ONE} oci:a/b/c:x`, left: 'any', differs: PARENTS },
  { line: `copy ${ONE} oci-archive:a/b/c.tar:x`, left: 'any', differs: PARENTS },
  { line: `copy --digestfile no/such/dir/digest ${ONE} dir:out`, left: 'any', differs: PARENTS },
  { line: `copy ${ONE} docker-archive:a/b/c.tar:x` },
  { line: `copy ${OCI} oci:out:b`, before: [`copy ${OCI} oci:out:a`] },
  { line: `copy ${ONE} oci:out:a`, before: [`copy ${OCI} oci:out:a`] },
  { line: `copy ${OCI} oci:out:a`, before: [`copy ${OCI} oci:out:a`] },
  { line: `copy ${ONE} oci:out`, before: [`copy ${OCI} oci:out`] },
  { line: `copy ${ONE} oci-archive:out.tar:b`, before: [`copy ${OCI} oci-archive:out.tar:a`] },
  {
    line: `copy ${ONE} docker-archive:out.tar:a:b`,
    before: [`copy ${ONE} docker-archive:out.tar:a:b`],
  },
  { line: `copy -D ${ONE} docker://{ns}/to:tag`, before: [`copy -D ${OCI} docker://{ns}/to:tag`] },
  { line: `copy -D ${ONE} docker://{ns}/to:tag`, before: [`copy -D ${ONE} docker://{ns}/to:tag`] },
  {
    line: `copy -S -D docker://{ns}/a:x docker://{ns}/b:y`,
    before: [`copy -D ${ONE} docker://{ns}/a:x`],
  },
  { line: `copy -D ${ONE} docker://{ns}/to` },
  { line: `copy oci:out oci:in`, before: [`copy ${OCI} oci:out:a`, `copy ${ONE} oci:out:b`] },
  {
    line: `copy --src-shared-blob-dir shared oci:out oci:in`,
    before: [`copy --dest-shared-blob-dir shared ${ONE} oci:out`],
  },
  { line: `copy oci:out oci:in`, before: [`copy --dest-shared-blob-dir shared ${ONE} oci:out`] },
];

const ACCESS: readonly Case[] = lines(
  [
    'copy --src-cert-dir {certs} --src-creds {login} docker://{auth}/seed/docker dir:out',
    `copy --src-cert-dir={certs} --src-username {user} --src-password '{password}' docker://{auth}/seed/docker dir:out`,
    'copy -S --src-creds={login} docker://{auth}/seed/docker dir:out',
    'copy -S --src-no-creds docker://{auth}/seed/docker dir:out',
    'copy -S docker://{auth}/seed/docker dir:out',
    'copy -S --src-creds sync:wrong docker://{auth}/seed/docker dir:out',
    'copy -S --src-creds sync docker://{auth}/seed/docker dir:out',
    'copy -S --src-creds :x docker://{auth}/seed/docker dir:out',
    'copy -S --src-creds {login} --src-no-creds docker://{auth}/seed/docker dir:out',
    'copy -S --src-username {user} docker://{auth}/seed/docker dir:out',
    'copy -S --src-password x docker://{auth}/seed/docker dir:out',
    'copy --src-creds {login} docker://{auth}/seed/docker dir:out',
    'copy --src-tls-verify=true --src-creds {login} docker://{auth}/seed/docker dir:out',
    'copy --src-cert-dir no/such --src-creds {login} docker://{auth}/seed/docker dir:out',
    'copy -D --dest-creds {login} dir:{s}/docker docker://{auth}/{path}/to:tag',
    'copy -D dir:{s}/docker docker://{auth}/{path}/to:tag',
    'copy --screds {login} -S docker://{auth}/seed/docker dir:out',
    'copy --dcreds {login} -D dir:{s}/docker docker://{auth}/{path}/to:tag',
    'copy -S --src-authfile auth.json docker://{auth}/seed/docker dir:out',
    'copy -S --authfile auth.json docker://{auth}/seed/docker dir:out',
    'copy -S --authfile no.json docker://{auth}/seed/docker dir:out',
    'copy -S --src-authfile bad.json docker://{auth}/seed/docker dir:out',
    'copy -S --src-registry-token abc docker://{auth}/seed/docker dir:out',
    'copy docker://{seed}/docker dir:out',
  ],
  {
    files: {
      'auth.json': '{"auths":{"{auth}":{"auth":"c3luYzpwQHNzOncvw7YicmQ="}}}',
      'bad.json': '{"auths":',
    },
  },
);

export const COPY_OPTIONS: readonly Case[] = [
  ...sample(3, FORMATS),
  ...sample(3, FORMATS_OF_LISTS),
  ...COMPRESSION,
  ...DIGESTS,
  ...LISTS,
  ...TAGS,
  ...REFUSED,
  ...SHARED,
  ...QUIET,
  ...AGAIN,
  ...ACCESS,
  ...BOOLEANS,
  ...REFUSED_BY_US,
];
