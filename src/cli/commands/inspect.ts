/** `registry-sync inspect`: what an image is, without copying it. */
import { defineCommand } from '../command.ts';
import { INSPECT_OPTIONS } from './inspect-options.ts';

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: 'Show what an image is',
  words: { usage: 'IMAGE', least: 1, most: 1 },
  options: INSPECT_OPTIONS,
  examples: [
    ['$0 inspect docker://redis:7', 'the image for this machine'],
    ['$0 inspect --raw docker://redis:7', 'the manifest or the list itself'],
    ['$0 inspect -f "{{.Digest}}" -n docker://redis:7', 'its digest'],
  ],
  epilogue: 'Exit codes: 0 shown, 2 there is no such image, 1 all else.',
  load: async () => (await import('./run-inspect.ts')).runInspect,
});
