/** What commands that open images have in common besides the credentials: stores, and how hard they try. */
import type { StoreSettings } from '../../store/open.ts';
import type { OptionSpec } from '../command.ts';

export const RETRY_OPTIONS = {
  'retry-times': {
    type: 'integer',
    min: 0,
    default: 2,
    describe: 'how often a request is repeated when a registry is busy or out of reach',
  },
  'retry-delay': {
    type: 'string',
    describe: 'wait between tries, as in 5s; without it a wait that doubles',
  },
} as const satisfies Record<string, OptionSpec>;

const SPECS = {
  'shared-blob-dir': { type: 'string', describe: 'directory where oci: has its blobs instead' },
  'daemon-host': {
    type: 'string',
    describe: 'where docker-daemon: is reached, as in tcp://HOST:PORT',
  },
} as const satisfies Record<string, OptionSpec>;

type Names = keyof typeof SPECS;
export type StoreOptions<P extends string> = {
  readonly [N in Names as `${P}${N}`]: (typeof SPECS)[N] & { readonly group: string };
};

/** The options of one side, each with the prefix. */
export function storeOptions<const P extends string>(prefix: P, group: string): StoreOptions<P> {
  return Object.fromEntries(
    Object.entries(SPECS).map(([name, spec]) => [`${prefix}${name}`, { ...spec, group }]),
  ) as unknown as StoreOptions<P>;
}

/** Reads the options of one side, and `--tmpdir`. */
export function readStore(
  values: Readonly<Record<string, unknown>>,
  prefix: string,
): Partial<StoreSettings> {
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const tmpdir = text('tmpdir');
  return {
    ...(tmpdir !== undefined && { tmpdir }),
    sharedBlobDir: text(`${prefix}shared-blob-dir`),
    daemonHost: text(`${prefix}daemon-host`),
    daemonCertDir: text(`${prefix}cert-dir`),
    daemonTlsVerify: values[`${prefix}tls-verify`] as boolean | undefined,
  };
}
