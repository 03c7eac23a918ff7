/** `registry-sync sync`: copies what tags.csv says from one registry to another; with --src as skopeo's. */
import { defineCommand } from '../command.ts';
import { SYNC_OPTIONS } from './sync-options.ts';

export const syncCommand = defineCommand({
  name: 'sync',
  summary: "Copy the images of tags.csv to another registry, or with --src as skopeo's sync",
  words: { usage: '[--src TRANSPORT --dest TRANSPORT SOURCE DESTINATION]', least: 0, most: 2 },
  options: SYNC_OPTIONS,
  examples: [
    [
      '$0 sync --source-registry-name gsoci --target-registry docker.io --target-namespace acme',
      'from Azure to Docker Hub',
    ],
    ['$0 sync … --dry-run', 'says what would be copied'],
    ['$0 sync … --target-path two-components', 'team/app/web becomes team/app-web'],
    [
      '$0 sync --src docker --dest docker r.example.com/team/app mirror.example.com/team',
      'all tags of a repository',
    ],
    ['$0 sync --src yaml --dest dir --scoped sync.yml /media/usb', 'what a file lists, into files'],
    [
      '$0 sync --src docker --dest docker --destination-path-style flat registry.gitlab.com/a/b/c docker.io/me',
      'me/a-b-c',
    ],
  ],
  epilogue:
    'Credentials: SOURCE_USERNAME and SOURCE_PASSWORD, TARGET_USERNAME and TARGET_PASSWORD (or the same with _FILE), else those of podman, skopeo and docker, else an identity in Azure (--azure-credential).\n' +
    'Exit codes of rows: 0 all are well, 3 some rows failed, 1 nothing could be done; with --src 0 all is well, 1 not; 130 and 143 after SIGINT and SIGTERM.',
  load: async () => (await import('./run-any-sync.ts')).runAnySync,
});
