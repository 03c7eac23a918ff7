/**
 * Turns what is yielded into what can be compared.
 */

/** Everything `items` yields, in order. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
