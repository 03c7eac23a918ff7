/** `registry-sync list-tags`: which tags a repository or an archive has. */
import { defineCommand } from '../command.ts';
import { LIST_TAGS_OPTIONS } from './list-tags-options.ts';

export const listTagsCommand = defineCommand({
  name: 'list-tags',
  summary: 'List the tags of a repository, or of a docker-archive',
  words: { usage: 'REPOSITORY', least: 1, most: 1 },
  options: LIST_TAGS_OPTIONS,
  examples: [
    ['$0 list-tags docker://redis', 'as JSON'],
    ['$0 list-tags docker-archive:redis.tar', 'what a file has'],
  ],
  load: async () => (await import('./run-list-tags.ts')).runListTags,
});
