/** The options of `list-tags`. */
import type { OptionSpec } from '../command.ts';
import { accessOptions } from '../options/access.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { RETRY_OPTIONS } from '../options/image-access.ts';

export const LIST_TAGS_OPTIONS = {
  ...RETRY_OPTIONS,
  ...accessOptions('', 'Access to the registry (or SOURCE_USERNAME and SOURCE_PASSWORD):'),
  ...GLOBAL_OPTIONS,
} as const satisfies Record<string, OptionSpec>;
