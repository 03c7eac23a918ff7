/** Commands of skopeo's that are not built yet: known, so that who calls them is told. */
import { RegistrySyncError } from '../../base/errors.ts';
import { defineCommand, type AnyCommand } from '../command.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';

const MOST_WORDS = 10;

export const standaloneSignCommand = signing('standalone-sign', 'Sign an image (not yet)');
export const standaloneVerifyCommand = signing('standalone-verify', 'Check a signature (not yet)');

function signing(name: string, summary: string): AnyCommand {
  return defineCommand({
    name,
    summary,
    words: { usage: 'MANIFEST …', least: 0, most: MOST_WORDS },
    options: GLOBAL_OPTIONS,
    examples: [],
    load: async () => () => {
      throw new RegistrySyncError('UNSUPPORTED', `${name}: signing is not supported yet`);
    },
  });
}
