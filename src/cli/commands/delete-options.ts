/** The options of `delete`. */
import type { OptionSpec } from '../command.ts';
import { accessOptions } from '../options/access.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { RETRY_OPTIONS, storeOptions } from '../options/image-access.ts';

const ACCESS = 'Access to the registry (or TARGET_USERNAME and TARGET_PASSWORD):';

export const DELETE_OPTIONS = {
  ...RETRY_OPTIONS,
  ...accessOptions('', ACCESS),
  ...storeOptions('', ACCESS),
  ...GLOBAL_OPTIONS,
} as const satisfies Record<string, OptionSpec>;
