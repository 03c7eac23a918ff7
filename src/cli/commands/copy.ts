/** `registry-sync copy`: one image from one place to another. */
import { defineCommand } from '../command.ts';
import { COPY_OPTIONS } from './copy-options.ts';

export const copyCommand = defineCommand({
  name: 'copy',
  summary: 'Copy one image from one place to another',
  words: { usage: 'SOURCE DESTINATION', least: 2, most: 2 },
  options: COPY_OPTIONS,
  examples: [
    ['$0 copy docker://redis:7 docker://r.example.com/redis:7', 'for the platform of this machine'],
    ['$0 copy --all docker://redis:7 oci:redis:7', 'for all platforms, into a directory'],
  ],
  epilogue:
    'Places are docker://HOST/PATH[:TAG], dir:PATH, oci:PATH[:NAME], oci-archive:PATH[:NAME], docker-archive:PATH[:NAME:TAG], docker-daemon:NAME:TAG.\n' +
    'Exit codes: 0 copied, 2 there is no such image, 1 all else.',
  load: async () => (await import('./run-copy.ts')).runCopy,
});
