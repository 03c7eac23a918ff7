/** `registry-sync sync`: copies what tags.csv says from one registry to another. */
import { defineCommand } from '../command.ts';
import { SYNC_OPTIONS } from './sync-options.ts';

export const syncCommand = defineCommand({
  name: 'sync',
  summary: 'Copy the images of tags.csv to another registry',
  options: SYNC_OPTIONS,
  examples: [
    [
      '$0 sync --source-registry-name gsoci --target-registry docker.io --target-namespace acme',
      'from Azure to Docker Hub',
    ],
    ['$0 sync … --dry-run', 'says what would be copied'],
    ['$0 sync … --target-path two-components', 'team/app/web becomes team/app-web'],
  ],
  epilogue:
    'Credentials: SOURCE_USERNAME and SOURCE_PASSWORD, TARGET_USERNAME and TARGET_PASSWORD (or the same with _FILE), else those of podman, skopeo and docker, else an identity in Azure (--azure-credential).\n' +
    'Exit codes: 0 all rows are well, 3 some rows failed, 1 nothing could be done, 130 and 143 after SIGINT and SIGTERM.',
  load: async () => (await import('./run-sync.ts')).runSync,
});
