/**
 * Stands in for the package `string-width` in the bundle (see the script `build`): yargs measures its
 * help texts by it. Ours are ASCII, and to look each letter up in tables of emoji and of Asian
 * scripts takes longer than all the rest of a start.
 */

/** Columns that an ASCII text takes on a terminal. */
export default function stringWidth(text: string): number {
  return text.length;
}
