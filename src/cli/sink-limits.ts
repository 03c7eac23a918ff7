/** What a copy has to keep to at its destination, in skopeo's ways. */
import type { ImageSink, SinkLimits } from '../image/source-and-sink.ts';
import type { Transport } from '../store/location.ts';

/**
 * What a sink can hold, and how layers are wanted there. Registries get compressed layers; a layout
 * holds what Docker wrote where nothing is to be changed.
 */
export function limitsOf(
  { limits }: ImageSink,
  transport: Transport,
  preserveDigests: boolean,
): SinkLimits | undefined {
  const isRegistry = transport === 'docker';
  const takesAll = isRegistry || transport === 'oci' || transport === 'oci-archive';
  if (preserveDigests && takesAll) return undefined;
  return isRegistry ? { ...limits, layers: 'compressed' } : limits;
}
