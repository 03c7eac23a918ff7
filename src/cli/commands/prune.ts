/** `registry-sync prune`: deletes at the target what the source has no more, in two phases. */
import { defineCommand } from '../command.ts';
import { PRUNE_OPTIONS } from './prune-options.ts';

export const pruneCommand = defineCommand({
  name: 'prune',
  summary: 'Plan what the target has and tags.csv has not, and delete what the plan says',
  words: { usage: '[docker://REGISTRY/REPOSITORY...]', least: 0, most: 1000 },
  options: PRUNE_OPTIONS,
  examples: [
    [
      '$0 prune --plan prune.csv --target-registry docker.io --target-namespace acme',
      'what would go, with the options of sync',
    ],
    ['$0 prune --apply prune.csv --target-registry docker.io', 'delete exactly that'],
    [
      '$0 prune docker://r.example.com/app --keep-newest 10 --protect "latest|stable" --plan prune.csv --apply prune.csv',
      'clean a repository up, without tags.csv',
    ],
  ],
  epilogue:
    'Nothing is deleted after a crawl that is not whole, from an empty list, beyond --max-percent, or whole repositories; an image goes only if nothing that stays needs it.\n' +
    'Credentials: TARGET_USERNAME and TARGET_PASSWORD (or the same with _FILE), else those of podman, skopeo and docker, else an identity in Azure (--azure-credential).\n' +
    'Exit codes: 0 all is well, 3 some rows were not deleted (see prune-results.csv), 1 nothing was done.',
  load: async () => (await import('./run-prune.ts')).runPrune,
});
