/** The options of `inspect`. */
import type { OptionSpec } from '../command.ts';
import { accessOptions } from '../options/access.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { RETRY_OPTIONS, storeOptions } from '../options/image-access.ts';

const ACCESS = 'Access to the image (or SOURCE_USERNAME and SOURCE_PASSWORD):';

export const INSPECT_OPTIONS = {
  raw: { type: 'boolean', default: false, describe: 'the manifest, or config, byte by byte' },
  config: { type: 'boolean', default: false, describe: 'the config of the image' },
  format: {
    type: 'string',
    alias: 'f',
    describe: 'Go template for the output, as in "{{.Name}} {{.Digest}}"; json is as without',
  },
  'no-tags': {
    type: 'boolean',
    alias: 'n',
    default: false,
    describe: 'leave out which tags the repository has',
  },
  ...RETRY_OPTIONS,
  ...accessOptions('', ACCESS),
  ...storeOptions('', ACCESS),
  ...GLOBAL_OPTIONS,
} as const satisfies Record<string, OptionSpec>;
