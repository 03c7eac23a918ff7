/** `registry-sync delete`: takes an image out of its registry. */
import { defineCommand } from '../command.ts';
import { DELETE_OPTIONS } from './delete-options.ts';

export const deleteCommand = defineCommand({
  name: 'delete',
  summary: 'Delete an image from its registry, under all tags that it has there',
  words: { usage: 'IMAGE', least: 1, most: 1 },
  options: DELETE_OPTIONS,
  examples: [
    ['$0 delete docker://r.example.com/team/app:old', 'and all other tags of that digest'],
  ],
  epilogue:
    'The registry deletes what the tag stands for by its digest: other tags of the same digest go with it.',
  load: async () => (await import('./run-delete.ts')).runDelete,
});
