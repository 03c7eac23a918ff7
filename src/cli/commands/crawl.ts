/** `registry-sync crawl`: what a registry holds, into repositories.csv and tags.csv. */
import { defineCommand } from '../command.ts';
import { CRAWL_OPTIONS } from './crawl-options.ts';

export const crawlCommand = defineCommand({
  name: 'crawl',
  summary: 'Write what a registry holds into repositories.csv and tags.csv',
  options: CRAWL_OPTIONS,
  examples: [
    ['$0 crawl --registry-name gsoci --namespace giantswarm', "one namespace of Azure's gsoci"],
    ['$0 crawl --registry r.example.com --semver ">=2" --latest 5', 'the newest versions'],
  ],
  epilogue:
    'Credentials: SOURCE_USERNAME and SOURCE_PASSWORD (or SOURCE_USERNAME_FILE, SOURCE_PASSWORD_FILE), else those of podman, skopeo and docker, else an identity in Azure (--azure-credential).\n' +
    'The CSV files appear when the crawl is whole. Exit codes: 0 whole, 3 written in part (--allow-partial), 1 nothing written.',
  load: async () => (await import('./run-crawl.ts')).runCrawl,
});
