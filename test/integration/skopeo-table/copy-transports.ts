/** Copies between all pairs of transports: one image, lists with and without `--all`. */
import { sample, type Case } from './case.ts';

/** Sources of one image; `plain` ones have layers that are compressed on the way. */
const IMAGES: readonly { readonly from: string; readonly plain?: boolean }[] = [
  { from: '-S docker://{seed}/docker:latest' },
  { from: '-S docker://{seed}/oci' },
  { from: '-S docker://{seed}/oci@{D:oci:latest}' },
  { from: '-S docker://{seed}/empty' },
  { from: '-S docker://{seed}/plain', plain: true },
  { from: 'dir:{s}/docker' },
  { from: 'dir:{s}/oci-image' },
  { from: 'oci:{s}/layout:one' },
  { from: 'oci:{s}/layout:two' },
  { from: 'oci:{s}/single' },
  { from: 'oci-archive:{s}/oci.tar' },
  { from: 'oci-archive:{s}/oci.tar:named' },
  { from: 'docker-archive:{s}/one.tar', plain: true },
  { from: 'docker-archive:{s}/unnamed.tar', plain: true },
  { from: 'docker-archive:{s}/both.tar:@1', plain: true },
  { from: 'docker-archive:{s}/both.tar:example.test/one:v1', plain: true },
];
const TO = [
  '-D docker://{ns}/to:tag',
  'dir:out',
  'oci:out',
  'oci:out:name',
  'oci-archive:out.tar:name',
  'docker-archive:out.tar',
  'docker-archive:out.tar:example.test/to:tag',
] as const;

const LISTS = [
  '-S docker://{seed}/multi',
  '-S docker://{seed}/index',
  '-S docker://{seed}/attested',
  'dir:{s}/multi',
  'dir:{s}/index',
  'oci:{s}/layout:multi',
  'oci-archive:{s}/oci-all.tar:named',
] as const;
const LISTS_TO = ['-D docker://{ns}/to:tag', 'dir:out', 'oci:out:name', 'oci-archive:out.tar'];

export const COPY_TRANSPORTS: readonly Case[] = [
  ...sample(
    3,
    IMAGES.flatMap(({ from, plain = false }) =>
      TO.map((to): Case => ({
        line: `copy ${from} ${to}`,
        left: plain && !to.startsWith('docker-archive') ? 'unpacked' : 'same',
      })),
    ),
  ),
  ...sample(
    3,
    LISTS.flatMap((from) =>
      LISTS_TO.flatMap((to): Case[] => [
        { line: `copy ${from} ${to}` },
        { line: `copy --all ${from} ${to}` },
      ]),
    ),
  ),
];
