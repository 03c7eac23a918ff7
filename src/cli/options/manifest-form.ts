/** Forms of manifests by the words that skopeo has for them. */
import type { ManifestForm } from '../../image/source-and-sink.ts';

const FORMS = { oci: 'oci', v2s2: 'docker', v2s1: 'schema1' } as const satisfies Readonly<
  Record<string, ManifestForm>
>;

/** `undefined`: as it is. */
export function readForm(format: keyof typeof FORMS | undefined): ManifestForm | undefined {
  return format === undefined ? undefined : FORMS[format];
}
