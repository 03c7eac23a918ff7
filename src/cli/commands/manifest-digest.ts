/** `registry-sync manifest-digest`: the digest that a registry would give to a manifest. */
import { defineCommand } from '../command.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';

export const manifestDigestCommand = defineCommand({
  name: 'manifest-digest',
  summary: 'Compute the digest of a manifest in a file',
  words: { usage: 'FILE', least: 1, most: 1 },
  options: GLOBAL_OPTIONS,
  examples: [['$0 manifest-digest manifest.json', 'sha256:…']],
  load: async () => (await import('./run-manifest-digest.ts')).runManifestDigest,
});
