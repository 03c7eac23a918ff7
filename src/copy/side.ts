/** Says of a failure on which side of a copy it was. */
import { RegistrySyncError, withName } from '../base/errors.ts';
import type { Image } from '../image/source-and-sink.ts';

export type Side = 'source' | 'target';

/** Names the image and the side in a failure of `work`, unless it has a side already. */
export async function onSide<T>(side: Side, image: Image, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegistrySyncError) || error.details.side !== undefined) throw error;
    const named = error.message.includes(image.name) ? side : `${side} ${image.name}`;
    throw withName(error, named, { side });
  }
}
