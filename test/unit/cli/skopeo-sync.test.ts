/** Command lines of `sync --src` that are wrong or do without a registry, and its help. */
import { equal, match } from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { runHere } from '../../support/in-process.ts';
import { tempDir } from '../../support/temp-dir.ts';

const TO = ['--src', 'docker', '--dest', 'docker', 'r.test/a', 't.test'];

/** A command line after `sync`, and what is said of it. */
const WRONG: [string[], RegExp][] = [
  [
    ['--dest', 'docker', 'a', 'b'],
    /A source transport must be specified: give --src \(docker, dir/,
  ],
  [['--src', 'docker', 'a', 'b'], /A destination transport must be specified: give --dest/],
  [['a', 'b'], /A source transport must be specified/],
  [['-s', 'oci', '-d', 'dir', 'a', 'b'], /--src: "oci" is not a valid source transport/],
  [['-s', 'docker', '-d', 'yaml', 'a', 'b'], /--dest: "yaml" is not a valid destination tran/],
  [['-s', 'docker', '-d', 'docker', 'a'], /needs two words, SOURCE and DESTINATION: 1 given/],
  [[...TO, 'c'], /sync takes 0 to 2 words/],
  [[...TO, '--format', 'v1'], /--format: "v1" is none of oci, v2s1, v2s2/],
  [[...TO, '--filter', '('], /--filter "\(" is no regular expression/],
  [[...TO, '--exclude', 'a(?!b)'], /--exclude .* looks around, which Go can't/],
  [[...TO, '--destination-path-style', 'deep'], /"deep" is none of last, scoped, /],
  [[...TO, '--scoped', '--destination-path-style', 'flat'], /give only one of --scoped/],
  [[...TO, '--scoped', '--target-path', '{name}'], /give only one of --scoped/],
  [[...TO, '--all', '--platform', 'linux/arm64'], /give only one of --all and --platform/],
  [[...TO, '--retry-delay', '5'], /--retry-delay: "5" is no length of time/],
  [[...TO, '--remove-signatures', '--referrers', 'copied'], /--remove-signatures does not go/],
  [
    [...TO, '--sign-by', 'me'],
    /--sign-by: signing and encryption are not supported yet, and nothing was copied/,
  ],
  [
    [...TO, '--sign-by-sigstore', 'f'],
    /--sign-by-sigstore: signing and encryption are not supported yet/,
  ],
  [[...TO, '--sign-by-sigstore-private-key', 'f'], /signing and encryption are not supported yet/],
  [[...TO, '--sign-by-sq-fingerprint', 'f'], /signing and encryption are not supported yet/],
  [[...TO, '--sign-passphrase-file', 'f'], /signing and encryption are not supported yet/],
  [[...TO, '--source-registry', 'x'], /--source-registry is for rows of tags\.csv/],
  [[...TO, '--target-namespace', 'x'], /--target-namespace is for rows of tags\.csv/],
  [[...TO, '--shard', '0/2'], /--shard is for rows of tags\.csv/],
  [['--scoped', '--target-registry', 'x'], /--scoped is for sync as skopeo's/],
  [['--filter', 'x'], /--filter is for sync as skopeo's/],
  [['--override-arch', 'arm64'], /--override-arch is for sync as skopeo's/],
  [
    ['-s', 'yaml', '-d', 'docker', '/nonexistent.yml', 'b.test'],
    /can't read \/nonexistent\.yml: th/,
  ],
  [['-s', 'dir', '-d', 'docker', '/nonexistent', 'b.test'], /no such file or directory/],
  [['-s', 'docker', '-d', 'docker', 'UP', 'b.test'], /"UP" is no image: write HOST\/PATH/],
];

describe('sync --src', () => {
  for (const [args, message] of WRONG) {
    it(`refuses ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await runHere(['sync', ...args]);

      match(stderr, message);
      equal(stdout, '');
      equal(code, 1);
    });
  }

  it('finds no images in an empty directory', async () => {
    await using dir = await tempDir();
    const { code, stderr } = await runHere([
      'sync',
      '-s',
      'dir',
      '-d',
      'docker',
      dir.path,
      't.test',
    ]);

    match(stderr, /No images to sync found in "/);
    equal(code, 1);
  });

  it('tells what it would do with directories, and does nothing', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'busybox:1-glibc'));
    await writeFile(join(dir.path, 'busybox:1-glibc', 'manifest.json'), '{}');
    const digests = join(dir.path, 'digests');
    const args = ['--dry-run', '--digestfile', digests, join(dir.path, 'busybox:1-glibc')];
    const { code, stderr } = await runHere([
      'sync',
      '--src',
      'dir',
      '--dest',
      'docker',
      ...args,
      'my-registry.local.lan/test/',
    ]);

    match(stderr, /Running in dry-run mode/);
    match(
      stderr,
      /Would have copied image ref 1\/1 from=dir:\S+busybox:1-glibc to=docker:\/\/my-registry\.local\.lan\/test\/busybox:1-glibc\n/,
    );
    match(stderr, /Would have synced 1 images from 1 sources/);
    equal(code, 0);
    equal(await readFile(digests).catch(() => 'none'), 'none');
  });

  it('shows both ways to sync in its help', async () => {
    const { stdout, code } = await runHere(['sync', '--help']);

    equal(code, 0);
    for (const group of ['Rows of tags.csv', "As skopeo's sync, with --src", 'Both ways to sync']) {
      match(stdout, new RegExp(`^${group}`, 'm'));
    }
    match(stdout, /-s, --src +what SOURCE is/);
    match(stdout, /sync \[options\] \[--src TRANSPORT --dest TRANSPORT SOURCE DESTINATION\]/);
  });
});
