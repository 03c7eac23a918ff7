/** What others say, as it may stand in a message of ours. */

/** Longer quotations help nobody. Characters. */
const MAX_SHOWN = 200;

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

/** `text` on one line, without what could steer a terminal. */
export function onOneLine(text: string): string {
  return text.replaceAll(CONTROL, ' ');
}

/** `text` on one line, without what could steer a terminal, and cut where it gets long: `abc…`. */
export function shown(text: string, max = MAX_SHOWN): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return onOneLine(cut);
}
