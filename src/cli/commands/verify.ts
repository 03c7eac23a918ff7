/** `registry-sync verify`: checks a registry against tags.csv. */
import { defineCommand } from '../command.ts';
import { VERIFY_OPTIONS } from './verify-options.ts';

export const verifyCommand = defineCommand({
  name: 'verify',
  summary: 'Check that a registry has what tags.csv says',
  options: VERIFY_OPTIONS,
  examples: [
    [
      '$0 verify --source-registry-name gsoci --target-registry docker.io --target-namespace acme',
      'every digest, by one HEAD for each row',
    ],
    ['$0 verify … --deep', 'every manifest read, and every blob asked for'],
    ['$0 verify … --deep=bytes', 'every byte read'],
    ['$0 sync … --repair', 'copies again what verify.csv says is missing, differs or is damaged'],
  ],
  epilogue:
    'Takes the options of sync that say which rows there are and where they are at the target. Credentials: TARGET_USERNAME and TARGET_PASSWORD (or the same with _FILE), else those of podman, skopeo and docker, else an identity in Azure; the source is only read with --platform.\n' +
    'Exit codes: 0 all is as tags.csv says, 3 some rows are not, or could not be checked, 1 nothing could be checked; 130 and 143 after SIGINT and SIGTERM.',
  load: async () => (await import('./run-verify.ts')).runVerify,
});
